/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blk - virtio block device (virtio 1.2, 5.2) on a disk.
 *
 * A kick pops every chain of its queue first, then starts them together. Each chain lives in a
 * slot until the disk is done with it; there is a slot for every queue entry, so nothing is
 * allocated. Without tokens (rate.h), chains stay in their rings.
 */
#include "devices/virtio/blk.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/virtio/devices.h"
#include "vmm/core/limits.h"
#include "vmm/core/log.h"

/* ---- the queues ---- */

static void blk_slot_put(struct blk *b, struct blk_slot *s)
{
	b->free[b->nfree++] = s;
}

static void blk_finish(struct blk *b, struct blk_slot *s, int status)
{
	uint32_t len = status == VIRTIO_BLK_S_OK ? s->in_len : 0;

	if (status == VIRTIO_BLK_S_OK) {
		b->v.dev->io.read_bytes += s->in_len;
		b->v.dev->io.written_bytes += s->out_len;
	}
	b->v.dev->io.requests++;
	*(volatile uint8_t *)s->status = (uint8_t)status;
	virtq_push(&b->vq[s->qi], s->c.head, len + 1);
	blk_slot_put(b, s);
}

static void blk_take(struct blk *b, unsigned int qi)
{
	struct virtq *q = &b->vq[qi];

	for (;;) {
		struct blk_slot *s = b->free[b->nfree - 1];
		int status;

		if (virtq_pending(q) && !rate_ready(&b->rate))
			break;
		if (!virtio_pop(&b->v, q, &s->c))
			break;
		b->nfree--;
		s->qi = (uint16_t)qi;
		status = blk_request_start(b, s);
		if (status >= 0)
			blk_finish(b, s, status);
		if (status == -EPROTO) {
			blk_slot_put(b, s);
			virtio_broken(&b->v, "request without a status byte");
			break;
		}
	}
}

static void blk_kick(struct virtio_dev *v, unsigned int qi)
{
	struct blk *b = blk_of(v);

	blk_take(b, qi);
	disk_commit(b->disk);
	virtio_notify(v, &b->vq[qi]);
}

/* There are tokens again. The queues take turns at being first. */
static void blk_go_on(struct rate *r)
{
	struct blk *b = container_of(r, struct blk, rate);
	unsigned int first = b->turn++ % b->v.nvq;

	for (unsigned int i = 0; i < b->v.nvq; i++) {
		unsigned int qi = (first + i) % b->v.nvq;

		if (b->v.active && b->vq[qi].desc_p)
			blk_kick(&b->v, qi);
	}
}

/* The guest handles an error of the host; but only the operator can act on one that a limit of
 * our process causes.
 */
