/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net - virtio network device (virtio 1.2, 5.1) on a tap: pairs of queues, frames written
 * straight from the driver's buffers (net_tx.c) and read straight into them (net_rx.c).
 *
 * The header in front of each frame is also the tap's; the kernel checks the driver's values in a
 * copy of its own.
 */
#include "devices/virtio/net.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "vmm/core/util.h"

#define NET_DRAIN_MAX 2048 /* frames dropped at the start; a tap holds 1000 */

static struct net *net_of(struct virtio_dev *v)
{
	return container_of(v, struct net, v);
}

void net_want(struct net_pair *p)
{
	const struct net *n = p->n;
	uint32_t events = (p->rx_dry || p->rx_held ? 0U : (uint32_t)EPOLLIN) |
			  (p->tx_blocked ? (uint32_t)EPOLLOUT : 0U);
	bool awake = !n->dead && n->v.active && !n->v.resting && p < n->pair + n->used;

	loop_want(n->v.env->loop, &p->source, awake ? events : 0);
}

void net_lost(struct net *n, int code)
{
	if (n->dead)
		return;
	n->dead = true;
	net_link_lost(&n->link, n->stream ? "its" : "tap", code);
	for (unsigned int i = 0; i < n->npair; i++)
		net_want(&n->pair[i]);
}

static void net_kick(struct virtio_dev *v, unsigned int qi)
{
	struct net *n = net_of(v);
	struct net_pair *p = &n->pair[qi / 2];

	if (net_is_control(n, qi))
		net_control(n);
	else if (qi / 2 >= n->used)
		return; /* not in use, or no tap: it may wait */
	else if (qi % 2 == NET_TX)
		net_tx(p);
	else if (p->rx_dry)
		(void)net_rx(p);
}

static void net_on_tap(struct loop_source *s, uint32_t events)
{
	struct net_pair *p = container_of(s, struct net_pair, source);

	if (p->tx_blocked && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
		p->tx_blocked = false;
		net_tx(p);
	}
	if (p->n->v.active && !p->rx_dry && !p->rx_held)
		(void)net_rx(p);
	if (!p->n->v.active)
		net_want(p); /* broken or given up meanwhile: do not spin on frames */
}

/* Answers come soon after requests were sent. The tap stays in the loop's epoll, which the loop
 * does not ask while it polls: so nothing has to be changed
 */
static void net_poll_nop(struct loop_poller *p)
{
	(void)p;
}

static bool net_look(struct loop_poller *lp)
{
	struct net *n = container_of(lp, struct net, poller);
	bool any = false;

	for (struct net_pair *p = n->pair; p < n->pair + n->used; p++)
		if (n->v.active && !n->dead && !p->rx_dry && !p->rx_held)
			any |= net_rx(p);
	/* The process that will answer may need this very processor. But first it is the guest's
	 * turn, and a check takes half as long as that.
	 */
	n->misses = any ? 0 : n->misses + 1;
	if (n->misses > 1)
		(void)sched_yield();
	return any;
}

/* There are tokens again. The pairs take turns at being first. */
static void net_tx_go_on(struct rate *r)
{
	struct net *n = container_of(r, struct net, tx_rate);
	unsigned int first = n->turn++;

	for (unsigned int i = 0; i < n->used && n->v.active; i++)
		net_tx(&n->pair[(first + i) % n->used]);
}

static void net_rx_go_on(struct rate *r)
{
	struct net *n = container_of(r, struct net, rx_rate);
	unsigned int first = n->turn++;

	for (unsigned int i = 0; i < n->used && n->v.active; i++)
		(void)net_rx(&n->pair[(first + i) % n->used]);
}

/* ---- life ---- */

/* Frames from before the driver started have no receiver, and may not suit its features. */
static void net_drain(struct net_pair *p)
{
	struct iovec v = {p->rx.spill, sizeof(p->rx.spill)};

	for (unsigned int i = 0; i < NET_DRAIN_MAX; i++)
		if ((p->n->stream ? netstream_readv(p->n->stream, &v, 1)
				  : readv(p->fd, &v, 1)) <= 0)
			break;
}

int net_offload(struct net *n, uint64_t offloads)
{
	int rc = n->tap.offloads && !n->dead ? tap_offloads(&n->tap, offloads) : 0;

	n->waits = rc == -EAGAIN;
	if (rc == 0 || n->waits)
		n->offloads = offloads;
	return n->waits ? 0 : rc;
}

