/* SPDX-License-Identifier: Apache-2.0 */
/*
 * squash_sparse - holes in files.
 *
 * A block of nothing but zeroes is a 0 in the file's list of blocks, and takes no place. The library finds that out from
 * the zeroes, at a few GB a second; so whole blocks of a hole are kept from it, and put into the list when it
 * is done.
 */
#include "vmm/image/squash_impl.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/core/util.h"

#define BLOCK ((uint64_t)SQUASH_BLOCK)

struct squash_run {
	uint64_t block, n;
};

/* The holes of one file */
struct squash_holes {
	struct squash_holes *next;
	struct squash_object *o;
	size_t n;
	struct squash_run *run;
};

void squash_sparse_begin(struct squash *s, struct squash_object *o)
{
	s->at = 0;
	s->file = o;
}

/* @n blocks from @block on are a hole */
static int note(struct squash *s, uint64_t block, uint64_t n)
{
	struct squash_holes *h = s->holes;
	struct squash_run *more;

	if (!h || h->o != s->file) {
		h = calloc(1, sizeof(*h));
		if (!h)
			return SQFS_ERROR_ALLOC;
		h->o = s->file;
		h->next = s->holes;
		s->holes = h;
	}
	if (h->n && h->run[h->n - 1].block + h->run[h->n - 1].n == block) {
		h->run[h->n - 1].n += n;
		return 0;
	}
	more = reallocarray(h->run, h->n + 1, sizeof(*more));
	if (!more)
		return SQFS_ERROR_ALLOC;
	h->run = more;
	more[h->n++] = (struct squash_run){block, n};
	return 0;
}

static int zeroes(struct squash *s, uint64_t n)
{
	static const uint8_t zero[4096];
	int rc = 0;

	s->at += n;
	for (; rc == 0 && n; n -= MIN(n, sizeof(zero)))
		rc = sqfs_block_processor_append(s->data, zero,
						 (size_t)MIN(n, sizeof(zero)));
	return rc;
}

int squash_file_hole(struct squash *s, uint64_t n, struct err *e)
{
	uint64_t first = MIN(n, (BLOCK - s->at % BLOCK) % BLOCK);
	uint64_t blocks = (n - first) / BLOCK;
	int rc = zeroes(s, first);

	if (rc == 0 && blocks) {
		rc = note(s, s->at / BLOCK, blocks);
		s->at += blocks * BLOCK;
	}
	if (rc == 0)
		rc = zeroes(s, n - first - blocks * BLOCK);
	return squash_failed(s, rc, e);
}

/* The list of blocks of @from, with the holes, in @to */
static int fill(const struct squash_holes *h, const sqfs_inode_generic_t *from,
		sqfs_inode_generic_t *to)
{
	size_t have = from->payload_bytes_used / sizeof(sqfs_u32), in = 0, out = 0, n;

	for (size_t i = 0; i < h->n; i++) {
		n = h->run[i].block - out;
		if (n > have - in)
			return SQFS_ERROR_INTERNAL;
		memcpy(to->extra + out, from->extra + in, n * sizeof(sqfs_u32));
		in += n;
		out += n + h->run[i].n;
	}
	memcpy(to->extra + out, from->extra + in, (have - in) * sizeof(sqfs_u32));
	return 0;
}

static int put_holes(const struct squash_holes *h)
{
	sqfs_inode_generic_t *old = h->o->inode, *new;
	uint64_t blocks = 0;
	size_t size;
	int rc;

	for (size_t i = 0; i < h->n; i++)
		blocks += h->run[i].n;
	rc = old ? sqfs_inode_make_extended(old) : SQFS_ERROR_INTERNAL;
	if (rc)
		return rc;
	size = old->payload_bytes_used + blocks * sizeof(sqfs_u32);
	new = calloc(1, sizeof(*new) + size);
	if (!new)
		return SQFS_ERROR_ALLOC;
	memcpy(new, old, sizeof(*new));
	rc = fill(h, old, new);
	new->payload_bytes_available = new->payload_bytes_used = (sqfs_u32)size;
	new->data.file_ext.file_size += SQUASH_BLOCK *blocks;
	new->data.file_ext.sparse += SQUASH_BLOCK *blocks;
	h->o->inode = new;
	free(old);
	return rc;
}

int squash_sparse_finish(struct squash *s)
{
	int rc = 0;

	for (const struct squash_holes *h = s->holes; rc == 0 && h; h = h->next)
		rc = put_holes(h);
	return rc;
}

void squash_sparse_free(struct squash *s)
{
	while (s->holes) {
		struct squash_holes *h = s->holes;

		s->holes = h->next;
		free(h->run);
		free(h);
	}
}
