/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vsock_conn - how a packet of the guest's, or an event of the host's socket, changes a
 * connection (virtio 1.2, 5.10.6.6).
 *
 * A guest that breaks the rules of a connection loses it. A connection is over when both sides
 * know: the guest answers SHUTDOWN of both directions by RST, and so do we; bytes that the guest
 * sent before are still written to the host's socket (VSOCK_LINGER).
 */
#include "devices/virtio/vsock.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "vmm/core/log.h"

static ssize_t vsock_send(const struct vsock_conn *c, struct iovec *v, unsigned int n)
{
	struct msghdr m = {.msg_iov = v, .msg_iovlen = n};
	ssize_t rc = sendmsg(c->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);

	return rc < 0 ? -errno : rc;
}

void vsock_reset(struct vsock *s, struct vsock_conn *c)
{
	if (!c->hashed) { /* the guest does not know it */
		vsock_bury(s, c);
		return;
	}
	vsock_unwatch(s, c);
	c->fill = 0;
	c->stage = VSOCK_CLOSING;
	c->due = 1U << VIRTIO_VSOCK_OP_RST;
	vsock_time(s, c);
	vsock_ready(s, c);
}

/* Closed for the guest; the host may still have bytes to read. */
static void vsock_detach(struct vsock *s, struct vsock_conn *c)
{
	vsock_unhash(c);
	c->due = 0;
	if (c->fd < 0 || !c->fill) {
		vsock_bury(s, c);
		return;
	}
	c->stage = VSOCK_LINGER;
	c->guest_shut = VSOCK_SHUT_BOTH;
	vsock_time(s, c);
	vsock_ready(s, c);
}

/* The host's socket is closed, and nothing is left to read from it. */
static void vsock_host_gone(struct vsock *s, struct vsock_conn *c)
{
	vsock_unwatch(s, c);
	c->stage = VSOCK_CLOSING;
	vsock_time(s, c);
}

static void vsock_host_shut(struct vsock *s, struct vsock_conn *c, uint8_t how)
{
	if (c->stage != VSOCK_OPEN || (c->host_shut & how) == how)
		return;
	c->host_shut |= how;
	c->due |= 1U << VIRTIO_VSOCK_OP_SHUTDOWN;
	if (c->host_shut == VSOCK_SHUT_BOTH)
		vsock_host_gone(s, c);
	vsock_ready(s, c);
}

void vsock_host_eof(struct vsock *s, struct vsock_conn *c)
{
	c->readable = false;
	vsock_host_shut(s, c, VIRTIO_VSOCK_SHUTDOWN_SEND);
}

void vsock_host_deaf(struct vsock *s, struct vsock_conn *c)
{
	if (c->fill)
		vsock_forwarded(c, c->fill);
	c->fill = 0;
	if (c->stage == VSOCK_LINGER)
		vsock_bury(s, c);
	else if (c->stage == VSOCK_CLOSING)
		vsock_unwatch(s, c);
	else
		vsock_host_shut(s, c, VIRTIO_VSOCK_SHUTDOWN_RCV);
}

/* All that the guest sent is in the socket. */
static void vsock_drained(struct vsock *s, struct vsock_conn *c)
{
	if (c->stage == VSOCK_LINGER)
		vsock_bury(s, c);
	else if (c->guest_shut == VSOCK_SHUT_BOTH)
		vsock_unwatch(s, c);
	else if (c->guest_shut & VIRTIO_VSOCK_SHUTDOWN_SEND)
		(void)shutdown(c->fd, SHUT_WR);
}

static void vsock_send_failed(struct vsock *s, struct vsock_conn *c, ssize_t rc)
{
	if (rc == -EPIPE || rc == -ECONNRESET)
		vsock_host_deaf(s, c);
	else
		vsock_reset(s, c);
}

static void vsock_flush(struct vsock *s, struct vsock_conn *c)
{
	while (c->fill) {
		struct iovec iov[2];
		ssize_t n = vsock_send(c, iov, vsock_buf_iov(c, iov));

		if (n == -EAGAIN)
			break;
		if (n < 0) {
			vsock_send_failed(s, c, n);
			return;
		}
		vsock_buf_eat(c, (uint32_t)n);
		vsock_forwarded(c, (uint32_t)n);
		if (c->timed)
			vsock_time(s, c);
	}
	if (vsock_watch(s, c, c->fill) < 0)
		vsock_reset(s, c);
	else if (!c->fill)
		vsock_drained(s, c);
}

/* ---- from the guest ---- */

static void vsock_data(struct vsock *s, struct vsock_conn *c, struct span *data)
{
	uint32_t len = (uint32_t)data->len;
	ssize_t n = 0;

	if ((c->guest_shut & VIRTIO_VSOCK_SHUTDOWN_SEND) || len > c->credit - c->fill) {
		log_guest(
			"%s: data beyond what the guest may send; its connection is reset",
			s->v.name);
		vsock_reset(s, c);
		return;
	}
	s->v.dev->io.written_bytes += len;
	s->v.dev->io.requests++;
	if (!len)
		return;
	if (c->host_shut & VIRTIO_VSOCK_SHUTDOWN_RCV) {
		vsock_forwarded(c, len);
		return;
	}
	if (!c->fill)
		n = vsock_send(c, data->v, data->n);
	if (n == -EAGAIN)
		n = 0;
	if (n < 0) {
		vsock_forwarded(c, len);
		vsock_send_failed(s, c, n);
		return;
	}
	BUG_ON(!span_skip(data, (size_t)n));
	vsock_forwarded(c, (uint32_t)n);
	vsock_buf_put(c, data);
	if (c->fill && !c->watch_out && vsock_watch(s, c, true) < 0)
		vsock_reset(s, c);
}

