/* SPDX-License-Identifier: Apache-2.0 */
/* overlay_price - how many bytes the host will move for a request to an overlay. */
#include "devices/backend/overlay.h"

#include "vmm/core/util.h"

/* @len bytes at @off, within a cluster or whole clusters that are in one place */
static uint64_t price_piece(const struct overlay *ov, const struct disk_req *r,
			    uint64_t off, uint64_t len)
{
	bool zero = r->op == DISK_ZERO || r->op == DISK_DISCARD;
	struct disk_req piece = {.op = zero ? DISK_ZERO : r->op,
				 .unmap = r->unmap || r->op == DISK_DISCARD,
				 .off = ov->head.data + off,
				 .len = len};

	return disk_price(ov->top, &piece);
}

/* A part of the cluster at @off: if the base has it, it is read and written whole */
static uint64_t price_part(const struct overlay *ov, const struct disk_req *r,
			   uint64_t off, uint64_t len)
{
	uint64_t c = off / OVERLAY_CLUSTER;
	bool in_top;

	(void)overlay_map_run(&ov->map, c, 1, &in_top);
	if (in_top)
		return price_piece(ov, r, off, len);
	return 2 * MIN(OVERLAY_CLUSTER, ov->base->size - c * OVERLAY_CLUSTER);
}

uint64_t overlay_price(const struct disk *d, const struct disk_req *r)
{
	const struct overlay *ov = d->engine;
	uint64_t off = r->off, end = r->off + r->len, sum = 0, whole, n;

	if (r->op == DISK_READ || r->op == DISK_FLUSH)
		return r->op == DISK_READ ? r->len : 0;
	if (off % OVERLAY_CLUSTER && off < end) {
		n = MIN(end, ALIGN_UP(off, OVERLAY_CLUSTER)) - off;
		sum += price_part(ov, r, off, n);
		off += n;
	}
	whole = end == ov->base->size ? end : ALIGN_DOWN(end, OVERLAY_CLUSTER);
	if (off < whole) {
		sum += price_piece(ov, r, off, whole - off);
		off = whole;
	}
	return off < end ? sum + price_part(ov, r, off, end - off) : sum;
}
