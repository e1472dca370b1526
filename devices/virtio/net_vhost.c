/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_vhost - a network card whose queues are served elsewhere: by the kernel, on a tap
 * (vhost=on), or by another process (vhost-user=SOCKET).
 */
#include "devices/virtio/net.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "devices/backend/vhost_net.h"
#include "devices/virtio/devices.h"
#include "devices/virtio/vhost_user_device.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

#define NET_BIT(f) (1ULL << (f))
/* Features that only change how frames move, and add no queue */
#define NET_PASSES                                                             \
	(NET_BIT(VIRTIO_NET_F_CSUM) | NET_BIT(VIRTIO_NET_F_GUEST_CSUM) |       \
	 NET_BIT(VIRTIO_NET_F_GUEST_TSO4) | NET_BIT(VIRTIO_NET_F_GUEST_TSO6) | \
	 NET_BIT(VIRTIO_NET_F_GUEST_ECN) | NET_BIT(VIRTIO_NET_F_GUEST_UFO) |   \
	 NET_BIT(VIRTIO_NET_F_HOST_TSO4) | NET_BIT(VIRTIO_NET_F_HOST_TSO6) |   \
	 NET_BIT(VIRTIO_NET_F_HOST_ECN) | NET_BIT(VIRTIO_NET_F_HOST_UFO) |     \
	 NET_BIT(VIRTIO_NET_F_MRG_RXBUF))
/* Features of the kernel's queues; the other features are the tap's */
#define NET_RING_FEATURES                                                 \
	(NET_BIT(VIRTIO_F_VERSION_1) | NET_BIT(VIRTIO_RING_F_EVENT_IDX) | \
	 NET_BIT(VIRTIO_RING_F_INDIRECT_DESC) | NET_BIT(VIRTIO_NET_F_MRG_RXBUF))

/* Our part of a card's configuration. Return: the features that go with it */
static uint64_t net_describe(struct virtio_net_config *config,
			     const struct virtio_env *env, unsigned int i,
			     const char *where)
{
	const struct config_net *c = &env->cfg->net[i];
	uint64_t ours = NET_BIT(VIRTIO_NET_F_MAC) | NET_BIT(VIRTIO_NET_F_STATUS);

	*config = (struct virtio_net_config){.status = VIRTIO_NET_S_LINK_UP};
	net_mac(config->mac, env->cfg, c, where);
	if (c->mtu) {
		config->mtu = c->mtu;
		ours |= NET_BIT(VIRTIO_NET_F_MTU);
	}
	return ours;
}

/* ---- another process ---- */

static struct virtio_dev *net_user_create(const struct virtio_env *env, unsigned int i,
					  struct err *e)
{
	const char *socket = env->cfg->net[i].vhost_user;
	struct vu_dev *d = vu_create(env, env->cfg->net[i].id, e);
	struct virtio_net_config config;
	uint64_t ours;

	if (!d)
		return NULL;
	if (vu_connect(d, socket, e) < 0) {
		vu_destroy(d);
		return NULL;
	}
	if (d->u.queues < 2) {
		err_set(e, EPROTO, "%s: who listens there is no network card", socket);
		vu_destroy(d);
		return NULL;
	}
	ours = net_describe(&config, env, i, socket);
	vu_put_config(d, &config, sizeof(config));
	vu_may_return(d); /* frames may get lost or come twice */
	return vu_offer(d, VIRTIO_ID_NET, 2, NET_QUEUE, NET_PASSES, ours);
}

/* ---- the kernel ---- */

struct net_kernel {
	struct virtio_dev v;
	struct virtq vq[2];
	struct virtio_net_config config;
	struct tap tap;
	struct vhost_net h;
	struct vhost_ring ring[2];
	bool waits;  /* for the tap to be changed; meanwhile the queues are not served */
	bool served; /* the kernel has the rings, and serves them except at rest */
	struct loop_source errors;
	struct net_link link; /* no control queue, so nothing is announced */
};

