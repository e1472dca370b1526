/* SPDX-License-Identifier: Apache-2.0 */
/* net_rx - frames from the tap into the driver's buffers (virtio 1.2, 5.1.6.3, 5.1.6.4). */
#include "devices/virtio/net.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/core/util.h"

#define NET_RX_SMALL (TAP_HDR_LEN + ETH_FRAME_LEN) /* the size of an ordinary frame */
#define NET_RX_CALM  64 /* ordinary frames in a row that end the wait for large ones */

/* Make room at the end of the window for one more chain. Return: is there any? */
static bool net_rx_compact(struct net_rx *r)
{
	if (r->first + r->n < NET_QUEUE && r->iov_first + r->niov <= VQ_SIZE_MAX)
		return true;
	memmove(r->chain, r->chain + r->first, r->n * sizeof(r->chain[0]));
	memmove(r->iov, r->iov + r->iov_first, r->niov * sizeof(r->iov[0]));
	r->first = r->iov_first = 0;
	return r->n < NET_QUEUE && r->niov <= VQ_SIZE_MAX;
}

/* Gather buffers until the window has @want bytes; without mergeable buffers, one chain.
 * Return: false, not that much; a kick will come when the driver adds buffers
 */
static bool net_rx_gather(struct net_pair *p, size_t want)
{
	struct net_rx *r = &p->rx;

	while (r->len < want && (p->n->mergeable || !r->n)) {
		struct span *s = &p->n->c.to_driver;

		if (!net_rx_compact(r) || !virtio_pop(&p->n->v, p->rxq, &p->n->c))
			return false;
		if (!s->n || p->n->c.from_driver.n) {
			virtio_broken(&p->n->v, "receive buffer that is not for writing");
			return false;
		}
		r->chain[r->first + r->n++] =
			(struct net_rx_chain){p->n->c.head, (uint16_t)s->n, s->len};
		memcpy(r->iov + r->iov_first + r->niov, s->v, s->n * sizeof(*s->v));
		r->niov += s->n;
		r->len += s->len;
	}
	return true;
}

/* The driver gets the oldest chains of the window, as many as @len bytes fill. */
static void net_rx_push(struct net_pair *p, size_t len)
{
	struct net_rx *r = &p->rx;

	while (len) {
		struct net_rx_chain *c = &r->chain[r->first];
		size_t used = MIN(len, c->len);

		virtq_push(p->rxq, c->head, (uint32_t)used);
		len -= used;
		r->len -= c->len;
		r->niov -= c->niov;
		r->iov_first += c->niov;
		r->first++;
		r->n--;
	}
}

static unsigned int net_rx_count(const struct net_rx *r, size_t len)
{
	unsigned int k = 0;

	while (len) {
		len -= MIN(len, r->chain[r->first + k].len);
		k++;
	}
	return k;
}

/* num_buffers of the frame in the window, which may lie across several buffers */
static void net_rx_put_count(struct net_rx *r, uint16_t count)
{
	const size_t at = offsetof(struct virtio_net_hdr_v1, num_buffers);
	struct iovec v[TAP_HDR_LEN]; /* span_skip() eats: keep the window's as they are */
	struct span s = {v, MIN(r->niov, ARRAY_SIZE(v)), r->len};

	if (r->iov[r->iov_first].iov_len >= TAP_HDR_LEN) {
		memcpy((uint8_t *)r->iov[r->iov_first].iov_base + at, &count,
		       sizeof(count));
		return;
	}
	memcpy(v, r->iov + r->iov_first, s.n * sizeof(v[0]));
	(void)span_skip(&s, at);
	(void)span_put(&s, &count, sizeof(count));
}

/* A frame of @len bytes is in the window: set its number of chains (5.1.6.4), push them. */
static void net_rx_deliver(struct net_pair *p, size_t len)
{
	net_rx_put_count(&p->rx, (uint16_t)net_rx_count(&p->rx, len));
	net_rx_push(p, len);
	if (p->n->rx_rate.limited)
		rate_spend(&p->n->rx_rate, 1, len - TAP_HDR_LEN);
	p->n->v.dev->io.read_bytes += len - TAP_HDR_LEN;
	p->n->v.dev->io.requests++;
}

/* The frame that waits: its end goes from @spill to where the window continues */
static void net_rx_unspill(struct net_rx *r)
{
	size_t at = 0, done = r->had;

	for (unsigned int i = r->iov_first; done < r->frame; at += r->iov[i++].iov_len) {
		size_t skip = done > at ? done - at : 0, k;

		if (skip >= r->iov[i].iov_len)
			continue;
		k = MIN(r->iov[i].iov_len - skip, r->frame - done);
		memcpy((uint8_t *)r->iov[i].iov_base + skip, r->spill + (done - r->had),
		       k);
		done += k;
	}
}

