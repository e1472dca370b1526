// SPDX-License-Identifier: Apache-2.0
/*
 * net - virtio network device (virtio 1.2, 5.1) on a tap: one queue each way, frames
 * written straight from the driver's buffers (net_tx.c) and read straight into them
 * (net_rx.c).
 *
 * The header in front of each frame is the tap's as well; the kernel checks what a driver
 * says in it, on a copy of its own.
 */
#include "devices/virtio/net.h"

#include <errno.h>
#include <sched.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "devices/backend/passt.h"
#include "devices/virtio/devices.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

#define NET_DRAIN_MAX 2048 /* frames thrown away at the start; a tap holds 1000 */

static struct net *net_of(struct virtio_dev *v)
{
	return container_of(v, struct net, v);
}

static bool net_acked(const struct net *n, unsigned int feature)
{
	return n->v.acked & (1ULL << feature);
}

void net_want(struct net *n)
{
	uint32_t events = (n->rx_dry ? 0U : (uint32_t)EPOLLIN) |
			  (n->tx_blocked ? (uint32_t)EPOLLOUT : 0U);

	loop_want(n->v.env->loop, &n->source, n->dead || !n->v.active ? 0 : events);
}

void net_lost(struct net *n, int code)
{
	log_warn("%s: %s %s is gone (%s); the guest's link is down", n->v.name,
		 n->stream ? "its" : "tap", n->tap.name, strerror(code));
	n->dead = true;
	n->config.status = 0;
	virtio_config_changed(&n->v);
	net_want(n);
}

static void net_kick(struct virtio_dev *v, unsigned int qi)
{
	struct net *n = net_of(v);

	if (qi == NET_TX)
		net_tx(n);
	else if (n->rx_dry)
		(void)net_rx(n);
}

static void net_on_tap(struct loop_source *s, uint32_t events)
{
	struct net *n = container_of(s, struct net, source);

	if (n->tx_blocked && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
		n->tx_blocked = false;
		net_tx(n);
	}
	if (n->v.active && !n->rx_dry)
		(void)net_rx(n);
	if (!n->v.active)
		net_want(n); /* broken or given up meanwhile: frames may not spin us */
}

/* Answers come soon after what was sent.  The tap stays in the loop's epoll, which is not
 * asked while it looks: nothing has to be done for that
 */
static void net_poll_nop(struct loop_poller *p)
{
	(void)p;
}

static bool net_look(struct loop_poller *p)
{
	struct net *n = container_of(p, struct net, poller);

	if (n->v.active && !n->dead && !n->rx_dry && net_rx(n))
		return true;
	/* Who is to answer may wait for this very processor; if nobody does, this is short */
	(void)sched_yield();
	return false;
}

/* ---- life ---- */

/* What came before there was a driver is nobody's, and not as this driver wants it. */
static void net_drain(struct net *n)
{
	struct iovec v = {n->rx.spill, sizeof(n->rx.spill)};

	for (unsigned int i = 0; i < NET_DRAIN_MAX && n->stream; i++)
		if (netstream_readv(n->stream, &v, 1) <= 0)
			return;
	for (unsigned int i = 0; i < NET_DRAIN_MAX && !n->stream; i++)
		if (readv(n->tap.fd, &v, 1) <= 0)
			break;
}

static int net_activate(struct virtio_dev *v)
{
	struct net *n = net_of(v);
	bool csum = net_acked(n, VIRTIO_NET_F_GUEST_CSUM);
	int rc = 0;

	n->mergeable = net_acked(n, VIRTIO_NET_F_MRG_RXBUF);
	n->rx_dry = false;
	net_rx_reset(n);
	net_tx_reset(n);
	net_drain(n);
	if (n->tap.offloads && !n->dead)
		rc = tap_offloads(&n->tap, csum, net_acked(n, VIRTIO_NET_F_GUEST_TSO4),
				  net_acked(n, VIRTIO_NET_F_GUEST_TSO6));
	n->source.dev = n->poller.dev = v->dev;
	net_want(n);
	loop_poll_want(v->env->loop, &n->poller, true);
	return rc;
}

static void net_reset(struct virtio_dev *v)
{
	struct net *n = net_of(v);

	loop_want(v->env->loop, &n->source, 0);
	loop_poll_want(v->env->loop, &n->poller, false);
	net_rx_reset(n);
	net_tx_reset(n);
	if (n->tap.offloads && !n->dead)
		(void)tap_offloads(&n->tap, false, false, false);
}

static void net_destroy(struct virtio_dev *v)
{
	struct net *n = net_of(v);

	loop_del(v->env->loop, &n->source);
	net_tx_fini(n);
	netstream_destroy(n->stream);
	tap_close(&n->tap);
	free(n);
}

static const struct virtio_ops net_ops = {
	.activate = net_activate,
	.kick = net_kick,
	.config_written = virtio_nop_config_written,
	.reset = net_reset,
	.state = virtio_nop_state,
	.destroy = net_destroy,
};

