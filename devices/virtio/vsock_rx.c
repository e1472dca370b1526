/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vsock_rx - packets into the guest's receive buffers: refusals first, then each ready
 * connection in turn, one packet or one read of data at a time.
 *
 * Data is read from the socket straight into as many buffers as the connection has credit
 * for (a driver's are small: Linux posts 4 KiB each), and only then are the headers known.
 */
#include "devices/virtio/vsock.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

void vsock_refuse(struct vsock *s, const struct virtio_vsock_hdr *h)
{
	unsigned int i = (s->refusal_first + s->nrefusal) % VSOCK_REFUSALS_MAX;

	BUG_ON(s->nrefusal == VSOCK_REFUSALS_MAX);
	s->refusal[i] =
		(struct vsock_refusal){h->dst_cid, h->src_port, h->dst_port, h->type};
	s->nrefusal++;
}

/* Return: is there a receive buffer in @s->c? */
static bool vsock_rx_pop(struct vsock *s)
{
	if (!virtio_pop(&s->v, &s->vq[VSOCK_RX], &s->c))
		return false;
	if (s->c.to_driver.len >= VSOCK_HDR_LEN && !s->c.from_driver.n)
		return true;
	virtio_broken(&s->v, "receive buffer that is not for writing, or has no room for "
			     "a header");
	return false;
}

/* A packet that is a header.  Return: false, there is no buffer for it */
static bool vsock_rx_put(struct vsock *s, const struct virtio_vsock_hdr *h)
{
	if (!vsock_rx_pop(s))
		return false;
	BUG_ON(!span_put(&s->c.to_driver, h, VSOCK_HDR_LEN));
	virtq_push(&s->vq[VSOCK_RX], s->c.head, VSOCK_HDR_LEN);
	return true;
}

static bool vsock_rx_refusal(struct vsock *s)
{
	const struct vsock_refusal *r = &s->refusal[s->refusal_first];
	struct virtio_vsock_hdr h = {
		.src_cid = r->cid,
		.dst_cid = s->config.guest_cid,
		.src_port = r->port,
		.dst_port = r->guest_port,
		.type = r->type,
		.op = VIRTIO_VSOCK_OP_RST,
	};

	if (!vsock_rx_put(s, &h))
		return false;
	s->refusal_first = (s->refusal_first + 1) % VSOCK_REFUSALS_MAX;
	s->nrefusal--;
	return true;
}

static bool vsock_rx_control(struct vsock *s, struct vsock_conn *c)
{
	static const uint16_t order[] = {
		VIRTIO_VSOCK_OP_RST,
		VIRTIO_VSOCK_OP_REQUEST,
		VIRTIO_VSOCK_OP_RESPONSE,
		VIRTIO_VSOCK_OP_CREDIT_UPDATE,
		VIRTIO_VSOCK_OP_CREDIT_REQUEST,
		VIRTIO_VSOCK_OP_SHUTDOWN,
	};
	struct virtio_vsock_hdr h;
	unsigned int i = 0;

	while (!(c->due & 1U << order[i]))
		i++;
	h = vsock_header(s, c, order[i]);
	if (!vsock_rx_put(s, &h))
		return false;
	vsock_told(s, c, order[i]);
	return true;
}

/* The chain in @s->c joins the gather: its first bytes for the header, the rest for data. */
static void vsock_gather_add(struct vsock *s)
{
	struct vsock_gather *g = &s->gather;
	struct span *t = &s->c.to_driver;
	struct iovec *hdr = g->hdr + g->nhdr;
	unsigned int n = MIN(t->n, VSOCK_HDR_LEN);

	memcpy(hdr, t->v, n * sizeof(*hdr));
	n = vsock_trim(hdr, n, VSOCK_HDR_LEN);
	g->nhdr += n;
	BUG_ON(!span_skip(t, VSOCK_HDR_LEN));
	memcpy(g->iov + g->niov, t->v, t->n * sizeof(*t->v));
	g->niov += t->n;
	g->len += t->len;
	g->chain[g->n].head = s->c.head;
	g->chain[g->n].hdr = (struct span){hdr, n, VSOCK_HDR_LEN};
	g->chain[g->n++].len = t->len;
}

static void vsock_gather(struct vsock *s, size_t want, unsigned int most)
{
	struct vsock_gather *g = &s->gather;

	g->n = g->niov = g->nhdr = 0;
	g->len = 0;
	while (g->n < most && g->len < want && g->niov <= VQ_SIZE_MAX &&
	       g->nhdr + VSOCK_HDR_LEN <= ARRAY_SIZE(g->hdr) && vsock_rx_pop(s))
		vsock_gather_add(s);
	if (g->len > want) {
		g->niov = vsock_trim(g->iov, g->niov, want);
		g->len = want;
	}
}

/* @len bytes are in the gathered buffers: headers for those that have some, the others go
 * back.
 */
static void vsock_gather_push(struct vsock *s, struct vsock_conn *c, size_t len)
{
	struct vsock_gather *g = &s->gather;
	unsigned int i;

	for (i = 0; i < g->n && len; i++) {
		struct virtio_vsock_hdr h = vsock_header(s, c, VIRTIO_VSOCK_OP_RW);

		h.len = (uint32_t)MIN(len, g->chain[i].len);
		BUG_ON(!span_put(&g->chain[i].hdr, &h, VSOCK_HDR_LEN));
		virtq_push(&s->vq[VSOCK_RX], g->chain[i].head, VSOCK_HDR_LEN + h.len);
		len -= h.len;
		s->v.dev->io.requests++;
	}
	while (g->n > i) {
		s->c.head = g->chain[--g->n].head;
		virtq_unpop(&s->vq[VSOCK_RX], &s->c);
	}
}

static void vsock_read_ended(struct vsock *s, struct vsock_conn *c, ssize_t n)
{
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		c->readable = errno == EINTR;
		return;
	}
	vsock_host_eof(s, c);
	if (n < 0 && c->stage == VSOCK_OPEN)
		vsock_host_deaf(s, c);
}

