/* SPDX-License-Identifier: Apache-2.0 */
/* virtq_walk - a chain's descriptors, each read once (virtio 1.2, 2.7.5). */
#include "devices/virtio/virtq_walk.h"

#include <linux/virtio_ring.h>

#include "vmm/core/util.h"

#define VIRTQ_CHAIN_LEN_MAX UINT32_MAX /* 2.7.5: also the limit of a used element */

struct virtq_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};
_Static_assert(sizeof(struct virtq_desc) == VIRTQ_DESC_LEN,
	       "layout of virtio 1.2, 2.7.5");

/* Where a chain's descriptors are: the queue's own table or an indirect one */
struct virtq_table {
	const uint8_t *p;
	unsigned int n;
};

/* virtq_pop()'s state while it walks */
struct virtq_walk {
	struct virtq *q;
	struct virtq_chain *c;
	unsigned int n;         /* buffers so far, @c->iov's fill */
	unsigned int nreadable; /* how many of them are for us to read */
	uint64_t len;
};

static struct virtq_desc virtq_fetch(const struct virtq_table *t, unsigned int i)
{
	struct virtq_desc d;

	shared_copy(&d, t->p + (size_t)i * VIRTQ_DESC_LEN, sizeof(d));
	return d;
}

/* Take one buffer into the chain */
static int virtq_take(struct virtq_walk *w, const struct virtq_desc *d)
{
	bool to_driver = d->flags & VRING_DESC_F_WRITE;
	void *p;

	if (w->n == w->q->size)
		return virtq_lie(w->q, "chain longer than the queue, or a loop");
	if (!d->len)
		return virtq_lie(w->q, "buffer of no bytes");
	if (!to_driver && w->n != w->nreadable)
		return virtq_lie(w->q, "readable buffer after a writable one");
	if (w->len + d->len > VIRTQ_CHAIN_LEN_MAX)
		return virtq_lie(w->q, "chain of 4 GiB or more");
	p = gmem_slice(w->q->mem, d->addr, d->len);
	if (!p)
		return virtq_lie(w->q, "buffer outside of memory");
	w->c->iov[w->n++] = (struct iovec){.iov_base = p, .iov_len = d->len};
	w->nreadable += !to_driver;
	w->len += d->len;
	return 0;
}

/* Walk table @t from descriptor @i on, through NEXT, ending at the last descriptor or at
 * the first INDIRECT one, which is left in @d.  Ends: every step fills an iovec, and
 * virtq_take() gives out at most q->size of them.
 */
static int virtq_walk_table(struct virtq_walk *w, const struct virtq_table *t,
			    unsigned int i, struct virtq_desc *d)
{
	for (;;) {
		int rc;

		*d = virtq_fetch(t, i);
		if (d->flags & VRING_DESC_F_INDIRECT)
			return 0;
		rc = virtq_take(w, d);
		if (rc < 0)
			return rc;
		if (!(d->flags & VRING_DESC_F_NEXT))
			return 0;
		i = d->next;
		if (i >= t->n)
			return virtq_lie(w->q, "next descriptor outside of its table");
	}
}

/* The table that @d refers to (virtio 1.2, 2.7.5.3), which ends the chain. */
static int virtq_walk_indirect(struct virtq_walk *w, const struct virtq_desc *d)
{
	struct virtq_table t = {.n = d->len / VIRTQ_DESC_LEN};
	struct virtq_desc last;
	int rc;

	if (!w->q->indirect)
		return virtq_lie(w->q, "indirect table without the feature");
	if (d->flags & VRING_DESC_F_NEXT)
		return virtq_lie(w->q, "indirect table in the middle of a chain");
	if (!d->len || d->len % VIRTQ_DESC_LEN || t.n > w->q->size)
		return virtq_lie(w->q, "indirect table of an impossible length");
	t.p = gmem_slice(w->q->mem, d->addr, d->len);
	if (!t.p)
		return virtq_lie(w->q, "indirect table outside of memory");
	rc = virtq_walk_table(w, &t, 0, &last);
	if (rc < 0)
		return rc;
	if (last.flags & VRING_DESC_F_INDIRECT)
		return virtq_lie(w->q, "indirect table in an indirect table");
	return 0;
}

int virtq_walk(struct virtq *q, uint16_t head, struct virtq_chain *c)
{
	struct virtq_table t = {.p = q->desc_p, .n = q->size};
	struct virtq_walk w = {.q = q, .c = c};
	struct virtq_desc last;
	unsigned int i;
	size_t readable = 0;
	int rc;

	rc = virtq_walk_table(&w, &t, head, &last);
	if (rc == 0 && (last.flags & VRING_DESC_F_INDIRECT))
		rc = virtq_walk_indirect(&w, &last);
	if (rc < 0)
		return rc;
	for (i = 0; i < w.nreadable; i++)
		readable += c->iov[i].iov_len;
	c->head = head;
	c->from_driver = (struct span){c->iov, w.nreadable, readable};
	c->to_driver = (struct span){c->iov + w.nreadable, w.n - w.nreadable,
				     (size_t)w.len - readable};
	return 0;
}
