/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay - requests to a disk with an overlay, taken apart into pieces for top and base.
 *
 * Theory of operation. A request is done piece by piece, each a run of clusters that are in the
 * same place. A write to clusters that the top has goes there. Of those it lacks, whole ones are
 * written, and then the top has them; a part of one is put into a copy of the base's, which is
 * written whole. While an op brings clusters to the top, others that would change them wait;
 * reads need not, since the base has their data until the bit is set. Zeroes are clusters of the
 * top with a hole, which hides the base, and a discard is the same.
 *
 * overlay_pump() is the only place that commits, so that a disk which answers at once makes a
 * loop, not a recursion.
 */
#include "devices/backend/overlay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- the guest's buffers ---- */

/* The guest's bytes, or zeroes, into a copy of the base's cluster */
static void overlay_merge(struct overlay_op *op)
{
	uint8_t *to = op->bounce + op->r->off % OVERLAY_CLUSTER;
	struct disk_req *r = op->r;

	if (r->op == DISK_WRITE)
		disk_req_copy(r, to, op->piece);
	else
		memset(to, 0, op->piece);
}

/* ---- pieces ---- */

static bool overlay_claimed(const struct overlay *ov, uint64_t first, uint64_t n)
{
	for (unsigned int i = 0; i < OVERLAY_OPS; i++) {
		const struct overlay_op *op = &ov->op[i];

		if (op->n && op->first < first + n && first < op->first + op->n)
			return true;
	}
	return false;
}

static void overlay_block(struct overlay *ov, struct overlay_op *op)
{
	op->next = ov->blocked;
	ov->blocked = op;
}

static void overlay_release(struct overlay *ov, struct overlay_op *op)
{
	if (op->bounce)
		ov->bounce[ov->nbounce++] = op->bounce;
	op->bounce = NULL;
	op->n = 0;
	ov->retry = true;
}

static void overlay_end(struct overlay *ov, struct overlay_op *op, int result)
{
	struct disk_req *r = op->r;

	overlay_release(ov, op);
	op->next = ov->free;
	ov->free = op;
	ov->nbusy--;
	r->moved = op->moved;
	if (result == 0 && r->durable)
		disk_list_add(&ov->flush.waiting, r);
	else
		overlay_finish(ov, r, result);
}

/* op->piece bytes between the guest and the top (or the base, if @base) */
static void overlay_move(struct overlay *ov, struct overlay_op *op, bool base)
{
	const struct disk_req *r = op->r;

	op->io = (struct disk_req){.op = r->op == DISK_DISCARD ? DISK_ZERO : r->op,
				   .unmap = r->unmap || r->op == DISK_DISCARD,
				   .off = r->off + (base ? 0 : ov->head.data),
				   .len = op->piece};
	if (r->op == DISK_READ || r->op == DISK_WRITE)
		disk_req_cut(op->r, op->piece, &op->io, &op->cut);
	overlay_send(ov, base ? ov->base : ov->top, &op->io);
}

/* The whole cluster op->first, as far as the disk reaches, to or from op->bounce */
static void overlay_cluster(struct overlay *ov, struct overlay_op *op, bool put)
{
	uint64_t off = op->first * OVERLAY_CLUSTER;

	op->step = put ? OVERLAY_PUT : OVERLAY_COPY;
	op->one = (struct iovec){op->bounce, MIN(OVERLAY_CLUSTER, ov->base->size - off)};
	op->io = (struct disk_req){.op = put ? DISK_WRITE : DISK_READ,
				   .off = off + (put ? ov->head.data : 0),
				   .iov = &op->one,
				   .niov = 1,
				   .len = op->one.iov_len};
	overlay_send(ov, put ? ov->top : ov->base, &op->io);
}

/* A change to clusters from @c on that the top lacks; op->piece bytes lie in them */
static void overlay_bring(struct overlay *ov, struct overlay_op *op, uint64_t c)
{
	uint64_t at = op->r->off % OVERLAY_CLUSTER, n;
	bool to_end = op->r->off + op->piece == ov->base->size;

	n = (op->piece + (to_end ? OVERLAY_CLUSTER - 1 : 0)) / OVERLAY_CLUSTER;
	if (at || !n) {
		op->piece = MIN(op->piece, OVERLAY_CLUSTER - at);
		if (overlay_claimed(ov, c, 1) || !ov->nbounce) {
			overlay_block(ov, op);
			return;
		}
		op->first = c;
		op->n = 1;
		op->bounce = ov->bounce[--ov->nbounce];
		overlay_cluster(ov, op, false);
		return;
	}
	op->piece = MIN(op->piece, n * OVERLAY_CLUSTER);
	if (overlay_claimed(ov, c, n)) {
		overlay_block(ov, op);
		return;
	}
	op->first = c;
	op->n = n;
	op->step = OVERLAY_FILL;
	overlay_move(ov, op, false);
}

/* The next piece of @op, or its end */
static void overlay_next(struct overlay *ov, struct overlay_op *op)
{
	struct disk_req *r = op->r;
	uint64_t c = r->off / OVERLAY_CLUSTER, last, run;
	bool in_top;

	if (ov->cancelling || !r->len) {
		overlay_end(ov, op, ov->cancelling ? -ECANCELED : 0);
		return;
	}
	last = (r->off + r->len - 1) / OVERLAY_CLUSTER;
	run = overlay_map_run(&ov->map, c, last - c + 1, &in_top);
	op->piece = MIN(r->len, (c + run) * OVERLAY_CLUSTER - r->off);
	op->step = OVERLAY_MOVE;
	if (in_top || r->op == DISK_READ)
		overlay_move(ov, op, !in_top);
	else
		overlay_bring(ov, op, c);
}

static void overlay_piece_done(struct overlay *ov, struct overlay_op *op)
{
	struct disk_req *r = op->r;

	op->moved += op->io.moved;
	if (op->io.result < 0) {
		overlay_end(ov, op, op->io.result);
		return;
	}
	switch (op->step) {
	case OVERLAY_COPY:
		if (ov->cancelling) {
			overlay_end(ov, op, -ECANCELED);
			return;
		}
		overlay_merge(op);
		overlay_cluster(ov, op, true);
		return;
	case OVERLAY_FILL:
	case OVERLAY_PUT:
		overlay_map_set(&ov->map, op->first, op->n);
		overlay_release(ov, op);
		break;
	case OVERLAY_MOVE:
		break;
	}
	if (op->step != OVERLAY_PUT && (r->op == DISK_READ || r->op == DISK_WRITE))
		disk_req_paste(r, &op->cut);
	r->off += op->piece;
	r->len -= op->piece;
	overlay_next(ov, op);
}

/* ---- the engine ---- */

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
	free(ov->made);
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
		.cancel = overlay_cancel,
		.destroy = overlay_destroy,
	};

	d->ops = &ops;
}