static int blk_status(struct blk *b, int result)
{
	const char *cure = result < 0 ? limits_cure(-result) : NULL;

	if (cure && !b->told)
		log_warn("%s: the host refuses a write: %s; %s", b->v.name,
			 strerror(-result), cure);
	b->told |= cure != NULL;
	return result ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

/* A device that is broken or being reset has slots to free, and no queue to tell. */
static void blk_done(void *ctx, struct disk_req *list)
{
	struct blk *b = ctx;
	uint64_t touched = 0;
	bool more = false;

	while (list) {
		struct blk_slot *s = container_of(list, struct blk_slot, io);

		list = list->next;
		if (!b->v.active) {
			blk_slot_put(b, s);
		} else if (s->io.result == 0 && blk_request_next(b, s)) {
			more = true;
		} else {
			touched |= 1ULL << s->qi;
			blk_finish(b, s, blk_status(b, s->io.result));
		}
	}
	if (more)
		disk_commit(b->disk);
	for (unsigned int qi = 0; touched; qi++, touched >>= 1)
		if (touched & 1)
			virtio_notify(&b->v, &b->vq[qi]);
}

/* ---- config space ---- */

/* The driver may write "wce", and nothing else that lies before it (5.2.4). */
static void blk_config_written(struct virtio_dev *v, unsigned int off, unsigned int len)
{
	struct blk *b = blk_of(v);
	const unsigned int wce = offsetof(struct virtio_blk_config, wce);

	if ((v->acked & (1ULL << VIRTIO_BLK_F_CONFIG_WCE)) && off <= wce &&
	    wce < off + len)
		b->truth.wce = b->config.wce != 0;
	b->config = b->truth;
}

static void blk_configure_ranges(struct blk *b)
{
	const struct disk *d = b->disk;

	if (d->readonly)
		return;
	b->v.offered |= 1ULL << VIRTIO_BLK_F_WRITE_ZEROES;
	b->truth.max_write_zeroes_sectors = BLK_ZERO_SECTORS;
	b->truth.max_write_zeroes_seg = BLK_ZERO_SEGS;
	b->truth.write_zeroes_may_unmap = d->can_discard;
	if (!d->can_discard)
		return;
	b->v.offered |= 1ULL << VIRTIO_BLK_F_DISCARD;
	b->truth.max_discard_sectors = BLK_DISCARD_SECTORS;
	b->truth.max_discard_seg = BLK_DISCARD_SEGS;
	b->truth.discard_sector_alignment = d->discard_align / DISK_SECTOR;
}

/* 5.2.4; block sizes in bytes, the others in logical blocks */
static void blk_configure(struct blk *b, const struct config_disk *c)
{
	const struct disk *d = b->disk;
	uint32_t ratio = d->physical / d->block;

	b->writeback = c->cache == CACHE_WRITEBACK;
	b->truth = (struct virtio_blk_config){
		.capacity = d->size / DISK_SECTOR,
		.size_max = BLK_SIZE_MAX,
		.seg_max = BLK_SEG_MAX,
		.blk_size = d->block,
		.physical_block_exp = (uint8_t)__builtin_ctz(ratio),
		.alignment_offset = (uint8_t)((d->block_off / d->block) % ratio),
		.min_io_size = (uint16_t)MIN(d->io_min / d->block, UINT16_MAX),
		.opt_io_size = d->io_opt / d->block,
		.wce = b->writeback,
		.num_queues = (uint16_t)b->v.nvq,
	};
	b->v.offered = 1ULL << VIRTIO_BLK_F_SIZE_MAX | 1ULL << VIRTIO_BLK_F_SEG_MAX |
		       1ULL << VIRTIO_BLK_F_BLK_SIZE | 1ULL << VIRTIO_BLK_F_TOPOLOGY |
		       1ULL << VIRTIO_BLK_F_FLUSH | 1ULL << VIRTIO_BLK_F_CONFIG_WCE;
	if (b->v.nvq > 1)
		b->v.offered |= 1ULL << VIRTIO_BLK_F_MQ;
	if (d->readonly)
		b->v.offered |= 1ULL << VIRTIO_BLK_F_RO;
	blk_configure_ranges(b);
	b->config = b->truth;
}

/* ---- life ---- */

static int blk_arm(struct virtio_dev *v, struct err *e)
{
	struct blk *b = blk_of(v);
	int rc = rate_start(&b->rate, v->dev);

	if (rc < 0)
		return err_set(e, -rc, "%s: no timer for its limits: %s", v->name,
			       strerror(-rc));
	rc = disk_start(b->disk, v->env->pool, v->dev, blk_done, b);
	return rc < 0 ? err_set(e, -rc, "%s: disk %s cannot be started: %s", v->name,
				b->disk->path, strerror(-rc))
		      : 0;
}

static int blk_activate(struct virtio_dev *v)
{
	struct blk *b = blk_of(v);

	b->disk->had = true;
	v->dev->engine = b->disk->how;
	return 0;
}

static void blk_reset(struct virtio_dev *v)
{
	struct blk *b = blk_of(v);

	rate_stop(&b->rate);
	disk_cancel(b->disk);
	b->truth.wce = b->config.wce = b->writeback;
}

/* The disk has every slot that is in use. The kicks of wake() find chains that wait for tokens */
static bool blk_rest(struct virtio_dev *v)
{
	struct blk *b = blk_of(v);

	rate_stop(&b->rate);
	return disk_rest(b->disk);
}

/* A reset takes back neither tokens nor a failed flush */
static void blk_state(struct virtio_dev *v, struct state *s)
{
	struct blk *b = blk_of(v);
	struct rate_bucket bytes = b->rate.bytes, ops = b->rate.ops;
	uint64_t now = monotonic_ns();
	bool wce = b->truth.wce, failed;

	state_begin(s, "disk", 1);
	state_same_bytes(s, b->id, (uint32_t)strnlen(b->id, sizeof(b->id)),
			 "serial number");
	disk_state(b->disk, s, &failed);
	state_bool(s, &wce);
	rate_bucket_state(&bytes, s, now);
	rate_bucket_state(&ops, s, now);
	state_end(s);
	if (!state_loaded(s))
		return;
	b->rate.bytes = bytes;
	b->rate.ops = ops;
	b->truth.wce = wce;
	b->config = b->truth;
	if (failed)
		disk_fail_flushes(b->disk);
}

static void blk_destroy(struct virtio_dev *v)
{
	struct blk *b = blk_of(v);

	rate_fini(&b->rate);
	disk_close(b->disk);
	free(b->slot);
	free(b->free);
	free(b);
}

static const struct virtio_ops blk_ops = {
	.arm = blk_arm,
	.activate = blk_activate,
	.kick = blk_kick,
	.config_written = blk_config_written,
	.reset = blk_reset,
	.rest = blk_rest,
	.wake = virtio_nop_wake,
	.state = blk_state,
	.destroy = blk_destroy,
};

/* dev->lock held */
static void blk_look(struct virtio_dev *v)
{
	struct blk *b = blk_of(v);

	if (!disk_look_again(b->disk))
		return;
	b->truth.capacity = b->disk->size / DISK_SECTOR;
	b->config = b->truth;
	virtio_config_changed(v);
}

void blk_look_again(struct virtio_dev *v)
{
	/* one that another process serves may hold its lock for seconds */
	if (v->ops != &blk_ops)
		return;
	if (!device_lock_soon(v->dev))
		return;
	blk_look(v);
	pthread_mutex_unlock(&v->dev->lock);
}

int blk_resize(struct virtio_dev *v, uint64_t size, uint64_t *now, struct err *e)
{
	int rc = 0;

	if (v->ops != &blk_ops)
		return err_set(e, ENOTSUP,
			       "another process serves it; ask that for another size");
	if (!device_lock_soon(v->dev))
		return err_set(e, EBUSY, "it waits for the host; try again later");
	if (size)
		rc = disk_grow(blk_of(v)->disk, size, e);
	else if (!disk_may_change(blk_of(v)->disk))
		rc = err_set(e, ENOTSUP,
			     "an overlay fits only the base that it was begun on");
	if (rc == 0)
		blk_look(v);
	*now = blk_of(v)->disk->size;
	pthread_mutex_unlock(&v->dev->lock);
	return rc;
}

struct disk *blk_disk(const struct virtio_dev *v)
{
	return v->ops == &blk_ops ? container_of(v, const struct blk, v)->disk : NULL;
}

/* 5.2.6: 20 bytes, padded with NUL, and no NUL when all are used */
static void blk_name(struct blk *b, const struct config_disk *c, unsigned int i)
{
	char id[sizeof(b->id) + 1];

	snprintf(b->v.name, sizeof(b->v.name), "%s", c->id);
	if (c->serial)
		snprintf(id, sizeof(id), "%s", c->serial);
	else
		snprintf(id, sizeof(id), "microvm-blk%u", i);
	memcpy(b->id, id, strnlen(id, sizeof(b->id)));
}

static int blk_init(struct blk *b, const struct virtio_env *env)
{
	unsigned int nvq = MIN(MAX(env->cfg->ncpu, 1U), (unsigned int)BLK_QUEUES_MAX);
	size_t nslot = (size_t)nvq * BLK_QUEUE + 1;

	b->slot = calloc(nslot, sizeof(*b->slot));
	b->free = calloc(nslot, sizeof(struct blk_slot *));
	if (!b->slot || !b->free)
		return -ENOMEM;
	b->v = (struct virtio_dev){.ops = &blk_ops,
				   .env = env,
				   .id = VIRTIO_ID_BLOCK,
				   .vq = b->vq,
				   .nvq = nvq,
				   .polled = true,
				   .config = &b->config,
				   .config_len = sizeof(b->config)};
	b->v.config_writable = offsetof(struct virtio_blk_config, wce) + 1;
	for (unsigned int qi = 0; qi < nvq; qi++)
		virtq_init(&b->vq[qi], BLK_QUEUE);
	/* the first ones are used first */
	for (size_t n = nslot; n > 0; n--)
		blk_slot_put(b, &b->slot[n - 1]);
	return 0;
}

struct virtio_dev *blk_create(const struct virtio_env *env, unsigned int i, struct err *e)
{
	const struct config_disk *c = &env->cfg->disk[i];
	struct disk *d = disk_create(env->cfg, i, env->ring, e);
	struct blk *b;

	if (!d)
		return NULL;
	b = calloc(1, sizeof(*b));
	if (!b || blk_init(b, env) < 0) {
		err_set(e, ENOMEM, "disk %s: out of memory", c->path);
		disk_close(d);
		if (b) {
			free(b->slot);
			free(b->free);
		}
		free(b);
		return NULL;
	}
	b->disk = d;
	rate_init(&b->rate, &c->rate, env->loop, blk_go_on);
	blk_name(b, c, i);
	blk_configure(b, c);
	return &b->v;
}
