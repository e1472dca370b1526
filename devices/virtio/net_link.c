/* SPDX-License-Identifier: Apache-2.0 */
/* net_link - the guest's link is up when the tap is, and coming back asks for an announcement. */
#include "devices/virtio/net_link.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "vmm/core/log.h"
#include "vmm/core/loop_timer.h"
#include "vmm/core/util.h"

#define NET_UP       VIRTIO_NET_S_LINK_UP
#define NET_ANNOUNCE VIRTIO_NET_S_ANNOUNCE

static void net_link_set(struct net_link *l, unsigned int bits, bool on)
{
	unsigned int old = l->config->status;
	uint16_t status = (uint16_t)(on ? old | bits : old & ~bits);

	if (status == old)
		return;
	l->config->status = status;
	virtio_config_changed(l->v);
}

void net_link_lost(struct net_link *l, const char *what, int code)
{
	if (l->lost)
		return;
	log_warn("%s: %s %s is gone (%s); the guest's link is down", l->v->name, what,
		 l->tap->name, strerror(code));
	l->lost = true;
	loop_want(l->v->env->loop, &l->source, 0);
	net_link_set(l, NET_UP | NET_ANNOUNCE, false);
}

/* We get no more messages */
static void net_link_left(struct net_link *l)
{
	if (!tap_is_there(l->tap)) {
		net_link_lost(l, "tap", EBADFD);
		return;
	}
	log_warn(
		"%s: tap %s went to another network namespace; the guest's link stays up "
		"from now on",
		l->v->name, l->tap->name);
	loop_want(l->v->env->loop, &l->source, 0);
	tap_link_close(&l->tap->link);
	net_link_set(l, NET_UP, true);
}

static void net_link_heard(struct net_link *l)
{
	struct tap_link *t = &l->tap->link;
	bool moved = tap_link_read(t);

	if (t->gone) {
		net_link_left(l);
		return;
	}
	net_link_set(l, NET_UP, t->up);
	if (moved && t->up)
		net_link_announce(l);
}

static void net_link_on_tap(struct loop_source *s, uint32_t events)
{
	struct net_link *l = container_of(s, struct net_link, source);

	(void)events;
	if (l->v->active)
		net_link_heard(l);
	else /* broken, or given up: it can wait */
		loop_want(l->v->env->loop, s, 0);
}

/* ---- the announcement ---- */

/* Its answer would come by the control queue */
static bool net_link_has_announce(uint64_t features)
{
	const uint64_t both = 1ULL << VIRTIO_NET_F_GUEST_ANNOUNCE |
			      1ULL << VIRTIO_NET_F_CTRL_VQ;

	return (features & both) == both;
}

void net_link_announce(struct net_link *l)
{
	if (!l->v->active || !net_link_has_announce(l->v->acked) || l->soon)
		return;
	l->soon = true;
	if (!l->v->resting) /* else by net_link_wake() */
		loop_timer_set(&l->timer, NET_ANNOUNCE_MS * UINT64_C(1000000));
}

static void net_link_on_timer(struct loop_source *s, uint32_t events)
{
	struct net_link *l = container_of(s, struct net_link, timer);
	unsigned int status = l->config->status;

	(void)events;
	(void)loop_timer_rang(s);
	if (!l->soon || !l->v->active)
		return;
	l->soon = false;
	/* if its link is down, it is asked when it is up */
	if (!(status & NET_UP))
		return;
	l->again = status & NET_ANNOUNCE;
	net_link_set(l, NET_ANNOUNCE, true);
}

bool net_link_announced(struct net_link *l)
{
	if (!(l->config->status & NET_ANNOUNCE))
		return false;
	net_link_set(l, NET_ANNOUNCE, false);
	if (l->again)
		net_link_announce(l);
	l->again = false;
	return true;
}

/* ---- life ---- */

void net_link_init(struct net_link *l, struct virtio_dev *v,
		   struct virtio_net_config *config, struct tap *tap)
{
	*l = (struct net_link){
		.v = v,
		.config = config,
		.tap = tap,
		.source = {.fd = tap->link.index ? tap->link.fd : -1,
			   .fn = net_link_on_tap},
		.timer = {.fd = -1, .fn = net_link_on_timer},
	};
	config->status = !tap->link.index || tap->link.up ? NET_UP : 0;
}

int net_link_arm(struct net_link *l)
{
	if (l->timer.fd >= 0 || !net_link_has_announce(l->v->offered))
		return 0;
	l->timer.dev = l->v->dev;
	return loop_timer_open(l->v->env->loop, &l->timer);
}

int net_link_start(struct net_link *l)
{
	l->source.dev = l->v->dev;
	return l->v->resting ? 0 : net_link_wake(l);
}

void net_link_rest(struct net_link *l)
{
	loop_want(l->v->env->loop, &l->source, 0);
	if (l->soon)
		loop_timer_set(&l->timer, 0);
}

int net_link_wake(struct net_link *l)
{
	if (l->soon)
		loop_timer_set(&l->timer, NET_ANNOUNCE_MS * UINT64_C(1000000));
	if (!l->tap->link.index || l->lost)
		return 0;
	loop_want(l->v->env->loop, &l->source, EPOLLIN);
	if (!l->source.events)
		return -ENOSPC;
	net_link_heard(l);
	return 0;
}

/* Our tap decides its link, which its driver may have read from another one */
void net_link_loaded(struct net_link *l, uint16_t status)
{
	uint16_t now = l->config->status;

	l->config->status = (uint16_t)((now & NET_UP) | (status & NET_ANNOUNCE));
	if (l->config->status != status)
		virtio_config_changed(l->v);
	l->again = status & NET_ANNOUNCE;
	net_link_announce(l);
}

void net_link_stop(struct net_link *l)
{
	if (l->soon)
		loop_timer_set(&l->timer, 0);
	l->soon = l->again = false;
	loop_want(l->v->env->loop, &l->source, 0);
	l->config->status &= NET_UP; /* the caller of reset shows it */
}

void net_link_fini(struct net_link *l)
{
	loop_del(l->v->env->loop, &l->source);
	loop_timer_close(l->v->env->loop, &l->timer);
}
