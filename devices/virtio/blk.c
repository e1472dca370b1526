// SPDX-License-Identifier: Apache-2.0
/*
 * blk - virtio block device (virtio 1.2, 5.2) on a disk.
 *
 * A kick pops every chain first, then starts them together.  Each chain lives in a slot
 * until the disk is done with it; there is a slot for every queue entry, so nothing is
 * allocated.
 */
#include "devices/virtio/devices.h"

#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/backend/disk.h"
#include "vmm/core/util.h"

#define BLK_QUEUE    128
#define BLK_SLOTS    (BLK_QUEUE + 1) /* one to find the ring empty with */
#define BLK_SEG_MAX  (BLK_QUEUE - 2) /* a header and a status byte go with the data */
#define BLK_SIZE_MAX (256 * KIB)     /* of one segment */
#define BLK_BYTES_MAX \
	(BLK_SEG_MAX * BLK_SIZE_MAX) /* of a request: bounds a reset's wait */

struct blk_slot {
	struct disk_req io;
	uint8_t *status;
	uint32_t in_len; /* what the driver gets on success, without the status byte */
	uint32_t out_len;
	struct virtq_chain c;
};

struct blk {
	struct virtio_dev v;
	struct virtq vq;
	struct virtio_blk_config config;
	char id[VIRTIO_BLK_ID_BYTES];
	struct disk *disk;
	struct blk_slot *slot;
	struct blk_slot *free[BLK_SLOTS]; /* a stack: slots not needed stay untouched */
	unsigned int nfree;
};

static struct blk *blk_of(struct virtio_dev *v)
{
	return container_of(v, struct blk, v);
}

/* ---- one request ---- */

static void blk_slot_put(struct blk *b, struct blk_slot *s)
{
	b->free[b->nfree++] = s;
}

static void blk_finish(struct blk *b, struct blk_slot *s, uint8_t status)
{
	uint32_t len = status == VIRTIO_BLK_S_OK ? s->in_len : 0;

	if (status == VIRTIO_BLK_S_OK) {
		b->v.dev->io.read_bytes += s->in_len;
		b->v.dev->io.written_bytes += s->out_len;
	}
	b->v.dev->io.requests++;
	*(volatile uint8_t *)s->status = status;
	virtq_push(&b->vq, s->c.head, len + 1);
	blk_slot_put(b, s);
}

/* Is [@sector, + @len bytes) on the disk, in whole sectors, and no more than we said? */
static bool blk_range_ok(const struct blk *b, uint64_t sector, size_t len)
{
	uint64_t n = len / DISK_SECTOR, capacity = b->disk->size / DISK_SECTOR;

	return len % DISK_SECTOR == 0 && len <= BLK_BYTES_MAX && sector <= capacity &&
	       n <= capacity - sector;
}

/* A read, write or flush for the disk.  Return: a status, or -1: the disk has it */
static int blk_start_io(struct blk *b, struct blk_slot *s, uint32_t type, uint64_t sector)
{
	struct span *data = type == VIRTIO_BLK_T_OUT ? &s->c.from_driver
						     : &s->c.to_driver;

	s->io = (struct disk_req){.op = DISK_FLUSH};
	if (type != VIRTIO_BLK_T_FLUSH) {
		if (!blk_range_ok(b, sector, data->len))
			return VIRTIO_BLK_S_IOERR;
		if (!data->len)
			return VIRTIO_BLK_S_OK;
		s->io.off = sector * DISK_SECTOR;
		s->io.iov = data->v;
		s->io.niov = data->n;
		s->io.len = data->len;
	}
	if (type == VIRTIO_BLK_T_IN) {
		s->io.op = DISK_READ;
		s->in_len = (uint32_t)data->len;
	} else if (type == VIRTIO_BLK_T_OUT) {
		if (b->disk->readonly)
			return VIRTIO_BLK_S_IOERR;
		s->io.op = DISK_WRITE;
		/* a driver that cannot flush takes writes for stable (5.2.6.2) */
		s->io.durable = !(b->v.acked & (1ULL << VIRTIO_BLK_F_FLUSH));
		s->out_len = (uint32_t)data->len;
	}
	disk_submit(b->disk, &s->io);
	return -1;
}

static int blk_get_id(struct blk *b, struct blk_slot *s)
{
	if (!span_put(&s->c.to_driver, b->id, sizeof(b->id)))
		return VIRTIO_BLK_S_IOERR;
	s->in_len = sizeof(b->id);
	return VIRTIO_BLK_S_OK;
}

/* Return: false, there is no byte to put a status in */
static bool blk_start(struct blk *b, struct blk_slot *s)
{
	struct virtio_blk_outhdr hdr; /* 5.2.6: read once, here */
	int status;

	s->in_len = s->out_len = 0;
	s->status = span_split_tail(&s->c.to_driver, 1);
	if (!s->status)
		return false;
	if (!span_get(&s->c.from_driver, &hdr, sizeof(hdr))) {
		blk_finish(b, s, VIRTIO_BLK_S_IOERR);
		return true;
	}
	switch (hdr.type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
	case VIRTIO_BLK_T_FLUSH:
		status = blk_start_io(b, s, hdr.type, hdr.sector);
		break;
	case VIRTIO_BLK_T_GET_ID:
		status = blk_get_id(b, s);
		break;
	default:
		status = VIRTIO_BLK_S_UNSUPP;
	}
	if (status >= 0)
		blk_finish(b, s, (uint8_t)status);
	return true;
}