static struct net_kernel *net_kernel_of(struct virtio_dev *v)
{
	return container_of(v, struct net_kernel, v);
}

static void net_kernel_failed(struct loop_source *s, uint32_t events)
{
	struct net_kernel *n = container_of(s, struct net_kernel, errors);
	eventfd_t count;

	(void)events;
	(void)eventfd_read(s->fd, &count);
	loop_want(n->v.env->loop, s, 0);
	virtio_broken(&n->v, "the kernel cannot make sense of a queue");
}

/* Set the tap up for this driver, then start the queues: now, or when the tap may be changed.
 * Return: 0 or -errno
 */
static int net_kernel_serve(struct net_kernel *n)
{
	uint64_t acked = n->v.acked;
	int rc = n->tap.offloads ? tap_offloads(&n->tap, acked & TAP_OFFLOADS) : 0;

	n->waits = rc == -EAGAIN;
	if (n->waits)
		return 0;
	rc = vhost_net_start(&n->h, acked & n->h.features & NET_RING_FEATURES,
			     n->v.env->mem, n->ring, n->tap.fd[0]);
	n->served = rc == 0;
	return rc;
}

static void net_kernel_may_change(struct rate *r)
{
	struct net_kernel *n = container_of(r, struct net_kernel, tap.changes);

	if (n->v.active && n->waits && net_kernel_serve(n) < 0)
		virtio_broken(&n->v, "the kernel refuses its queues");
}

/* Return: 0 or -errno */
static int net_kernel_go_on(struct net_kernel *n)
{
	loop_want(n->v.env->loop, &n->errors, EPOLLIN);
	return n->served ? vhost_net_go_on(&n->h, n->tap.fd[0]) : net_kernel_serve(n);
}

static int net_kernel_arm(struct virtio_dev *v, struct err *e)
{
	int rc = tap_limit_start(&net_kernel_of(v)->tap, v->dev);

	return rc < 0 ? err_set(e, -rc, "%s: no timer for changes of its tap: %s",
				v->name, strerror(-rc))
		      : 0;
}

static int net_kernel_activate(struct virtio_dev *v)
{
	struct net_kernel *n = net_kernel_of(v);
	int rc;

	for (unsigned int i = 0; i < 2; i++) {
		const struct virtq *q = &n->vq[i];

		if (!q->desc_p)
			return -EINVAL;
		n->ring[i] = (struct vhost_ring){.index = i,
						 .size = q->size,
						 .desc = q->desc,
						 .avail = q->avail,
						 .used = q->used,
						 .kick = virtio_kick_fd(v, i),
						 .call = virtio_call_fd(v)};
	}
	n->errors = (struct loop_source){
		.fd = n->h.errors, .dev = v->dev, .fn = net_kernel_failed};
	n->waits = n->served = false;
	rc = v->resting ? 0 : net_kernel_go_on(n);
	return rc < 0 ? rc : net_link_start(&n->link);
}

static void net_kernel_reset(struct virtio_dev *v)
{
	struct net_kernel *n = net_kernel_of(v);

	loop_want(v->env->loop, &n->errors, 0);
	net_link_stop(&n->link);
	tap_limit_stop(&n->tap);
	n->waits = n->served = false;
	vhost_net_stop(&n->h);
}

/* Stopping waits until the kernel's thread has finished what it began, which never waits for
 * others. Frames that it has not taken stay in the tap and in the ring.
 */
static bool net_kernel_rest(struct virtio_dev *v)
{
	struct net_kernel *n = net_kernel_of(v);

	loop_want(v->env->loop, &n->errors, 0);
	net_link_rest(&n->link);
	tap_limit_stop(&n->tap);
	vhost_net_stop(&n->h);
	return true;
}

static void net_kernel_wake(struct virtio_dev *v)
{
	struct net_kernel *n = net_kernel_of(v);

	if (v->active && (net_kernel_go_on(n) < 0 || net_link_wake(&n->link) < 0))
		virtio_broken(v, "the kernel refuses its queues");
}

