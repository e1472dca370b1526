/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtq - split virtqueue, device side (virtio 1.2, 2.7).
 *
 * The driver writes the descriptor table and the available ring, we the used ring. The driver may
 * lie and may write at any instant, so each of its fields is loaded once, into a local, and only
 * the local is used.
 */
#include "devices/virtio/virtq.h"

#include <linux/virtio_ring.h>

#include "devices/virtio/virtq_walk.h"
#include "vmm/core/util.h"

/* Layouts of virtio 1.2, 2.7.5, 2.7.6 and 2.7.8. The rings always include their last field,
 * used_event or avail_event, whether EVENT_IDX was negotiated or not.
 */
#define VIRTQ_RING_HEADER   4 /* flags, idx */
#define VIRTQ_RING_FLAGS    0
#define VIRTQ_RING_IDX      2
#define VIRTQ_AVAIL_LEN(n)  (VIRTQ_RING_HEADER + 2 * (size_t)(n) + 2)
#define VIRTQ_USED_ELEM_LEN 8
#define VIRTQ_USED_LEN(n)   (VIRTQ_RING_HEADER + VIRTQ_USED_ELEM_LEN * (size_t)(n) + 2)
#define VIRTQ_AHEAD         8 /* chains: this many times one's cost hides a miss */

void virtq_init(struct virtq *q, uint16_t size_max)
{
	BUG_ON(!size_max || size_max > VQ_SIZE_MAX || (size_max & (size_max - 1)));
	*q = (struct virtq){.size_max = size_max};
}

int virtq_map(struct virtq *q, const struct gmem *m, uint64_t features)
{
	uint8_t *desc, *avail, *used;
	uint16_t n = q->size;

	if (!n || n > q->size_max || (n & (n - 1)))
		return -EINVAL;
	if ((q->desc & 15) || (q->avail & 1) || (q->used & 3))
		return -EINVAL;
	desc = gmem_slice(m, q->desc, (size_t)n * VIRTQ_DESC_LEN);
	avail = gmem_slice(m, q->avail, VIRTQ_AVAIL_LEN(n));
	used = gmem_slice(m, q->used, VIRTQ_USED_LEN(n));
	if (!desc || !avail || !used)
		return -EINVAL;
	q->mem = m;
	q->desc_p = desc;
	q->avail_p = avail;
	q->used_p = used;
	q->avail_seen = q->next_avail; /* whatever it is: a loaded queue's is not 0 */
	q->event_idx = features & (1ULL << VIRTIO_RING_F_EVENT_IDX);
	q->indirect = features & (1ULL << VIRTIO_RING_F_INDIRECT_DESC);
	q->budget = q->size; /* as if the driver had kicked once */
	return 0;
}

void virtq_abandon(struct virtq *q)
{
	q->inflight = 0;
	memset(q->busy, 0, sizeof(q->busy));
}

void virtq_unmap(struct virtq *q)
{
	q->mem = NULL;
	q->desc_p = q->avail_p = q->used_p = NULL;
	q->polled = false;
	virtq_abandon(q);
}

static uint16_t virtq_avail_idx(const struct virtq *q)
{
	return shared_load16(q->avail_p + VIRTQ_RING_IDX);
}

/* used_event follows the available ring, avail_event the used ring */
static const uint8_t *virtq_used_event(const struct virtq *q)
{
	return q->avail_p + VIRTQ_AVAIL_LEN(q->size) - 2;
}

static uint8_t *virtq_avail_event(const struct virtq *q)
{
	return q->used_p + VIRTQ_USED_LEN(q->size) - 2;
}

bool virtq_pending(const struct virtq *q)
{
	return q->desc_p && virtq_avail_idx(q) != q->next_avail;
}

void virtq_no_kicks(struct virtq *q)
{
	/* With EVENT_IDX silence is the default: the driver kicks only when it passes
	 * avail_event, which virtq_pop() moves when it finds the ring empty.
	 */
	if (q->used_p && !q->event_idx)
		shared_store16(q->used_p + VIRTQ_RING_FLAGS, VRING_USED_F_NO_NOTIFY);
}

/* Ask for a kick at the next chain. The fence keeps the caller's read of avail->idx from
 * overtaking the request: either we see the chain, or the driver sees the request.
 */