void net_late(struct net *n)
{
	(void)net_offload(
		n, n->offloads); /* a kernel accepts what it accepted at the probe */
	if (n->waits)
		return;
	net_drain(&n->pair[0]);
	for (unsigned int i = 0; i < n->used && n->v.active; i++)
		(void)net_rx(&n->pair[i]);
}

int net_use(struct net *n, unsigned int pairs)
{
	unsigned int before = n->used;
	int rc = n->dead || pairs == before ? 0 : tap_use(&n->tap, pairs);

	if (rc < 0) { /* some may be in use */
		(void)tap_use(&n->tap, before);
		return rc;
	}
	n->used = pairs;
	for (unsigned int i = 0; i < n->npair; i++)
		net_want(&n->pair[i]);
	/* Handle what their kicks were ignored for */
	for (unsigned int i = before; i < pairs && n->v.active; i++) {
		net_tx(&n->pair[i]);
		(void)net_rx(&n->pair[i]);
	}
	return 0;
}

static void net_pair_reset(struct net_pair *p)
{
	p->rx_dry = false;
	p->rx_held = p->n->waits;
	net_rx_reset(p);
	net_tx_reset(p);
	p->source.dev = p->n->v.dev;
	net_want(p);
}

static int net_activate(struct virtio_dev *v)
{
	struct net *n = net_of(v);
	int rc;

	n->mergeable = net_acked(n, VIRTIO_NET_F_MRG_RXBUF);
	n->poller.dev = v->dev;
	rc = n->stream ? 0 : net_offload(n, v->acked & TAP_OFFLOADS);
	if (rc < 0)
		return rc;
	net_drain(&n->pair[0]); /* the others had nothing to do */
	for (unsigned int i = 0; i < n->npair; i++)
		net_pair_reset(&n->pair[i]);
	loop_poll_want(v->env->loop, &n->poller, !v->resting);
	return net_link_start(&n->link);
}

static void net_reset(struct virtio_dev *v)
{
	struct net *n = net_of(v);

	loop_poll_want(v->env->loop, &n->poller, false);
	net_link_stop(&n->link);
	rate_stop(&n->rx_rate);
	rate_stop(&n->tx_rate);
	tap_limit_stop(&n->tap);
	n->waits = false;
	(void)net_use(n, 1);
	for (unsigned int i = 0; i < n->npair; i++)
		net_pair_reset(&n->pair[i]);
	n->offloads = 0; /* the tap's stay: the next driver usually chooses the same */
}

static void net_destroy(struct virtio_dev *v)
{
	struct net *n = net_of(v);

	for (unsigned int i = 0; i < n->npair; i++) {
		loop_del(v->env->loop, &n->pair[i].source);
		net_tx_fini(&n->pair[i]);
	}
	rate_fini(&n->rx_rate);
	rate_fini(&n->tx_rate);
	net_link_fini(&n->link);
	netstream_destroy(n->stream);
	tap_close(&n->tap);
	free(n->pair);
	free(n);
}

static const struct virtio_ops net_ops = {
	.arm = net_arm,
	.activate = net_activate,
	.kick = net_kick,
	.config_written = virtio_nop_config_written,
	.reset = net_reset,
	.rest = net_rest,
	.wake = net_wake,
	.state = net_state,
	.destroy = net_destroy,
};

void net_init(struct net *n, const int *fds, const struct config_net *c)
{
	struct loop *loop = n->v.env->loop;

	n->v.ops = &net_ops;
	for (unsigned int i = 0; i < n->npair; i++) {
		struct net_pair *p = &n->pair[i];

		/* Zeroed already; do not write it, as most of it is never used */
		p->n = n;
		p->rxq = &n->vq[2 * i + NET_RX];
		p->txq = &n->vq[2 * i + NET_TX];
		p->fd = fds[i];
		p->source = (struct loop_source){.fd = fds[i], .fn = net_on_tap};
	}
	n->used = 1;
	n->poller = (struct loop_poller){
		.begin = net_poll_nop, .look = net_look, .end = net_poll_nop};
	loop_poll_add(loop, &n->poller);
	rate_init(&n->rx_rate, &c->rx, loop, net_rx_go_on);
	rate_init(&n->tx_rate, &c->tx, loop, net_tx_go_on);
	net_control_init(n);
}