/* Return: false, the frame still waits */
static bool net_rx_resume(struct net_pair *p)
{
	struct net_rx *r = &p->rx;

	if (!r->frame)
		return true;
	if (!net_rx_gather(p, r->frame)) {
		if (!p->n->v.active || net_rx_compact(r))
			return false;
		r->frame = 0; /* a full window of tiny buffers will never suffice */
		return true;
	}
	net_rx_unspill(r);
	net_rx_deliver(p, r->frame);
	r->frame = 0;
	return true;
}

/* Return: may there be more frames after this error? */
static bool net_rx_error(struct net_pair *p, int code)
{
	switch (code) {
	case EAGAIN:
	case EINTR:
		return false;
	case EINVAL: /* a frame that the kernel cannot describe, or lacks memory for */
	case EFAULT:
	case ENOMEM:
	case ENOBUFS:
		return true;
	default:
		net_lost(p->n, code);
		return false;
	}
}

/* Buffers are gathered before the frame's size is known, and gathering many for each small one is
 * wasteful. A frame that is larger than expected is copied once.
 */
static void net_rx_learn(struct net_rx *r, size_t len)
{
	if (len > NET_RX_SMALL) {
		r->expect = NET_READ_MAX;
		r->small = 0;
	} else if (r->small < NET_RX_CALM && ++r->small == NET_RX_CALM) {
		r->expect = NET_RX_SMALL;
	}
}

/* Return: was there a frame to read? */
static bool net_rx_read(struct net_pair *p)
{
	struct net_rx *r = &p->rx;
	ssize_t len;

	r->iov[r->iov_first + r->niov] = (struct iovec){r->spill, sizeof(r->spill)};
	if (p->n->stream)
		len = netstream_readv(p->n->stream, r->iov + r->iov_first,
				      (int)r->niov + 1);
	else
		/* not readv(), which is a cancellation point: net_tx.c */
		len = syscall(SYS_readv, p->fd, r->iov + r->iov_first, r->niov + 1);
	if (len <= 0)
		return net_rx_error(p, len ? errno : ENOLINK);
	if (len < TAP_HDR_LEN + ETH_HLEN)
		return true; /* a runt */
	net_rx_learn(r, (size_t)len);
	if ((size_t)len <= r->len) {
		net_rx_deliver(p, (size_t)len);
	} else if (p->n->mergeable) {
		r->frame = (size_t)len;
		r->had = r->len;
	}
	return true;
}

/* No window */
static void net_rx_empty(struct net_rx *r)
{
	r->first = r->n = r->iov_first = r->niov = 0;
	r->len = r->had = 0;
}

/* The ring gets the window back, newest chain first */
static void net_rx_give_back(struct net_pair *p)
{
	struct net_rx *r = &p->rx;

	while (r->n) {
		r->n--;
		p->n->c.head = r->chain[r->first + r->n].head;
		virtq_unpop(p->rxq, &p->n->c);
	}
	net_rx_empty(r);
}

bool net_rx(struct net_pair *p)
{
	struct net_rx *r = &p->rx;
	unsigned int i;

	p->rx_dry = p->rx_held = false;
	/* The socket does not wake us for frames that a stream has read ahead */
	for (i = 0; (i < r->burst || (p->n->stream && netstream_more(p->n->stream))) &&
		    !p->n->dead;
	     i++) {
		if (!rate_ready(&p->n->rx_rate)) {
			p->rx_held = true;
			break;
		}
		if (!net_rx_resume(p)) {
			p->rx_dry = true;
			break;
		}
		if (!net_rx_gather(p, r->expect) && !r->n) {
			p->rx_dry = true;
			break;
		}
		if (!p->n->v.active || !net_rx_read(p))
			break;
	}
	/* The tap does not wake us for the end of a frame that has been read */
	if (r->frame && !p->rx_held && !p->rx_dry)
		p->rx_dry = !net_rx_resume(p);
	if (!p->n->v.active)
		return false;
	/* No other frame follows a lone one: the driver gets it before we check for more */
	r->burst = i < r->burst ? 1 : MIN(2 * r->burst, NET_BATCH + 0U);
	if (!r->frame)
		net_rx_give_back(p);
	virtio_notify(&p->n->v, p->rxq);
	net_want(p);
	return i > 0;
}

/* The frame that waits is whole in @spill. It fits, since the host sends none that is longer. */
static void net_rx_spill(struct net_rx *r)
{
	size_t done = 0;

	if (r->frame > sizeof(r->spill)) {
		r->frame = 0;
		return;
	}
	memmove(r->spill + r->had, r->spill, r->frame - r->had);
	for (unsigned int i = r->iov_first; done < r->had; i++) {
		size_t k = MIN(r->iov[i].iov_len, r->had - done);

		memcpy(r->spill + done, r->iov[i].iov_base, k);
		done += k;
	}
}

void net_rx_rest(struct net_pair *p)
{
	if (p->rx.frame)
		net_rx_spill(&p->rx);
	net_rx_give_back(p);
}

void net_rx_reset(struct net_pair *p)
{
	net_rx_empty(&p->rx);
	p->rx.frame = 0;
	p->rx.expect = NET_RX_SMALL;
	p->rx.small = 0;
	p->rx.burst = 1;
}