static void virtq_want_kick(struct virtq *q)
{
	if (q->event_idx)
		shared_store16(virtq_avail_event(q), q->next_avail);
	else
		shared_store16(q->used_p + VIRTQ_RING_FLAGS, 0);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void virtq_poll_begin(struct virtq *q)
{
	if (!q->used_p)
		return;
	q->polled = true;
	/* An index that the driver has passed already: 2^16 buffers until the next kick */
	if (q->event_idx)
		shared_store16(virtq_avail_event(q), (uint16_t)(q->next_avail - 1));
	virtq_no_kicks(q);
}

bool virtq_poll_end(struct virtq *q)
{
	q->polled = false;
	if (!q->used_p)
		return false;
	virtq_want_kick(q);
	return virtq_pending(q);
}

static bool virtq_busy(const struct virtq *q, uint16_t head)
{
	return q->busy[head / 64] & (1ULL << (head % 64));
}

static void virtq_set_busy(struct virtq *q, uint16_t head, bool busy)
{
	uint64_t bit = 1ULL << (head % 64);

	if (busy) {
		q->busy[head / 64] |= bit;
		q->inflight++;
	} else {
		q->busy[head / 64] &= ~bit;
		q->inflight--;
	}
}

/* Slot @i of the available ring, modulo its size */
static uint16_t virtq_avail_head(const struct virtq *q, uint16_t i)
{
	return shared_load16(q->avail_p + VIRTQ_RING_HEADER +
			     2 * (size_t)(i & (q->size - 1)));
}

/* Are there new chains?  If not, the driver will kick when there are */
static bool virtq_look(struct virtq *q)
{
	q->avail_seen = virtq_avail_idx(q);
	if (q->avail_seen != q->next_avail)
		return true;
	if (q->polled)
		return false;
	virtq_want_kick(q);
	q->avail_seen = virtq_avail_idx(q);
	return q->avail_seen != q->next_avail;
}

/* The table's cache lines are another processor's: prefetch the one that is needed soon. Nothing
 * is read from it here, so it may hold anything.
 */
static void virtq_fetch_ahead(const struct virtq *q)
{
	uint16_t i = (uint16_t)(q->next_avail + VIRTQ_AHEAD);

	if ((uint16_t)(q->avail_seen - q->next_avail) > VIRTQ_AHEAD)
		__builtin_prefetch(q->desc_p +
				   (size_t)(virtq_avail_head(q, i) & (q->size - 1)) *
					   VIRTQ_DESC_LEN);
}

int virtq_pop(struct virtq *q, struct virtq_chain *c)
{
	uint16_t head;
	int rc;

	if (!q->desc_p)
		return 0;
	if (q->avail_seen == q->next_avail && !virtq_look(q))
		return 0;
	if ((uint16_t)(q->avail_seen - q->next_avail) > q->size)
		return virtq_lie(q,
				 "available index further ahead than the queue is long");
	virtq_fetch_ahead(q);
	head = virtq_avail_head(q, q->next_avail);
	if (head >= q->size)
		return virtq_lie(q, "head outside of the descriptor table");
	if (virtq_busy(q, head))
		return virtq_lie(q, "head that is in flight already");
	rc = virtq_walk(q, head, c);
	if (rc < 0)
		return rc;
	virtq_set_busy(q, head, true);
	q->next_avail++;
	return 1;
}

void virtq_unpop(struct virtq *q, const struct virtq_chain *c)
{
	BUG_ON(c->head >= q->size || !virtq_busy(q, c->head));
	virtq_set_busy(q, c->head, false);
	q->next_avail--;
}

void virtq_push(struct virtq *q, uint16_t head, uint32_t written)
{
	uint8_t *elem;

	BUG_ON(!q->used_p || head >= q->size || !virtq_busy(q, head));
	elem = q->used_p + VIRTQ_RING_HEADER +
	       VIRTQ_USED_ELEM_LEN * (size_t)(q->next_used & (q->size - 1));
	shared_store32(elem, head);
	shared_store32(elem + 4, written);
	virtq_set_busy(q, head, false);
	q->next_used++;
}

/* Did used->idx pass @event when it moved from @old to @new?  (virtio 1.2, 2.7.7.2;
 * all of it modulo 2^16)
 */
static bool virtq_passed(uint16_t event, uint16_t old, uint16_t new)
{
	return (uint16_t)(new - event - 1) < (uint16_t)(new - old);
}

bool virtq_publish(struct virtq *q)
{
	uint16_t old = q->used_shown;

	if (!q->used_p || q->next_used == old)
		return false;
	shared_store16(q->used_p + VIRTQ_RING_IDX, q->next_used);
	q->used_shown = q->next_used;
	/* Either the driver, after asking for interrupts, sees the index; or we, after showing
	 * it, see the request.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (q->event_idx)
		return virtq_passed(shared_load16(virtq_used_event(q)), old,
				    q->next_used);
	return !(shared_load16(q->avail_p + VIRTQ_RING_FLAGS) &
		 VRING_AVAIL_F_NO_INTERRUPT);
}

void virtq_state(struct virtq *q, struct state *s)
{
	if (!state_loading(s) && q->inflight)
		state_fail(s, "a virtqueue has requests in flight");
	if (state_loading(s))
		virtq_unmap(q);
	state_u16(s, &q->size);
	state_bool(s, &q->ready);
	state_u64(s, &q->desc);
	state_u64(s, &q->avail);
	state_u64(s, &q->used);
	state_u16(s, &q->next_avail);
	state_u16(s, &q->next_used);
	state_u16(s, &q->used_shown);
	if (q->size > q->size_max)
		state_fail(s, "a virtqueue is larger than its device allows");
}
