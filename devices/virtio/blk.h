/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blk - what the block device's files share: blk.c (queues, life) and blk_req.c (one request,
 * virtio 1.2, 5.2.6).
 */
#ifndef MICROVM_VIRTIO_BLK_H
#define MICROVM_VIRTIO_BLK_H

#include <linux/virtio_blk.h>

#include "devices/backend/disk.h"
#include "devices/virtio/virtio.h"
#include "vmm/core/rate.h"
#include "vmm/core/util.h"

#define BLK_QUEUE      128
#define BLK_QUEUES_MAX 16 /* one loop thread serves them all: more would not help */
#define BLK_SEG_MAX    (BLK_QUEUE - 2) /* a header and a status byte go with the data */
#define BLK_SIZE_MAX   (256 * KIB)     /* of one segment */
#define BLK_BYTES_MAX \
	(BLK_SEG_MAX * BLK_SIZE_MAX) /* of a request: bounds a reset's wait */
/* Ranges to discard or zero. A discard costs the host little whatever its length; zeroes may have
 * to be written
 */
#define BLK_DISCARD_SEGS    16
#define BLK_DISCARD_SECTORS (2 * GIB / DISK_SECTOR)
#define BLK_ZERO_SEGS       1
#define BLK_ZERO_SECTORS    (32 * MIB / DISK_SECTOR)

struct blk_slot {
	struct disk_req io;
	uint8_t *status;
	uint32_t in_len; /* the driver's length on success, without the status byte */
	uint32_t out_len;
	uint64_t price;     /* bytes that @io was charged when it began */
	uint16_t qi;        /* whose chain @c is */
	uint8_t nseg, next; /* ranges of a discard, and the first that has not begun */
	struct virtio_blk_discard_write_zeroes seg[BLK_DISCARD_SEGS];
	struct virtq_chain c;
};

struct blk {
	struct virtio_dev v;
	struct virtq vq[BLK_QUEUES_MAX];
	struct virtio_blk_config config; /* what the driver sees, and may overwrite */
	struct virtio_blk_config truth;
	bool writeback; /* at reset */
	char id[VIRTIO_BLK_ID_BYTES];
	struct disk *disk;
	struct rate rate;
	unsigned int turn; /* the queue that goes first when there are tokens again */
	/* one a queue entry, and one to find a ring empty with; free ones are a stack, so that
	 * unneeded ones stay untouched
	 */
	struct blk_slot *slot;
	struct blk_slot **free;
	unsigned int nfree;
	bool told; /* the operator knows that a process limit stops the guest's writes */
};

static inline struct blk *blk_of(struct virtio_dev *v)
{
	return container_of(v, struct blk, v);
}

/* blk_request_start() - begin what chain s->c asks for, which costs tokens.
 * Return: a status: it is done; -1: the disk has it; -EPROTO: no byte for a status
 */
int blk_request_start(struct blk *b, struct blk_slot *s);
/* blk_request_next() - s->io succeeded, and its charge has been corrected.
 * Return: the disk has more of @s now
 */
bool blk_request_next(struct blk *b, struct blk_slot *s);

#endif
