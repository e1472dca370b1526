/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk_sector_piece - requests in small blocks, taken apart into pieces for large ones.
 *
 * Theory of operation. A request is done piece by piece, as an overlay's is (overlay_piece.c): a
 * part of a block, whole blocks, a part of a block; nearly always it is whole blocks alone. A
 * part of a block that changes is read, merged and written by one op, and no other op changes
 * that block meanwhile: an op that would is put aside until another has finished. Whole blocks do
 * not wait for each other. A discard of a part does nothing.
 */
#include "devices/backend/disk_sector_impl.h"

#include <errno.h>
#include <string.h>

#include "vmm/core/util.h"

void sector_send(struct disk_sector *en, struct disk_req *io)
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

void sector_next(struct disk_sector *en, struct sector_op *op)
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

void sector_piece_done(struct disk_sector *en, struct sector_op *op)
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
