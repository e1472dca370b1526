/* SPDX-License-Identifier: Apache-2.0 */
/* blk - what a disk must do.  mode=check (default) writes, reads back and asks for what
 * must be refused; write and verify leave a pattern for the next boot; load is
 * blk_load.c's, records and find are blk_records.c's.
 */
#include "guest-images/payloads/blk.h"

#define PIECE 65536

static struct blk disk;
static uint8_t out[PIECE], in[PIECE];

static bool blk_expect(const char *what, int got, int want)
{
	if (got == want)
		print("ok: %s\n", what);
	else
		print("FAIL: %s: status %d, not %d\n", what, got, want);
	return got == want;
}

/* blk_pattern() - sector @s as generation @seed wrote it */
static void blk_pattern(uint8_t *p, uint64_t s, uint32_t len, uint64_t seed)
{
	struct prng r;

	for (uint32_t off = 0; off < len; off += BLK_SECTOR, s++) {
		prng_seed(&r, (seed << 40) + s + 1);
		for (unsigned int i = 0; i < BLK_SECTOR; i += 8) {
			uint64_t v = prng_next(&r);

			memcpy(p + off + i, &v, 8);
		}
	}
}

static bool blk_each_piece(uint32_t type, uint64_t seed)
{
	uint64_t left = disk.sectors * BLK_SECTOR;

	for (uint64_t s = 0; left; s += PIECE / BLK_SECTOR) {
		uint32_t len = left < PIECE ? (uint32_t)left : PIECE;

		blk_pattern(out, s, len, seed);
		if (type == VIRTIO_BLK_T_OUT)
			memcpy(in, out, len);
		if (blk_rw(&disk, type, s, in, len) != VIRTIO_BLK_S_OK) {
			print("FAIL: request at sector %lu\n", s);
			return false;
		}
		if (memcmp(in, out, len)) {
			print("FAIL: other data at sector %lu\n", s);
			return false;
		}
		left -= len;
	}
	return true;
}

static bool blk_write(void)
{
	return blk_each_piece(VIRTIO_BLK_T_OUT, cmdline_u64("seed", 1)) &&
	       blk_expect("flush", blk_rw(&disk, VIRTIO_BLK_T_FLUSH, 0, NULL, 0),
			  VIRTIO_BLK_S_OK);
}

static bool blk_verify(void)
{
	return blk_each_piece(VIRTIO_BLK_T_IN, cmdline_u64("seed", 1));
}

static bool blk_check_id(void)
{
	char id[VIRTIO_BLK_ID_BYTES + 1] = "";

	if (!blk_expect("GET_ID",
			blk_rw(&disk, VIRTIO_BLK_T_GET_ID, 0, id, sizeof(id) - 1),
			VIRTIO_BLK_S_OK))
		return false;
	print("serial: %s\n", id);
	return true;
}

/* blk_check_pieces() - one request of many small buffers, none of them aligned */
static bool blk_check_pieces(void)
{
	struct blk_request *rq = &disk.req;
	struct vbuf v[34] = {{&rq->hdr, sizeof(rq->hdr), false}};
	unsigned int n = 1;

	*rq = (struct blk_request){.hdr = {.type = VIRTIO_BLK_T_IN}, .status = 0xff};
	memset(in, 0, sizeof(in));
	for (; n <= 32; n++)
		v[n] = (struct vbuf){in + 129 * n, 128, true};
	v[n++] = (struct vbuf){&rq->status, 1, true};
	if (!vq_request(&disk.q, v, n, NULL) || rq->status != VIRTIO_BLK_S_OK)
		return blk_expect("read into 32 pieces", rq->status, VIRTIO_BLK_S_OK);
	if (blk_rw(&disk, VIRTIO_BLK_T_IN, 0, out, 4096) != VIRTIO_BLK_S_OK)
		return false;
	for (n = 1; n <= 32; n++)
		if (memcmp(in + 129 * n, out + 128 * (n - 1), 128) || in[129 * n + 128])
			return blk_expect("pieces in their places", 1, 0);
	return blk_expect("read into 32 pieces", 0, 0);
}

