/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blk_records - numbered records for a host that kills the VMM: those that a flush has covered
 * are named on the console, and the next boot checks that they are there.
 */
#include "guest-images/payloads/blk.h"

#define RECORD (8 * BLK_SECTOR)
#define STRIDE 1103 /* odd: each place is used before one is used again */

static uint8_t record[RECORD];

/* blk_record() - record @n of run @seed: every 8 bytes depend on both */
static void blk_record(uint8_t *p, uint64_t seed, uint64_t n)
{
	struct prng r;

	prng_seed(&r, (seed << 32) + n);
	for (unsigned int i = 0; i < RECORD; i += 8) {
		uint64_t v = prng_next(&r);

		memcpy(p + i, &v, 8);
	}
}

/* Places are a power of two, so that STRIDE visits each. */
static uint64_t blk_places(const struct blk *b)
{
	uint64_t n = 1;

	while (2 * n * RECORD <= b->sectors * BLK_SECTOR)
		n *= 2;
	return n;
}

static uint64_t blk_place(const struct blk *b, uint64_t seed, uint64_t n)
{
	return (n * STRIDE + seed * 7) % blk_places(b) * (RECORD / BLK_SECTOR);
}

bool blk_records(struct blk *b)
{
	uint64_t seed = cmdline_u64("seed", 1), batch = cmdline_u64("batch", 3);
	uint64_t n = 0, places = blk_places(b);

	while (n < places) {
		for (uint64_t i = 0; i < batch && n < places; i++) {
			n++;
			blk_record(record, seed, n);
			if (blk_rw(b, VIRTIO_BLK_T_OUT, blk_place(b, seed, n), record,
				   RECORD) != VIRTIO_BLK_S_OK)
				return false;
		}
		if (!cmdline_is("flush", "no") &&
		    blk_rw(b, VIRTIO_BLK_T_FLUSH, 0, NULL, 0) != VIRTIO_BLK_S_OK)
			return false;
		print("safe %lu\n", n);
	}
	return true;
}

bool blk_find_records(struct blk *b)
{
	uint64_t seed = cmdline_u64("seed", 1), upto = cmdline_u64("upto", 0);
	static uint8_t found[RECORD];

	for (uint64_t n = 1; n <= upto; n++) {
		blk_record(record, seed, n);
		int status =
			blk_rw(b, VIRTIO_BLK_T_IN, blk_place(b, seed, n), found, RECORD);

		if (status != VIRTIO_BLK_S_OK) {
			print("FAIL: record %lu of %lu: status %d\n", n, upto, status);
			return false;
		}
		if (memcmp(record, found, RECORD)) {
			print("FAIL: record %lu of %lu is lost\n", n, upto);
			return false;
		}
	}
	print("%lu records found\n", upto);
	return true;
}
