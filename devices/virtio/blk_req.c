/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blk_req - one request to the block device (virtio 1.2, 5.2.6): read once, and checked whole
 * before it begins.
 */
#include "devices/virtio/blk.h"

#include <errno.h>

#include "devices/virtio/devices.h"

static bool blk_has(const struct blk *b, unsigned int feature)
{
	return b->v.offered & (1ULL << feature);
}

/* Are @n sectors from @sector on the disk? */
static bool blk_range_ok(const struct blk *b, uint64_t sector, uint64_t n)
{
	uint64_t capacity = b->disk->size / DISK_SECTOR;

	return sector <= capacity && n <= capacity - sector;
}

/* Must a write be stable when it completes? A driver that cannot flush assumes so (5.2.6.2) */
static bool blk_durable(const struct blk *b)
{
	return !b->truth.wce || !(b->v.acked & (1ULL << VIRTIO_BLK_F_FLUSH));
}

/* It is charged now for the most that the host may move; blk_request_next() corrects that */
static void blk_submit(struct blk *b, struct blk_slot *s)
{
	disk_submit(b->disk, &s->io); /* it computes the price, and begins nothing */
	s->price = b->rate.limited ? s->io.moved : 0;
	rate_spend(&b->rate, 0, s->price);
}

/* ---- read, write, flush ---- */

static int blk_start_io(struct blk *b, struct blk_slot *s, uint32_t type, uint64_t sector)
{
	struct span *data = type == VIRTIO_BLK_T_OUT ? &s->c.from_driver
						     : &s->c.to_driver;

	if (data->len % DISK_SECTOR || data->len > BLK_BYTES_MAX ||
	    !blk_range_ok(b, sector, data->len / DISK_SECTOR))
		return VIRTIO_BLK_S_IOERR;
	if (!data->len)
		return VIRTIO_BLK_S_OK;
	s->io = (struct disk_req){.op = DISK_READ,
				  .off = sector * DISK_SECTOR,
				  .iov = data->v,
				  .niov = data->n,
				  .len = data->len};
	if (type == VIRTIO_BLK_T_OUT) {
		if (b->disk->readonly)
			return VIRTIO_BLK_S_IOERR;
		s->io.op = DISK_WRITE;
		s->io.durable = blk_durable(b);
		s->out_len = (uint32_t)data->len;
	} else {
		s->in_len = (uint32_t)data->len;
	}
	blk_submit(b, s);
	return -1;
}

static int blk_start_flush(struct blk *b, struct blk_slot *s)
{
	s->io = (struct disk_req){.op = DISK_FLUSH};
	blk_submit(b, s);
	return -1;
}

static int blk_get_id(struct blk *b, struct blk_slot *s)
{
	if (!span_put(&s->c.to_driver, b->id, sizeof(b->id)))
		return VIRTIO_BLK_S_IOERR;
	s->in_len = sizeof(b->id);
	return VIRTIO_BLK_S_OK;
}

/* ---- discard and write zeroes ---- */

static int blk_check_seg(const struct blk *b, uint32_t type,
			 const struct virtio_blk_discard_write_zeroes *seg)
{
	bool discard = type == VIRTIO_BLK_T_DISCARD;
	uint32_t block = b->disk->block / DISK_SECTOR;

	if (seg->flags & (discard ? ~0U : ~(uint32_t)VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP))
		return VIRTIO_BLK_S_UNSUPP;
	if (seg->num_sectors > (discard ? BLK_DISCARD_SECTORS : BLK_ZERO_SECTORS) ||
	    !blk_range_ok(b, seg->sector, seg->num_sectors) || seg->sector % block ||
	    seg->num_sectors % block)
		return VIRTIO_BLK_S_IOERR;
	return VIRTIO_BLK_S_OK;
}

static bool blk_next_range(struct blk *b, struct blk_slot *s)
{
	while (s->next < s->nseg) {
		const struct virtio_blk_discard_write_zeroes *seg = &s->seg[s->next++];

		if (!seg->num_sectors)
			continue;
		s->io = (struct disk_req){.op = s->io.op,
					  .off = seg->sector * DISK_SECTOR,
					  .len = (uint64_t)seg->num_sectors * DISK_SECTOR,
					  .unmap = seg->flags,
					  .durable = blk_durable(b)};
		blk_submit(b, s);
		return true;
	}
	return false;
}

static int blk_start_ranges(struct blk *b, struct blk_slot *s, uint32_t type)
{
	bool discard = type == VIRTIO_BLK_T_DISCARD;
	size_t n = s->c.from_driver.len / sizeof(s->seg[0]);

	if (b->disk->readonly)
		return VIRTIO_BLK_S_IOERR;
	if (!blk_has(b, discard ? VIRTIO_BLK_F_DISCARD : VIRTIO_BLK_F_WRITE_ZEROES))
		return VIRTIO_BLK_S_UNSUPP;
	if (n == 0 || n > (discard ? BLK_DISCARD_SEGS : BLK_ZERO_SEGS) ||
	    s->c.from_driver.len % sizeof(s->seg[0]) ||
	    !span_get(&s->c.from_driver, s->seg, n * sizeof(s->seg[0])))
		return VIRTIO_BLK_S_IOERR;
	for (size_t i = 0; i < n; i++) {
		int status = blk_check_seg(b, type, &s->seg[i]);

		if (status != VIRTIO_BLK_S_OK)
			return status;
	}
	s->nseg = (uint8_t)n;
	s->io = (struct disk_req){.op = discard ? DISK_DISCARD : DISK_ZERO};
	return blk_next_range(b, s) ? -1 : VIRTIO_BLK_S_OK;
}

bool blk_request_next(struct blk *b, struct blk_slot *s)
{
	if (b->rate.limited)
		rate_settle(&b->rate, s->price, s->io.moved);
	return blk_next_range(b, s);
}

int blk_request_start(struct blk *b, struct blk_slot *s)
{
	struct virtio_blk_outhdr hdr; /* 5.2.6: read once, here */

	s->in_len = s->out_len = 0;
	s->nseg = s->next = 0;
	s->status = span_split_tail(&s->c.to_driver, 1);
	if (!s->status)
		return -EPROTO;
	rate_spend(&b->rate, 1, 0);
	if (!span_get(&s->c.from_driver, &hdr, sizeof(hdr)))
		return VIRTIO_BLK_S_IOERR;
	switch (hdr.type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
		return blk_start_io(b, s, hdr.type, hdr.sector);
	case VIRTIO_BLK_T_FLUSH:
		return blk_start_flush(b, s);
	case VIRTIO_BLK_T_GET_ID:
		return blk_get_id(b, s);
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return blk_start_ranges(b, s, hdr.type);
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
}

/* Only the loop's thread changes it */
uint64_t blk_size(const struct virtio_dev *v)
{
	const struct disk *d = blk_disk(v);

	return d ? d->size : 0;
}
