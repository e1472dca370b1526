/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_tx - frames from the driver's buffers to the tap (virtio 1.2, 5.1.6.2).
 *
 * Most of a frame's cost is the kernel's work; so we add as little as possible. A plain write()
 * in a process of several threads takes a reference to the file and is a cancellation point, a
 * tenth of the cost of a small frame; several frames by io_uring, on a registered file, do
 * neither. Measured: docs/net.md.
 */
#include "devices/virtio/net.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/core/util.h"

#define NET_RING_MIN 4 /* frames from which the ring pays */

/* The driver gets chain @head back, sent if @sent */
static void net_tx_done(struct net_pair *p, uint16_t head, size_t len, bool sent)
{
	if (sent) {
		p->n->v.dev->io.written_bytes += len - TAP_HDR_LEN;
		p->n->v.dev->io.requests++;
	}
	virtq_push(p->txq, head, 0);
}

/* @code: why the kernel did not take a frame.  Return: false, try again later */
static bool net_tx_failed(struct net_pair *p, int code)
{
	if (code == EAGAIN || code == EINTR)
		return false;
	if (code == EBADFD || code == EPIPE)
		net_lost(p->n, code);
	return true; /* interface down, no memory, a header that lies: networks lose frames */
}

/* ---- frames in one piece ---- */

/* The oldest ones, one by one. Return: how many went out */
static unsigned int net_tx_write(struct net_pair *p)
{
	struct net_tx *t = &p->tx;
	unsigned int i;

	for (i = 0; i < t->n; i++) {
		const struct net_tx_frame *f = &t->frame[i];
		bool sent = !p->n->dead && syscall(SYS_write, p->fd, f->p, f->len) >= 0;

		if (!sent && !p->n->dead && !net_tx_failed(p, errno))
			break;
		net_tx_done(p, f->head, f->len, sent);
	}
	return i;
}

/* Not before it is needed: opening a ring costs more than a quiet card ever saves */
static bool net_tx_ring(struct net_pair *p)
{
	struct net_tx *t = &p->tx;
	struct ring *r = p->n->v.env->ring;

	if (t->ring == NET_RING_UNUSED) {
		t->user = (struct ring_user){.dev = p->n->v.dev};
		t->ring = r && ring_start(r) == 0 && ring_add(r, &t->user, p->fd) == 0
				  ? NET_RING_USED
				  : NET_RING_OFF;
	}
	return t->ring == NET_RING_USED;
}

void net_tx_arm(struct net_pair *p)
{
	(void)net_tx_ring(p); /* without it frames go one by one */
}

static void net_tx_ring_off(struct net_pair *p)
{
	if (p->tx.ring == NET_RING_USED)
		ring_del(p->n->v.env->ring, &p->tx.user);
	p->tx.ring = NET_RING_OFF;
}

/* All at once. A tap takes a frame or refuses it, at once; if a kernel hands such work to a
 * thread instead, we wait for it and do not use the ring again. Return: how many were submitted
 */
static unsigned int net_tx_submit(struct net_pair *p)
{
	struct ring *r = p->n->v.env->ring;
	struct net_tx *t = &p->tx;
	unsigned int i, left;

	ring_lock(r);
	for (i = 0; i < t->n; i++) {
		struct net_tx_frame *f = &t->frame[i];
		struct io_uring_sqe *sqe = ring_get(r, &t->user, &f->op);

		if (!sqe)
			break;
		io_uring_prep_write(sqe, (int)t->user.file, f->p, f->len, 0);
		sqe->rw_flags = RWF_NOWAIT; /* or it would wait for room */
		ring_set(sqe, &f->op);
	}
	(void)ring_submit(r, &t->user); /* each op has its own result */
	left = t->user.inflight;
	ring_unlock(r);
	if (left) {
		(void)ring_wait(r, &t->user);
		net_tx_ring_off(p);
	}
	return i;
}

/* Frames refused for lack of room, or of the ring, stay; the ring is not for such a tap */
static void net_tx_ring_write(struct net_pair *p)
{
	struct net_tx *t = &p->tx;
	unsigned int sent = net_tx_submit(p), kept = 0;

	for (unsigned int i = 0; i < t->n; i++) {
		struct net_tx_frame *f = &t->frame[i];
		/* before Linux 6.4 no operation on a tap was without waiting */
		int res = i < sent && f->op.res != -EOPNOTSUPP ? f->op.res : -EAGAIN;

		if (res >= 0 || net_tx_failed(p, -res))
			net_tx_done(p, f->head, f->len, res >= 0);
		else
			t->frame[kept++] = *f;
	}
	t->n = kept;
	if (kept)
		net_tx_ring_off(p);
}