static bool blk_check_refusals(void)
{
	uint64_t end = disk.sectors;
	bool ok = true;

	ok &= blk_expect("read past the end is refused",
			 blk_rw(&disk, VIRTIO_BLK_T_IN, end, in, 512),
			 VIRTIO_BLK_S_IOERR);
	ok &= blk_expect("read across the end is refused",
			 blk_rw(&disk, VIRTIO_BLK_T_IN, end - 1, in, 1024),
			 VIRTIO_BLK_S_IOERR);
	ok &= blk_expect("write across the end is refused",
			 blk_rw(&disk, VIRTIO_BLK_T_OUT, end - 1, out, 1024),
			 VIRTIO_BLK_S_IOERR);
	ok &= blk_expect("wrapping sector is refused",
			 blk_rw(&disk, VIRTIO_BLK_T_IN, UINT64_MAX, in, 1024),
			 VIRTIO_BLK_S_IOERR);
	ok &= blk_expect("sector * 512 wrapping is refused",
			 blk_rw(&disk, VIRTIO_BLK_T_OUT, UINT64_C(1) << 55, out, 512),
			 VIRTIO_BLK_S_IOERR);
	ok &= blk_expect("half a sector is refused",
			 blk_rw(&disk, VIRTIO_BLK_T_IN, 0, in, 256), VIRTIO_BLK_S_IOERR);
	ok &= blk_expect("unknown request is refused", blk_rw(&disk, 0x7777, 0, in, 512),
			 VIRTIO_BLK_S_UNSUPP);
	return ok;
}

/* blk_check_space() - what a disk that can discards and zeroes: the last 64 KiB */
static bool blk_check_space(void)
{
	struct virtio_blk_discard_write_zeroes all = {disk.sectors - PIECE / BLK_SECTOR,
						      PIECE / BLK_SECTOR, 0};
	bool ok = true;

	if (disk.v.features >> VIRTIO_BLK_F_DISCARD & 1)
		ok &= blk_expect(
			"discard",
			blk_rw(&disk, VIRTIO_BLK_T_DISCARD, 0, &all, sizeof(all)),
			VIRTIO_BLK_S_OK);
	if (!ok || !(disk.v.features >> VIRTIO_BLK_F_WRITE_ZEROES & 1))
		return ok;
	if (!blk_expect("write zeroes",
			blk_rw(&disk, VIRTIO_BLK_T_WRITE_ZEROES, 0, &all, sizeof(all)),
			VIRTIO_BLK_S_OK) ||
	    blk_rw(&disk, VIRTIO_BLK_T_IN, all.sector, in, PIECE) != VIRTIO_BLK_S_OK)
		return false;
	memset(out, 0, PIECE);
	return blk_expect("zeroes are read", memcmp(in, out, PIECE) != 0, 0);
}

static bool blk_check(void)
{
	print("%lu sectors%s\n", disk.sectors, disk.readonly ? ", read-only" : "");
	if (!blk_check_id() || !blk_check_pieces() || !blk_check_refusals())
		return false;
	if (disk.readonly)
		return blk_expect("write to a read-only disk is refused",
				  blk_rw(&disk, VIRTIO_BLK_T_OUT, 0, out, 512),
				  VIRTIO_BLK_S_IOERR);
	return blk_write() && blk_verify() && blk_check_space();
}

/* blk_abandon() - a read that may never come back, and half a second later a reset; end=reading:
 * none
 */
static bool blk_abandon(void)
{
	struct blk_request *rq = &disk.req;
	const struct vbuf v[] = {{&rq->hdr, sizeof(rq->hdr), false},
				 {in, BLK_SECTOR, true},
				 {&rq->status, 1, true}};
	uint64_t start = now_ns();

	*rq = (struct blk_request){.hdr = {.type = VIRTIO_BLK_T_IN}};
	if (vq_add(&disk.q, v, 3) < 0)
		return false;
	vq_kick(&disk.q);
	print("reading\n");
	while (now_ns() - start < UINT64_C(500000000) || cmdline_is("end", "reading"))
		cpu_relax();
	print("resetting\n");
	if (!vio_reset(&disk.v))
		return false;
	print("it is reset\n");
	return true;
}

int main(void)
{
	bool ok;

	if (!blk_open(&disk, (unsigned int)cmdline_u64("disk", 0))) {
		print("FAIL: no disk\n");
		return 1;
	}
	if (cmdline_is("mode", "load"))
		ok = blk_load(&disk);
	else if (cmdline_is("mode", "write"))
		ok = blk_write();
	else if (cmdline_is("mode", "verify"))
		ok = blk_verify();
	else if (cmdline_is("mode", "records"))
		ok = blk_records(&disk);
	else if (cmdline_is("mode", "abandon"))
		ok = blk_abandon();
	else if (cmdline_is("mode", "find"))
		ok = blk_find_records(&disk);
	else
		ok = blk_check();
	print("%s\n", ok ? "PASS" : "FAIL");
	if (ok && cmdline_is("end", "hang")) {
		print("hanging\n");
		for (;;)
			cpu_relax();
	}
	return !ok;
}
