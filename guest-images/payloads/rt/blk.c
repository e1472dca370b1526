/* SPDX-License-Identifier: Apache-2.0 */
/* blk - see blk.h. */
#include "guest-images/payloads/rt/blk.h"

#define BIT(n) (UINT64_C(1) << (n))

bool blk_revive(struct blk *b)
{
	if (!vio_begin(&b->v, BIT(VIRTIO_RING_F_EVENT_IDX) |
				      BIT(VIRTIO_RING_F_INDIRECT_DESC) |
				      BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_BLK_F_RO) |
				      BIT(VIRTIO_BLK_F_DISCARD) |
				      BIT(VIRTIO_BLK_F_WRITE_ZEROES)))
		return false;
	if (!vq_init(&b->q, &b->v, 0, BLK_QUEUE))
		return false;
	b->readonly = b->v.features & BIT(VIRTIO_BLK_F_RO);
	b->sectors = vio_config64(&b->v, 0);
	vio_driver_ok(&b->v);
	return true;
}

bool blk_open(struct blk *b, unsigned int nth)
{
	memset(b, 0, sizeof(*b));
	return vio_find(&b->v, VIRTIO_ID_BLOCK, nth) && blk_revive(b);
}

int blk_rw(struct blk *b, uint32_t type, uint64_t sector, void *p, uint32_t len)
{
	bool fills = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
	struct vbuf v[3] = {{&b->req.hdr, sizeof(b->req.hdr), false}};
	unsigned int n = 1;

	b->req = (struct blk_request){.hdr = {.type = type, .sector = sector},
				      .status = 0xff};
	if (p)
		v[n++] = (struct vbuf){p, len, fills};
	v[n++] = (struct vbuf){&b->req.status, 1, true};
	if (!vq_request(&b->q, v, n, NULL))
		return -1;
	return *(volatile uint8_t *)&b->req.status;
}
