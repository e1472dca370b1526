/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtq - split virtqueue, device side (virtio 1.2, 2.7).
 *
 * virtq_map() checks all three rings once, whole. virtq_pop() then reads each descriptor exactly
 * once, into our memory; no later code reads the guest's copy. Payload stays shared: hand it to
 * readv(2)/writev(2), or take it with span_get() before trusting a byte of it. A queue is touched
 * by one thread at a time (dev->lock held).
 */
#ifndef MICROVM_VIRTIO_VIRTQ_H
#define MICROVM_VIRTIO_VIRTQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "vmm/core/gmem.h"
#include "vmm/core/state.h"

#define VQ_SIZE_MAX 256

/* A cursor over scattered bytes, consumed from the front */
struct span {
	struct iovec *v;
	unsigned int n;
	size_t len; /* sum of the remaining bytes */
};

bool span_get(struct span *s, void *dst, size_t len);       /* all or nothing */
bool span_put(struct span *s, const void *src, size_t len); /* all or nothing */
bool span_skip(struct span *s, size_t len);                 /* all or nothing */
/* span_split_tail() - cut the last @len bytes of @s off into a buffer of their own (the
 * blk status byte).  They must lie in one iovec.  Return: their address or NULL
 */
uint8_t *span_split_tail(struct span *s, size_t len);

/* Large: keep one outside the loop that pops */
struct virtq_chain {
	uint16_t head;
	struct span from_driver;       /* ours to read */
	struct span to_driver;         /* ours to fill */
	struct iovec iov[VQ_SIZE_MAX]; /* what both point into; our copy */
};

struct virtq {
	/* what the driver chose, through the transport's registers */
	uint16_t size_max, size;
	bool ready;
	gpa_t desc, avail, used;
	/* live between virtq_map() and virtq_unmap() */
	const struct gmem *mem;
	uint8_t *desc_p, *avail_p, *used_p; /* NULL when not mapped */
	uint16_t next_avail, next_used;
	uint16_t avail_seen; /* the driver's index as last read: the line is its own */
	uint16_t used_shown; /* next_used at the last virtq_publish() */
	uint16_t inflight;   /* popped and not pushed: never above @size */
	uint16_t budget;     /* chains that virtio_pop() still gives for this kick */
	bool event_idx, indirect; /* negotiated */
	bool polled;              /* the caller polls: an empty ring asks for no kick */
	/* a bit per head: popped and not pushed yet; the same head twice is a lie */
	uint64_t busy[VQ_SIZE_MAX / 64];
	const char *why; /* the lie that the last -EPROTO of virtq_pop() was about */
};

/* virtq_init() - registers and indices at reset; @size_max a power of two, <= VQ_SIZE_MAX */
void virtq_init(struct virtq *q, uint16_t size_max);
/* virtq_map() - check what the driver chose, once: size, alignment and the extent of each ring
 * (virtio 1.2, 2.7). Return: 0; -EINVAL, queue not mapped
 */
int virtq_map(struct virtq *q, const struct gmem *m, uint64_t features);
/* virtq_unmap() - forget the rings and the chains in flight.  A queue that is not mapped, as one
 * that the driver did not enable, counts as empty: pop, publish and pending say so, and nothing
 * may be pushed
 */
void virtq_unmap(struct virtq *q);

/* virtq_pop() - take the next chain.
 * Return: 1, chain in @c; 0, none, and the driver will kick when there is one;
 *	   -EPROTO, the driver broke the ring: call virtio_broken()
 * A call does bounded work: at most @size buffers, @size + 1 descriptors. The caller has to bound
 * the number of calls that the guest can provoke: virtio_pop() does.
 */
int virtq_pop(struct virtq *q, struct virtq_chain *c);
/* virtq_unpop() - give back the chain popped last */
void virtq_unpop(struct virtq *q, const struct virtq_chain *c);
/* virtq_abandon() - chains popped and not pushed will never come back: for a broken device, which
 * holds none of them
 */
void virtq_abandon(struct virtq *q);
/* virtq_push() - hand chain @head back with @written bytes filled, visible to the driver
 * at the next virtq_publish()
 */
void virtq_push(struct virtq *q, uint16_t head, uint32_t written);
/* virtq_publish() - show what was pushed.  Return: does the driver want an interrupt? */
bool virtq_publish(struct virtq *q);
/* virtq_pending() - is there a chain to pop?  Looks at avail->idx only; asks for no kick */
bool virtq_pending(const struct virtq *q);
/* virtq_no_kicks() - the device polls or sleeps: ask the driver not to kick (a hint) */
void virtq_no_kicks(struct virtq *q);

/* virtq_poll_begin() - kicks are not needed: the caller polls with virtq_pending().
 * virtq_poll_end(): kicks are needed again. Return: is there a chain to pop already?
 */
void virtq_poll_begin(struct virtq *q);
bool virtq_poll_end(struct virtq *q);

/* virtq_state() - saves and loads; nothing may be in flight.  A loaded queue is not
 * mapped: if it was live the caller maps it, which keeps the indices
 */
void virtq_state(struct virtq *q, struct state *s);

#endif
