/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk_sector - small blocks on a disk that has large ones.
 *
 * Theory of operation. A request is done piece by piece, as an overlay's is (overlay.c): a part
 * of a block, whole blocks, a part of a block; nearly always it is whole blocks alone. A part of
 * a block that changes is read, merged and written by one op, and no other op changes that block
 * meanwhile: an op that would is put aside until another has finished. Whole blocks do not wait
 * for each other. A discard of a part does nothing.
 *
 * All under dev->lock. sector_pump() is the only place that commits.
 */
#include "devices/backend/disk_sector.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/backend/disk_list.h"
#include "vmm/core/util.h"

#define SECTOR_OPS 64 /* requests under way; more wait */

enum sector_step {
	SECTOR_WHOLE, /* blocks, between the guest and the disk */
	SECTOR_PART,  /* a block is read, to use a part of it */
	SECTOR_MERGE, /* a block is read, to change a part of it */
	SECTOR_PUT,   /* and written back */
};

struct sector_op {
	struct disk_req io; /* the piece under way */
	struct disk_req *r; /* the rest of the guest's request */
	enum sector_step step;
	uint64_t first, n; /* bytes of the disk that it is changing, in whole blocks */
	uint64_t piece;    /* bytes of the request that this step does */
	uint64_t moved;    /* by the host, for the request so far */
	struct iovec one;  /* @bounce */
	uint8_t *bounce;   /* a block */
	struct disk_cut cut;
	struct sector_op *next;
};

struct disk_sector {
	struct disk *under;
	disk_done_fn done;
	void *ctx;
	struct disk_list waiting, finished;
	struct sector_op op[SECTOR_OPS];
	struct sector_op *free, *blocked; /* blocked: on another's block */
	unsigned int nbusy;               /* that are not free */
	uint8_t *bounces;
	bool pumping, staged, retry, cancelling;
};

static void sector_send(struct disk_sector *en, struct disk_req *io)
{
	disk_submit(en->under, io);
	en->staged = true;
}

static void sector_end(struct disk_sector *en, struct sector_op *op, int result)
{
	struct disk_req *r = op->r;

	op->n = 0;
	op->next = en->free;
	en->free = op;
	en->nbusy--;
	en->retry = true;
	r->moved = op->moved;
	r->result = result;
	disk_list_add(&en->finished, r);
}

/* ---- pieces ---- */

/* Does another op change any of these bytes, so that one of the changes would be lost? A @part
 * also writes back bytes around it.
 */
static bool sector_taken(const struct disk_sector *en, uint64_t first, uint64_t n,
			 bool part)
{
	for (unsigned int i = 0; i < SECTOR_OPS; i++) {
		const struct sector_op *op = &en->op[i];

		if (op->n && (part || op->step != SECTOR_WHOLE) &&
		    op->first < first + n && first < op->first + op->n)
			return true;
	}
	return false;
}

/* Claim @n bytes from @first on, or wait. Return: claimed? */
static bool sector_take(struct disk_sector *en, struct sector_op *op, uint64_t first,
			uint64_t n, bool part)
{
	if (sector_taken(en, first, n, part)) {
		op->next = en->blocked;
		en->blocked = op;
		return false;
	}
	op->first = first;
	op->n = n;
	return true;
}

static void sector_whole(struct disk_sector *en, struct sector_op *op)
{
	struct disk_req *r = op->r;

	op->piece = ALIGN_DOWN(r->len, (uint64_t)en->under->block);
	if (r->op != DISK_READ && !sector_take(en, op, r->off, op->piece, false))
		return;
	op->step = SECTOR_WHOLE;
	op->io = (struct disk_req){.op = r->op,
				   .durable = r->durable,
				   .unmap = r->unmap,
				   .off = r->off,
				   .len = op->piece};
	if (r->op == DISK_READ || r->op == DISK_WRITE)
		disk_req_cut(r, op->piece, &op->io, &op->cut);
	sector_send(en, &op->io);
}

/* The block at @off, to or from op->bounce */
static void sector_block(struct disk_sector *en, struct sector_op *op, uint64_t off,
			 enum sector_step step)
{
	op->step = step;
	op->one = (struct iovec){op->bounce, en->under->block};
	op->io = (struct disk_req){.op = step == SECTOR_PUT ? DISK_WRITE : DISK_READ,
				   .durable = step == SECTOR_PUT && op->r->durable,
				   .off = off,
				   .iov = &op->one,
				   .niov = 1,
				   .len = en->under->block};
	sector_send(en, &op->io);
}

static void sector_part(struct disk_sector *en, struct sector_op *op)
{
	struct disk_req *r = op->r;
	uint64_t block = en->under->block, at = r->off % block;

	op->piece = MIN(r->len, block - at);
	if (r->op == DISK_READ)
		sector_block(en, op, r->off - at, SECTOR_PART);
	else if (sector_take(en, op, r->off - at, block, true))
		sector_block(en, op, r->off - at, SECTOR_MERGE);
}

/* The next piece of @op, or its end */
static void sector_next(struct disk_sector *en, struct sector_op *op)
{
	uint64_t block = en->under->block;
	struct disk_req *r = op->r;

	op->n = 0;
	if (r->op == DISK_DISCARD) {
		uint64_t off = ALIGN_UP(r->off, block);

		r->len = off < r->off + r->len ? ALIGN_DOWN(r->off + r->len - off, block)
					       : 0;
		r->off = off;
	}
	if (en->cancelling || !r->len)
		sector_end(en, op, en->cancelling ? -ECANCELED : 0);
	else if (r->off % block || r->len < block)
		sector_part(en, op);
	else
		sector_whole(en, op);
}

/* The guest's bytes, or zeroes, into the block */
static void sector_merge(struct disk_sector *en, struct sector_op *op)
{
	uint64_t at = op->r->off % en->under->block;

	if (op->r->op == DISK_WRITE)
		disk_req_copy(op->r, op->bounce + at, op->piece);
	else
		memset(op->bounce + at, 0, op->piece);
	sector_block(en, op, op->first, SECTOR_PUT);
}

static void sector_piece_done(struct disk_sector *en, struct sector_op *op)
{
	struct disk_req *r = op->r;

	op->moved += op->io.moved;
	if (op->io.result < 0) {
		sector_end(en, op, op->io.result);
		return;
	}
	if (op->step == SECTOR_MERGE && !en->cancelling) {
		sector_merge(en, op);
		return;
	}
	if (op->step == SECTOR_PART)
		disk_req_copy(r, op->bounce + r->off % en->under->block, op->piece);
	if (op->step == SECTOR_WHOLE && (r->op == DISK_READ || r->op == DISK_WRITE))
		disk_req_paste(r, &op->cut);
	r->off += op->piece;
	r->len -= op->piece;
	sector_next(en, op);
}

/* ---- the engine ---- */

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