/* No room in the guest: is there a reason to ask for some? */
static void vsock_rx_stalled(struct vsock *s, struct vsock_conn *c)
{
	char byte;
	ssize_t n = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n <= 0) {
		vsock_read_ended(s, c, n);
		return;
	}
	c->asked = true;
	c->due |= 1U << VIRTIO_VSOCK_OP_CREDIT_REQUEST;
}

/* Return: false, there is no buffer */
static bool vsock_rx_data(struct vsock *s, struct vsock_conn *c)
{
	struct vsock_gather *g = &s->gather;
	uint32_t credit = vsock_credit(c);
	ssize_t n;

	if (!credit) {
		vsock_rx_stalled(s, c);
		return true;
	}
	vsock_gather(s, MIN(credit, VSOCK_READ_MAX), c->bulk ? VSOCK_GATHER_MAX : 1);
	if (!s->v.active || !g->n)
		return false;
	if (!g->len) {
		virtio_broken(&s->v, "receive buffer without room for data");
		return false;
	}
	n = readv(c->fd, g->iov, (int)g->niov);
	vsock_gather_push(s, c, n > 0 ? (size_t)n : 0);
	if (n <= 0) {
		vsock_read_ended(s, c, n);
		return true;
	}
	c->tx_cnt += (uint32_t)n;
	c->bulk = (size_t)n == g->len;
	s->v.dev->io.read_bytes += (uint64_t)n;
	return true;
}

void vsock_rx(struct vsock *s)
{
	struct vsock_conn *c;

	while (s->nrefusal && vsock_rx_refusal(s))
		;
	while (!s->nrefusal && s->v.active && (c = TAILQ_FIRST(&s->ready))) {
		if (!(c->due ? vsock_rx_control(s, c) : vsock_rx_data(s, c)))
			break;
		/* those that are still ready go after the others */
		if (c->ready) {
			TAILQ_REMOVE(&s->ready, c, in_ready);
			c->ready = false;
		}
		vsock_ready(s, c);
	}
	virtio_notify(&s->v, &s->vq[VSOCK_RX]);
}
