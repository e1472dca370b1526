/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay - the engine: what is under way, what waits, and its end.
 *
 * overlay_pump() is the only place that commits, so that a disk which answers at once makes a
 * loop, not a recursion.
 */
#include "devices/backend/overlay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/outside.h"
#include "vmm/core/util.h"

void overlay_send(struct overlay *ov, struct disk *to, struct disk_req *io)
{
	disk_submit(to, io);
	ov->staged = true;
}

void overlay_finish(struct overlay *ov, struct disk_req *r, int result)
{
	r->result = result;
	if (r != &ov->flush.own)
		disk_list_add(&ov->finished, r);
}

static void overlay_retry(struct overlay *ov)
{
	struct overlay_op *op = ov->blocked, *next;

	ov->retry = false;
	ov->blocked = NULL;
	for (; op; op = next) {
		next = op->next;
		overlay_next(ov, op);
	}
	while (ov->free && ov->waiting.n) {
		op = ov->free;
		ov->free = op->next;
		ov->nbusy++;
		op->r = disk_list_pop(&ov->waiting);
		op->moved = 0;
		overlay_next(ov, op);
	}
	overlay_flush_begin(ov);
}

static void overlay_pump(struct overlay *ov)
{
	struct disk_req *list;

	if (ov->pumping)
		return;
	ov->pumping = true;
	do {
		overlay_retry(ov);
		ov->staged = false;
		if (!ov->cancelling) {
			disk_commit(ov->base);
			disk_commit(ov->top);
		}
	} while (ov->staged || ov->retry);
	ov->pumping = false;
	list = ov->finished.head;
	ov->finished = (struct disk_list){0};
	if (list)
		ov->done(ov->ctx, list);
}

static void overlay_done(void *ctx, struct disk_req *list)
{
	struct overlay *ov = ctx;

	while (list) {
		struct disk_req *io = list;

		list = list->next;
		if (io == &ov->flush.io)
			overlay_flush_done(ov);
		else
			overlay_piece_done(ov, container_of(io, struct overlay_op, io));
	}
	ov->retry = true;
	overlay_pump(ov);
}

static void overlay_submit(struct disk *d, struct disk_req *r)
{
	struct overlay *ov = d->engine;

	disk_list_add(r->op == DISK_FLUSH ? &ov->flush.waiting : &ov->waiting, r);
}

static void overlay_commit(struct disk *d)
{
	overlay_pump(d->engine);
}

/* The bits are written last, when no request can change them any more */
static bool overlay_rest(struct disk *d)
{
	struct overlay *ov = d->engine;

	if (ov->nbusy || ov->waiting.n)
		return false;
	if (overlay_flush_own(ov))
		overlay_pump(ov);
	if (ov->flush.state != FLUSH_REST || ov->flush.waiting.n ||
	    !disk_rest(ov->base) || !disk_rest(ov->top))
		return false;
	ov->flush.tried = false;
	d->unsaved = !overlay_map_saved(&ov->map);
	return true;
}

static bool overlay_flush_failed(struct disk *d, bool fail)
{
	struct overlay *ov = d->engine;

	ov->flush.failed |= ov->top->ops->flush_failed(ov->top, fail);
	return ov->flush.failed;
}

static unsigned int overlay_files(const struct disk *d, const struct disk **at)
{
	const struct overlay *ov = d->engine;

	at[0] = ov->base;
	at[1] = ov->top;
	return 2;
}

static bool overlay_is_plain(const struct disk *d)
{
	const struct overlay *ov = d->engine;
	bool in_top;

	return overlay_map_run(&ov->map, 0, ov->map.clusters, &in_top) ==
		       ov->map.clusters &&
	       !in_top;
}

/* Requests under way end through overlay_done(), which begins nothing new. */
static void overlay_cancel(struct disk *d)
{
	struct overlay *ov = d->engine;
	struct disk_req *r;

	ov->cancelling = true;
	disk_cancel(ov->base);
	disk_cancel(ov->top);
	overlay_pump(ov);
	while ((r = disk_list_pop(&ov->flush.waiting)))
		overlay_finish(ov, r, -ECANCELED);
	overlay_pump(ov);
	ov->cancelling = false;
}

static int overlay_alloc(struct overlay *ov)
{
	if (ov->op)
		return 0;
	while (ov->nbounce < OVERLAY_BOUNCES) {
		uint8_t *p = aligned_alloc(PAGE_SIZE, OVERLAY_CLUSTER);

		if (!p)
			return -ENOMEM;
		ov->bounce[ov->nbounce++] = p;
	}
	ov->op = calloc(OVERLAY_OPS, sizeof(*ov->op));
	if (!ov->op)
		return -ENOMEM;
	for (unsigned int i = OVERLAY_OPS; i > 0; i--) {
		ov->op[i - 1].next = ov->free;
		ov->free = &ov->op[i - 1];
	}
	return 0;
}

static int overlay_use_ring(struct disk *d, struct ring *ring, disk_engine_fn make)
{
	const struct overlay *ov = d->engine;
	int rc = ov->base->ops->use_ring(ov->base, ring, make);

	return rc < 0 ? rc : ov->top->ops->use_ring(ov->top, ring, make);
}

static int overlay_start(struct disk *d, struct work_pool *pool, struct device *dev,
			 disk_done_fn done, void *ctx)
{
	struct overlay *ov = d->engine;
	int rc = overlay_alloc(ov);

	ov->done = done;
	ov->ctx = ctx;
	if (rc == 0)
		rc = disk_start(ov->base, pool, dev, overlay_done, ov);
	if (rc == 0)
		rc = disk_start(ov->top, pool, dev, overlay_done, ov);
	d->how = ov->top->how;
	return rc;
}

static void overlay_destroy(struct disk *d)
{
	struct overlay *ov = d->engine;

	if (d->had)
		overlay_save(ov);
	else
		overlay_unmake(ov);
	outside_drop(ov->made);
	disk_close(ov->base);
	disk_close(ov->top);
	overlay_map_fini(&ov->map);
	for (unsigned int i = 0; i < ov->nbounce; i++)
		free(ov->bounce[i]);
	free(ov->op);
	free(ov);
}

void overlay_attach(struct disk *d)
{
	static const struct disk_engine_ops ops = {
		.use_ring = overlay_use_ring,
		.start = overlay_start,
		.submit = overlay_submit,
		.price = overlay_price,
		.commit = overlay_commit,
		.rest = overlay_rest,
		.flush_failed = overlay_flush_failed,
		.files = overlay_files,
		.is_plain = overlay_is_plain,
		.cancel = overlay_cancel,
		.destroy = overlay_destroy,
	};

	d->ops = &ops;
}