static void net_kernel_state(struct virtio_dev *v, struct state *s)
{
	(void)v;
	state_fail(s, "a card that the kernel serves cannot be saved");
}

static void net_kernel_destroy(struct virtio_dev *v)
{
	struct net_kernel *n = net_kernel_of(v);

	loop_del(v->env->loop, &n->errors);
	net_link_fini(&n->link);
	vhost_net_close(&n->h);
	tap_close(&n->tap);
	free(n);
}

static const struct virtio_ops net_kernel_ops = {
	.arm = net_kernel_arm,
	.activate = net_kernel_activate,
	.kick = virtio_nop_kick,
	.config_written = virtio_nop_config_written,
	.reset = net_kernel_reset,
	.rest = net_kernel_rest,
	.wake = net_kernel_wake,
	.state = net_kernel_state,
	.destroy = net_kernel_destroy,
};

static struct virtio_dev *net_kernel_new(const struct virtio_env *env, unsigned int i,
					 const struct tap *tap, const struct vhost_net *h,
					 struct err *e)
{
	struct net_kernel *n = calloc(1, sizeof(*n));

	if (!n) {
		err_set(e, ENOMEM, "%s: out of memory", env->cfg->net[i].id);
		return NULL;
	}
	n->tap = *tap;
	n->h = *h;
	n->v = (struct virtio_dev){
		.ops = &net_kernel_ops,
		.id = VIRTIO_ID_NET,
		.offered = (h->features & NET_RING_FEATURES) |
			   NET_BIT(VIRTIO_NET_F_CSUM) | NET_BIT(VIRTIO_NET_F_HOST_TSO4) |
			   NET_BIT(VIRTIO_NET_F_HOST_TSO6) |
			   NET_BIT(VIRTIO_NET_F_HOST_ECN),
		.vq = n->vq,
		.nvq = ARRAY_SIZE(n->vq),
		.config = &n->config,
		.config_len = sizeof(n->config),
		.env = env,
		.elsewhere = true,
	};
	n->v.offered |= tap->offloads;
	if (tap->offloads & TAP_USO)
		n->v.offered |= NET_BIT(VIRTIO_NET_F_HOST_USO);
	n->v.offered |= net_describe(&n->config, env, i, tap->name);
	net_link_init(&n->link, &n->v, &n->config, &n->tap);
	tap_limit(&n->tap, env->loop, net_kernel_may_change);
	(void)snprintf(n->v.name, sizeof(n->v.name), "%s", env->cfg->net[i].id);
	virtq_init(&n->vq[NET_RX], NET_QUEUE);
	virtq_init(&n->vq[NET_TX], NET_QUEUE);
	n->errors.fd = -1;
	return &n->v;
}

static struct virtio_dev *net_kernel_create(const struct virtio_env *env, unsigned int i,
					    struct err *e)
{
	struct virtio_dev *v;
	struct vhost_net h;
	struct tap tap;

	if (vhost_net_open(&h, e) < 0) {
		log_warn("%s: vhost=on: %s; going on without it", env->cfg->net[i].id,
			 e->msg);
		return net_create(env, i, e);
	}
	if (tap_open(&tap, env->cfg, i, 1, e) < 0) {
		vhost_net_close(&h);
		return NULL;
	}
	v = net_kernel_new(env, i, &tap, &h, e);
	if (!v) {
		vhost_net_close(&h);
		tap_close(&tap);
	}
	return v;
}

struct virtio_dev *net_vhost_create(const struct virtio_env *env, unsigned int i,
				    struct err *e)
{
	return env->cfg->net[i].vhost_user ? net_user_create(env, i, e)
					   : net_kernel_create(env, i, e);
}

bool net_is_elsewhere(const struct config_net *c)
{
	return c->vhost_user || c->vhost;
}