/* ---- the queue ---- */

static void blk_kick(struct virtio_dev *v, unsigned int qi)
{
	struct blk *b = blk_of(v);

	(void)qi;
	for (;;) {
		struct blk_slot *s = b->free[b->nfree - 1];

		if (!virtio_pop(v, &b->vq, &s->c))
			break;
		b->nfree--;
		if (!blk_start(b, s)) {
			blk_slot_put(b, s);
			virtio_broken(v, "request without a status byte");
			break;
		}
	}
	disk_commit(b->disk);
	virtio_notify(v, &b->vq);
}

/* A device that is broken or being reset has slots to get back, and no queue to tell. */
static void blk_done(void *ctx, struct disk_req *list)
{
	struct blk *b = ctx;

	while (list) {
		struct blk_slot *s = container_of(list, struct blk_slot, io);

		list = list->next;
		if (b->v.active)
			blk_finish(b, s,
				   s->io.result ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK);
		else
			blk_slot_put(b, s);
	}
	virtio_notify(&b->v, &b->vq);
}

/* ---- life ---- */

static int blk_activate(struct virtio_dev *v)
{
	struct blk *b = blk_of(v);

	return disk_start(b->disk, v->env->pool, v->dev, blk_done, b);
}

static void blk_reset(struct virtio_dev *v)
{
	disk_cancel(blk_of(v)->disk);
}

static void blk_destroy(struct virtio_dev *v)
{
	struct blk *b = blk_of(v);

	disk_close(b->disk);
	free(b->slot);
	free(b);
}

static const struct virtio_ops blk_ops = {
	.activate = blk_activate,
	.kick = blk_kick,
	.config_written = virtio_nop_config_written,
	.reset = blk_reset,
	.state = virtio_nop_state,
	.destroy = blk_destroy,
};

/* 5.2.4; block sizes in bytes, the others in logical blocks */
static void blk_configure(struct blk *b)
{
	const struct disk *d = b->disk;
	uint32_t ratio = d->physical / d->block;

	b->config = (struct virtio_blk_config){
		.capacity = d->size / DISK_SECTOR,
		.size_max = BLK_SIZE_MAX,
		.seg_max = BLK_SEG_MAX,
		.blk_size = d->block,
		.physical_block_exp = (uint8_t)__builtin_ctz(ratio),
		.alignment_offset = (uint8_t)((d->block_off / d->block) % ratio),
		.min_io_size = (uint16_t)MIN(d->io_min / d->block, UINT16_MAX),
		.opt_io_size = d->io_opt / d->block,
	};
	b->v.offered = 1ULL << VIRTIO_BLK_F_SIZE_MAX | 1ULL << VIRTIO_BLK_F_SEG_MAX |
		       1ULL << VIRTIO_BLK_F_BLK_SIZE | 1ULL << VIRTIO_BLK_F_TOPOLOGY |
		       1ULL << VIRTIO_BLK_F_FLUSH;
	if (d->readonly)
		b->v.offered |= 1ULL << VIRTIO_BLK_F_RO;
}

/* 5.2.6: 20 bytes, padded with NUL, and no NUL when all are used */
static void blk_name(struct blk *b, const struct config_disk *c, unsigned int i)
{
	char id[sizeof(b->id) + 1];

	snprintf(b->v.name, sizeof(b->v.name), "blk%u", i);
	if (c->serial)
		snprintf(id, sizeof(id), "%s", c->serial);
	else
		snprintf(id, sizeof(id), "microvm-blk%u", i);
	memcpy(b->id, id, strnlen(id, sizeof(b->id)));
}

struct virtio_dev *blk_create(const struct virtio_env *env, unsigned int i, struct err *e)
{
	struct disk *d = disk_open(env->cfg, i, e);
	struct blk *b;

	if (!d)
		return NULL;
	b = calloc(1, sizeof(*b));
	if (!b)
		goto fail;
	b->slot = calloc(BLK_SLOTS, sizeof(*b->slot));
	if (!b->slot)
		goto fail;
	b->disk = d;
	b->v.ops = &blk_ops;
	b->v.env = env;
	b->v.id = VIRTIO_ID_BLOCK;
	b->v.vq = &b->vq;
	b->v.nvq = 1;
	b->v.config = &b->config;
	b->v.config_len = sizeof(b->config);
	virtq_init(&b->vq, BLK_QUEUE);
	blk_name(b, &env->cfg->disk[i], i);
	blk_configure(b);
	/* the first ones are used first */
	for (unsigned int n = BLK_SLOTS; n > 0; n--)
		blk_slot_put(b, &b->slot[n - 1]);
	return &b->v;
fail:
	err_set(e, ENOMEM, "disk %s: out of memory", env->cfg->disk[i].path);
	free(b);
	disk_close(d);
	return NULL;
}