static void net_tx_flush(struct net_pair *p)
{
	struct net_tx *t = &p->tx;
	unsigned int gone;

	if (t->n >= NET_RING_MIN && !p->n->dead && net_tx_ring(p))
		net_tx_ring_write(p);
	gone = net_tx_write(p);
	t->n -= gone;
	memmove(t->frame, t->frame + gone, t->n * sizeof(t->frame[0]));
	p->tx_blocked = t->n > 0;
	virtio_notify(&p->n->v, p->txq);
}

/* ---- all frames ---- */

static void net_tx_spend(struct net_pair *p, size_t len)
{
	if (p->n->tx_rate.limited)
		rate_spend(&p->n->tx_rate, 1, len - TAP_HDR_LEN);
}

/* Return: false, there is no room: try this one again later */
static bool net_tx_pieces(struct net_pair *p, const struct span *s)
{
	long rc = p->n->stream ? netstream_writev(p->n->stream, s->v, (int)s->n)
			       : syscall(SYS_writev, p->fd, s->v, s->n);

	if (rc < 0 && !net_tx_failed(p, errno))
		return false;
	net_tx_spend(p, s->len);
	net_tx_done(p, p->n->c.head, s->len, rc >= 0);
	return true;
}

/* The chain in n->c.  Return: false, not now */
static bool net_tx_chain(struct net_pair *p)
{
	const struct span *s = &p->n->c.from_driver;
	struct net_tx *t = &p->tx;

	if (s->len < TAP_HDR_LEN + ETH_HLEN || s->len > NET_READ_MAX || p->n->dead) {
		net_tx_done(p, p->n->c.head, 0, false);
		return true;
	}
	if (s->n > 1 || p->n->stream) {
		net_tx_flush(p);
		return !p->tx_blocked && net_tx_pieces(p, s);
	}
	net_tx_spend(p, s->len);
	t->frame[t->n++] =
		(struct net_tx_frame){.p = s->v->iov_base,
				      .len = (uint32_t)s->len,
				      .head = p->n->c.head,
				      .at = (uint16_t)(p->txq->next_avail - 1)};
	if (t->n == NET_TX_BATCH)
		net_tx_flush(p);
	return true;
}

/* Return: has every frame been sent whole or not at all? */
static bool net_tx_stream_flushed(struct net_pair *p)
{
	return !p->n->stream || netstream_flush(p->n->stream);
}

/* Within the limit? Asked only if there is a frame, since asking sets the timer */
static bool net_tx_may(struct net_pair *p)
{
	struct rate *r = &p->n->tx_rate;

	return !r->limited || !virtq_pending(p->txq) || rate_ready(r);
}

void net_tx(struct net_pair *p)
{
	struct virtq *q = p->txq;

	if (p->tx_blocked)
		return;
	net_tx_flush(p); /* the rest */
	p->tx_blocked = p->tx_blocked || !net_tx_stream_flushed(p);
	while (!p->tx_blocked && net_tx_may(p) && virtio_pop(&p->n->v, q, &p->n->c)) {
		if (net_tx_chain(p))
			continue;
		virtq_unpop(q, &p->n->c);
		p->tx_blocked = true;
	}
	if (!p->tx_blocked)
		net_tx_flush(p);
	p->tx_blocked = p->tx_blocked || !net_tx_stream_flushed(p);
	virtio_notify(&p->n->v, q);
	net_want(p);
}

void net_tx_reset(struct net_pair *p)
{
	p->tx.n = 0;
	p->tx_blocked = false;
}

/* The tap refused them, and takes them no faster at rest. A frame that a later one has overtaken
 * cannot go back: it is lost, as networks lose frames.
 */
void net_tx_rest(struct net_pair *p)
{
	struct virtq *q = p->txq;
	struct net_tx *t = &p->tx;

	while (t->n) {
		const struct net_tx_frame *f = &t->frame[--t->n];

		if (f->at != (uint16_t)(q->next_avail - 1)) {
			net_tx_done(p, f->head, f->len, false);
			continue;
		}
		p->n->c.head = f->head;
		virtq_unpop(q, &p->n->c);
		if (p->n->tx_rate.limited) /* it is charged when it is taken again */
			rate_settle(&p->n->tx_rate, f->len - TAP_HDR_LEN, 0);
	}
	p->tx_blocked = false;
	virtio_notify(&p->n->v, q);
}

void net_tx_fini(struct net_pair *p)
{
	net_tx_ring_off(p);
}
