/* SPDX-License-Identifier: Apache-2.0 */
/* driver_ring - one virtqueue from the driver's side (virtio 1.2, 2.7). */
#include "tests/lib/driver.h"

#include <linux/virtio_ring.h>

#include "vmm/core/util.h"

static void *ring_at(const struct driver_ring *r, gpa_t gpa, size_t len)
{
	void *p = gmem_slice(r->mem, gpa, len);

	BUG_ON(!p);
	return p;
}

size_t driver_ring_len(uint16_t size)
{
	return 16 * (size_t)size + ALIGN_UP(6 + 2 * (size_t)size, UINT64_C(4)) + 6 +
	       8 * (size_t)size;
}

void driver_ring_init(struct driver_ring *r, const struct gmem *m, gpa_t at,
		      uint16_t size, bool event_idx)
{
	BUG_ON(size > VQ_SIZE_MAX);
	*r = (struct driver_ring){.mem = m, .size = size, .event_idx = event_idx};
	r->desc = at;
	r->avail = at + 16 * (gpa_t)size;
	r->used = r->avail + ALIGN_UP(6 + 2 * (gpa_t)size, UINT64_C(4));
	memset(ring_at(r, at, driver_ring_len(size)), 0, driver_ring_len(size));
	while (r->nfree < size) {
		r->free[r->nfree] = (uint16_t)(size - 1 - r->nfree);
		r->nfree++;
	}
}

void driver_ring_attach(const struct driver_ring *r, struct virtq *q)
{
	q->size = r->size;
	q->desc = r->desc;
	q->avail = r->avail;
	q->used = r->used;
	q->ready = true;
}

void driver_desc_at(const struct gmem *m, gpa_t table, unsigned int i, uint64_t addr,
		    uint32_t len, uint16_t flags, uint16_t next)
{
	struct vring_desc d = {.addr = addr, .len = len, .flags = flags, .next = next};

	BUG_ON(gmem_write(m, table + 16 * (gpa_t)i, &d, sizeof(d)) < 0);
}

void driver_desc(struct driver_ring *r, unsigned int i, uint64_t addr, uint32_t len,
		 uint16_t flags, uint16_t next)
{
	driver_desc_at(r->mem, r->desc, i, addr, len, flags, next);
}

void driver_avail_slot(struct driver_ring *r, unsigned int i, uint16_t head)
{
	shared_store16(ring_at(r, r->avail + 4 + 2 * (gpa_t)i, 2), head);
}

void driver_avail_idx(struct driver_ring *r, uint16_t idx)
{
	shared_store16(ring_at(r, r->avail + 2, 2), idx);
}

void driver_offer(struct driver_ring *r, uint16_t head)
{
	driver_avail_slot(r, r->avail_idx++ % r->size, head);
	driver_avail_idx(r, r->avail_idx);
}

static uint16_t ring_flags(const struct driver_buf *b, bool more)
{
	return (uint16_t)((b->write ? VRING_DESC_F_WRITE : 0) |
			  (more ? VRING_DESC_F_NEXT : 0));
}

/* Put the chain at @head, @n descriptors of ours, in the next slot */
static int ring_queue(struct driver_ring *r, uint16_t head, unsigned int n)
{
	r->chain_len[head] = (uint16_t)n;
	driver_avail_slot(r, r->avail_idx++ % r->size, head);
	return head;
}

int driver_add(struct driver_ring *r, const struct driver_buf *b, unsigned int n)
{
	uint16_t i, head;

	BUG_ON(n == 0);
	if (n > r->nfree)
		return -1;
	head = i = r->free[--r->nfree];
	for (unsigned int k = 0; k < n; k++) {
		bool more = k + 1 < n;
		uint16_t next = more ? r->free[--r->nfree] : 0;

		driver_desc(r, i, b[k].gpa, b[k].len, ring_flags(&b[k], more), next);
		r->chain[i] = next;
		i = next;
	}
	return ring_queue(r, head, n);
}

int driver_add_indirect(struct driver_ring *r, gpa_t table, const struct driver_buf *b,
			unsigned int n)
{
	uint16_t head;

	if (!r->nfree)
		return -1;
	head = r->free[--r->nfree];
	for (unsigned int k = 0; k < n; k++)
		driver_desc_at(r->mem, table, k, b[k].gpa, b[k].len,
			       ring_flags(&b[k], k + 1 < n), (uint16_t)(k + 1));
	driver_desc(r, head, table, 16 * n, VRING_DESC_F_INDIRECT, 0);
	return ring_queue(r, head, 1);
}

bool driver_publish(struct driver_ring *r)
{
	uint16_t old = r->shown, event;

	driver_avail_idx(r, r->avail_idx);
	r->shown = r->avail_idx;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!r->event_idx)
		return !(shared_load16(ring_at(r, r->used, 2)) & VRING_USED_F_NO_NOTIFY);
	event = shared_load16(ring_at(r, r->used + 4 + 8 * (gpa_t)r->size, 2));
	return vring_need_event(event, r->shown, old);
}

uint16_t driver_used_idx(const struct driver_ring *r)
{
	return shared_load16(ring_at(r, r->used + 2, 2));
}

static void ring_free(struct driver_ring *r, uint16_t head)
{
	uint16_t i = head;

	for (; r->chain_len[head]; r->chain_len[head]--) {
		r->free[r->nfree++] = i;
		i = r->chain[i];
	}
}

bool driver_used(struct driver_ring *r, uint32_t *id, uint32_t *len)
{
	const uint8_t *elem;

	if (driver_used_idx(r) == r->used_idx)
		return false;
	elem = ring_at(r, r->used + 4 + 8 * (gpa_t)(r->used_idx++ % r->size), 8);
	*id = shared_load32(elem);
	*len = shared_load32(elem + 4);
	if (*id < r->size)
		ring_free(r, (uint16_t)*id);
	return true;
}

void driver_want_irqs(struct driver_ring *r, bool yes)
{
	uint8_t *avail = ring_at(r, r->avail, 6 + 2 * (size_t)r->size);

	if (r->event_idx)
		shared_store16(avail + 4 + 2 * (size_t)r->size,
			       (uint16_t)(yes ? r->used_idx : r->used_idx - 1));
	else
		shared_store16(avail, yes ? 0 : VRING_AVAIL_F_NO_INTERRUPT);
}
