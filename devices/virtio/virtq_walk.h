/* SPDX-License-Identifier: Apache-2.0 */
/* virtq_walk - a chain's descriptors, each read once; for devices/virtio/virtq.c only. */
#ifndef MICROVM_VIRTIO_VIRTQ_WALK_H
#define MICROVM_VIRTIO_VIRTQ_WALK_H

#include <errno.h>

#include "devices/virtio/virtq.h"

#define VIRTQ_DESC_LEN 16 /* virtio 1.2, 2.7.5 */

/* virtq_lie() - the driver broke the ring; @why is a constant */
static inline int virtq_lie(struct virtq *q, const char *why)
{
	q->why = why;
	return -EPROTO;
}

/* virtq_walk() - the chain that begins with descriptor @head < q->size, into @c; @q is mapped.
 * Return: 0 or virtq_lie()
 */
int virtq_walk(struct virtq *q, uint16_t head, struct virtq_chain *c);

#endif