static void vsock_guest_shut(struct vsock *s, struct vsock_conn *c, uint32_t flags)
{
	c->guest_shut |= flags & VSOCK_SHUT_BOTH;
	if (c->guest_shut == VSOCK_SHUT_BOTH) {
		c->stage = VSOCK_CLOSING;
		c->due = 1U << VIRTIO_VSOCK_OP_RST;
		vsock_time(s, c);
	} else if (c->guest_shut & VIRTIO_VSOCK_SHUTDOWN_RCV) {
		c->readable = false;
		if (c->fd >= 0)
			(void)shutdown(c->fd, SHUT_RD);
	}
	if (c->fd >= 0 && !c->fill)
		vsock_drained(s, c);
}

/* The guest listens: the client learns its own port, and all later bytes are between it and the
 * guest.
 */
static void vsock_accepted(struct vsock *s, struct vsock_conn *c)
{
	char ok[32];
	struct iovec v = {ok, 0};

	v.iov_len = (size_t)snprintf(ok, sizeof(ok), "OK %u\n", c->host_port);
	if (vsock_send(c, &v, 1) != (ssize_t)v.iov_len) {
		vsock_reset(s, c);
		return;
	}
	vsock_untime(s, c);
	c->stage = VSOCK_OPEN;
	c->readable = true; /* epoll may have reported it already */
}

static void vsock_open_packet(struct vsock *s, struct vsock_conn *c,
			      const struct virtio_vsock_hdr *h, struct span *data)
{
	switch (h->op) {
	case VIRTIO_VSOCK_OP_RW:
		vsock_data(s, c, data);
		break;
	case VIRTIO_VSOCK_OP_SHUTDOWN:
		vsock_guest_shut(s, c, h->flags);
		break;
	case VIRTIO_VSOCK_OP_CREDIT_UPDATE:
		break;
	case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
		c->due |= 1U << VIRTIO_VSOCK_OP_CREDIT_UPDATE;
		break;
	default:
		log_guest("%s: packet of type %u out of place; its connection is reset",
			  s->v.name, h->op);
		vsock_reset(s, c);
	}
}

static void vsock_packet(struct vsock *s, struct vsock_conn *c,
			 const struct virtio_vsock_hdr *h, struct span *data)
{
	bool rst_due = c->due & 1U << VIRTIO_VSOCK_OP_RST;

	if (h->op == VIRTIO_VSOCK_OP_RST) {
		vsock_detach(s, c);
		return;
	}
	if (c->stage == VSOCK_CLOSING) {
		if (h->op == VIRTIO_VSOCK_OP_SHUTDOWN && !rst_due)
			vsock_guest_shut(s, c, h->flags);
	} else if (vsock_learn(c, h) < 0) {
		log_guest("%s: credit for what was never sent; its connection is reset",
			  s->v.name);
		vsock_reset(s, c);
	} else if (c->stage == VSOCK_OPEN) {
		vsock_open_packet(s, c, h, data);
	} else if (h->op == VIRTIO_VSOCK_OP_RESPONSE &&
		   !(c->due & 1U << VIRTIO_VSOCK_OP_REQUEST)) {
		vsock_accepted(s, c);
	} else {
		vsock_reset(s, c);
	}
	vsock_ready(s, c);
}

void vsock_from_guest(struct vsock *s, const struct virtio_vsock_hdr *h,
		      struct span *data)
{
	bool ours = h->type == VIRTIO_VSOCK_TYPE_STREAM && h->dst_cid == VSOCK_HOST_CID;
	struct vsock_conn *c = NULL;

	if (h->src_cid != s->config.guest_cid) {
		log_guest("%s: packet in another's name dropped", s->v.name);
		return; /* an answer would go to another connection */
	}
	if (ours)
		c = vsock_find(s, h->src_port, h->dst_port);
	if (c)
		vsock_packet(s, c, h, data);
	else if (ours && h->op == VIRTIO_VSOCK_OP_REQUEST)
		vsock_guest_connects(s, h);
	else if (h->op != VIRTIO_VSOCK_OP_RST)
		vsock_refuse(s, h);
}

void vsock_told(struct vsock *s, struct vsock_conn *c, uint16_t op)
{
	c->due &= ~(1U << op);
	if (op == VIRTIO_VSOCK_OP_RST)
		vsock_detach(s, c);
}

/* ---- from the host ---- */

void vsock_news(struct vsock *s, struct vsock_conn *c, uint32_t events)
{
	bool over = events & (EPOLLHUP | EPOLLERR);

	if (c->stage == VSOCK_GREETING) {
		vsock_greet(s, c);
		return;
	}
	if (c->stage == VSOCK_CONNECTING) {
		if (!over)
			return;
		if (c->due) /* the guest has not been told of it */
			vsock_bury(s, c);
		else
			vsock_reset(s, c);
		return;
	}
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		c->readable = !(c->guest_shut & VIRTIO_VSOCK_SHUTDOWN_RCV);
	if (over) {
		vsock_host_deaf(s, c);
		if (c->guest_shut & VIRTIO_VSOCK_SHUTDOWN_RCV)
			vsock_host_eof(s, c);
	} else if ((events & EPOLLOUT) && c->fd >= 0 && c->watch_out) {
		vsock_flush(s, c);
	}
	vsock_ready(s, c);
}
