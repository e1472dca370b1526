/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk_sector - small blocks on a disk that has large ones. disk_sector_piece.c takes requests
 * apart.
 *
 * All under dev->lock. sector_pump() is the only place that commits.
 */
#include "devices/backend/disk_sector.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/backend/disk_sector_impl.h"
#include "vmm/core/util.h"

static void sector_retry(struct disk_sector *en)
{
	struct sector_op *op = en->blocked, *next;

	en->retry = false;
	en->blocked = NULL;
	for (; op; op = next) {
		next = op->next;
		sector_next(en, op);
	}
	while (en->free && en->waiting.n) {
		op = en->free;
		en->free = op->next;
		en->nbusy++;
		op->r = disk_list_pop(&en->waiting);
		op->moved = 0;
		sector_next(en, op);
	}
}

static void sector_pump(struct disk_sector *en)
{
	struct disk_req *list;

	if (en->pumping)
		return;
	en->pumping = true;
	do {
		sector_retry(en);
		en->staged = false;
		if (!en->cancelling)
			disk_commit(en->under);
	} while (en->staged || en->retry);
	en->pumping = false;
	list = en->finished.head;
	en->finished = (struct disk_list){0};
	if (list)
		en->done(en->ctx, list);
}

/* A flush is the guest's own request, all others are an op's */
static void sector_done(void *ctx, struct disk_req *list)
{
	struct disk_sector *en = ctx;

	while (list) {
		struct disk_req *io = list;

		list = list->next;
		if (io->op == DISK_FLUSH)
			disk_list_add(&en->finished, io);
		else
			sector_piece_done(en, container_of(io, struct sector_op, io));
	}
	en->retry = true;
	sector_pump(en);
}

static void sector_submit(struct disk *d, struct disk_req *r)
{
	struct disk_sector *en = d->engine;

	if (r->op == DISK_FLUSH)
		sector_send(en, r);
	else
		disk_list_add(&en->waiting, r);
}

static uint64_t sector_price(const struct disk *d, const struct disk_req *r)
{
	const struct disk *under = d->under;
	uint64_t block = under->block, off = ALIGN_UP(r->off, block);
	uint64_t end = r->off + r->len, parts = r->off % block != 0;
	struct disk_req whole = {.op = r->op, .unmap = r->unmap, .off = off};
	uint64_t part = r->op == DISK_READ ? block : 2 * block;

	if (r->op == DISK_FLUSH || !r->len)
		return 0;
	if (end > off) {
		whole.len = ALIGN_DOWN(end - off, block);
		parts += end % block != 0;
	}
	if (r->op == DISK_DISCARD)
		part = 0;
	return parts * part + (whole.len ? disk_price(under, &whole) : 0);
}

static void sector_commit(struct disk *d)
{
	sector_pump(d->engine);
}

static bool sector_rest(struct disk *d)
{
	const struct disk_sector *en = d->engine;

	if (en->nbusy || en->waiting.n || !disk_rest(en->under))
		return false;
	d->unsaved = en->under->unsaved;
	return true;
}

static bool sector_flush_failed(struct disk *d, bool fail)
{
	return d->under->ops->flush_failed(d->under, fail);
}

/* Requests under way end through sector_done(), which begins nothing new. */
static void sector_cancel(struct disk *d)
{
	struct disk_sector *en = d->engine;

	en->cancelling = true;
	disk_cancel(en->under);
	sector_pump(en);
	en->cancelling = false;
}

static int sector_alloc(struct disk_sector *en)
{
	if (en->bounces)
		return 0;
	en->bounces = aligned_alloc(MAX(en->under->block, (uint32_t)PAGE_SIZE),
				    (size_t)SECTOR_OPS *
					    MAX(en->under->block, (uint32_t)PAGE_SIZE));
	if (!en->bounces)
		return -ENOMEM;
	for (unsigned int i = SECTOR_OPS; i > 0; i--) {
		struct sector_op *op = &en->op[i - 1];

		op->bounce = en->bounces + (size_t)(i - 1) * en->under->block;
		op->next = en->free;
		en->free = op;
	}
	return 0;
}

static int sector_use_ring(struct disk *d, struct ring *ring, disk_engine_fn make)
{
	return d->under->ops->use_ring(d->under, ring, make);
}

static int sector_start(struct disk *d, struct work_pool *pool, struct device *dev,
			disk_done_fn done, void *ctx)
{
	struct disk_sector *en = d->engine;
	int rc = sector_alloc(en);

	en->done = done;
	en->ctx = ctx;
	if (rc == 0)
		rc = disk_start(en->under, pool, dev, sector_done, en);
	d->how = en->under->how;
	return rc;
}

static void sector_destroy(struct disk *d)
{
	struct disk_sector *en = d->engine;

	d->under->had = d->had;
	disk_close(d->under);
	free(en->bounces);
	free(en);
}

static const struct disk_engine_ops sector_ops = {
	.use_ring = sector_use_ring,
	.start = sector_start,
	.submit = sector_submit,
	.price = sector_price,
	.commit = sector_commit,
	.rest = sector_rest,
	.flush_failed = sector_flush_failed,
	.cancel = sector_cancel,
	.destroy = sector_destroy,
};

struct disk *disk_sector_create(struct disk *under, uint32_t block, struct err *e)
{
	struct disk_sector *en = calloc(1, sizeof(*en));
	struct disk *d = calloc(1, sizeof(*d));
	char *path = strdup(under->path);

	if (!en || !d || !path) {
		err_set(e, ENOMEM, "disk %s: out of memory", under->path);
		free(en);
		free(d);
		free(path);
		disk_close(under);
		return NULL;
	}
	en->under = under;
	*d = *under;
	d->path = path;
	d->fd = -1;
	d->block = block;
	d->under = under;
	d->engine = en;
	d->ops = &sector_ops;
	return d;
}