static uint64_t net_hash(uint64_t h, const char *s)
{
	do { /* FNV-1a, the NUL included */
		h = (h ^ (uint8_t)*s) * UINT64_C(0x100000001b3);
	} while (*s++);
	return h;
}

void net_mac(uint8_t mac[6], const struct config *cfg, const struct config_net *c,
	     const char *where)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	if (c->has_mac) {
		memcpy(mac, c->mac, sizeof(c->mac));
		return;
	}
	h = net_hash(net_hash(h, cfg->name ? cfg->name : ""), where);
	memcpy(mac, &h, sizeof(c->mac));
	mac[0] = (uint8_t)((mac[0] & 0xfc) | 0x02);
}

static void net_features(struct net *n, const struct config_net *c)
{
	n->v.offered = 1ULL << VIRTIO_NET_F_MAC | 1ULL << VIRTIO_NET_F_STATUS |
		       1ULL << VIRTIO_NET_F_MRG_RXBUF;
	if (!n->stream) /* its frames have no header to say what is left to do */
		n->v.offered |= 1ULL << VIRTIO_NET_F_CSUM |
				1ULL << VIRTIO_NET_F_HOST_TSO4 |
				1ULL << VIRTIO_NET_F_HOST_TSO6;
	if (n->tap.offloads)
		n->v.offered |= 1ULL << VIRTIO_NET_F_GUEST_CSUM |
				1ULL << VIRTIO_NET_F_GUEST_TSO4 |
				1ULL << VIRTIO_NET_F_GUEST_TSO6;
	n->config.status = VIRTIO_NET_S_LINK_UP;
	if (c->mtu) {
		n->v.offered |= 1ULL << VIRTIO_NET_F_MTU;
		n->config.mtu = c->mtu;
	}
}

/* On @tap, or on @stream, of which @fd wakes us; named @name */
static struct virtio_dev *net_new(const struct virtio_env *env, unsigned int i,
				  const struct tap *tap, struct netstream *stream, int fd,
				  struct err *e)
{
	struct net *n = calloc(1, sizeof(*n));

	if (!n) {
		err_set(e, ENOMEM, "net%u: out of memory", i);
		return NULL;
	}
	n->tap = *tap;
	n->stream = stream;
	n->source = (struct loop_source){.fd = fd, .fn = net_on_tap};
	n->poller = (struct loop_poller){
		.begin = net_poll_nop, .look = net_look, .end = net_poll_nop};
	loop_poll_add(env->loop, &n->poller);
	n->v = (struct virtio_dev){
		.ops = &net_ops,
		.id = VIRTIO_ID_NET,
		.vq = n->vq,
		.nvq = ARRAY_SIZE(n->vq),
		.polled = true,
		.config = &n->config,
		.config_len = sizeof(n->config),
		.env = env,
	};
	(void)snprintf(n->v.name, sizeof(n->v.name), "net%u", i);
	virtq_init(&n->vq[NET_RX], NET_QUEUE);
	virtq_init(&n->vq[NET_TX], NET_QUEUE);
	net_mac(n->config.mac, env->cfg, &env->cfg->net[i],
		n->stream ? n->v.name : n->tap.name);
	net_features(n, &env->cfg->net[i]);
	return &n->v;
}

struct virtio_dev *net_create_on(const struct virtio_env *env, unsigned int i,
				 const struct tap *tap, struct err *e)
{
	return net_new(env, i, tap, NULL, tap->fd, e);
}

struct virtio_dev *net_create_stream(const struct virtio_env *env, unsigned int i, int fd,
				     struct err *e)
{
	const struct tap none = {.fd = -1, .name = "passt"};
	struct netstream *s = netstream_create(fd);
	struct virtio_dev *v;

	if (!s) {
		err_set(e, ENOMEM, "net%u: out of memory", i);
		return NULL;
	}
	v = net_new(env, i, &none, s, fd, e);
	if (!v)
		netstream_destroy(s);
	return v;
}

static struct virtio_dev *net_create_user(const struct virtio_env *env, unsigned int i,
					  struct err *e)
{
	/* A dry run has the card, and nobody at its other end */
	int fd = env->cfg->dry_run ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)
				   : passt_start(&env->cfg->net[i], e);

	if (fd < 0 && env->cfg->dry_run)
		err_set(e, errno, "net%u: no socket: %s", i, strerror(errno));
	return fd < 0 ? NULL : net_create_stream(env, i, fd, e);
}

struct virtio_dev *net_create(const struct virtio_env *env, unsigned int i, struct err *e)
{
	struct virtio_dev *v;
	struct tap tap;

	if (env->cfg->net[i].user)
		return net_create_user(env, i, e);
	if (tap_open(&tap, env->cfg, i, e) < 0)
		return NULL;
	v = net_create_on(env, i, &tap, e);
	if (!v)
		tap_close(&tap);
	return v;
}
