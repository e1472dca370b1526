/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay_piece - requests to a disk with an overlay, taken apart into pieces for top and base.
 *
 * Theory of operation. A request is done piece by piece, each a run of clusters that are in the
 * same place. A write to clusters that the top has goes there. Of those it lacks, whole ones are
 * written, and then the top has them; a part of one is put into a copy of the base's, which is
 * written whole. While an op brings clusters to the top, others that would change them wait;
 * reads need not, since the base has their data until the bit is set. Zeroes are clusters of the
 * top with a hole, which hides the base, and a discard is the same.
 */
#include "devices/backend/overlay.h"

#include <errno.h>
#include <string.h>

#include "vmm/core/util.h"

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

void overlay_next(struct overlay *ov, struct overlay_op *op)
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

void overlay_piece_done(struct overlay *ov, struct overlay_op *op)
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
