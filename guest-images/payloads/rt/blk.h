/* SPDX-License-Identifier: Apache-2.0 */
/* blk - a virtio-blk driver, as small as it goes; shared by blk, hostile-* and exits. */
#ifndef PAYLOAD_BLK_H
#define PAYLOAD_BLK_H

#include <linux/virtio_blk.h>

#include "guest-images/payloads/rt/virtio.h"

#define BLK_QUEUE  128
#define BLK_SECTOR 512

struct blk_request {
	struct virtio_blk_outhdr hdr;
	uint8_t status;
};

struct blk {
	struct vio v;
	struct vq q;
	uint64_t sectors;
	bool readonly;
	struct blk_request req; /* blk_rw()'s */
};

/* blk_open() - disk @nth, up to DRIVER_OK.  Return: false if there is none or it refuses */
bool blk_open(struct blk *b, unsigned int nth);
/* blk_revive() - reset it and bring it up again, after whatever was done to it */
bool blk_revive(struct blk *b);
/* blk_rw() - one request, waited for.  @type VIRTIO_BLK_T_*, @p NULL for a FLUSH.
 * Return: the status byte, or -1 if it does not come back
 */
int blk_rw(struct blk *b, uint32_t type, uint64_t sector, void *p, uint32_t len);

#endif
