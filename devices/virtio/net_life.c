/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_life - a card is armed, rests, goes on, is saved and loaded.
 *
 * At rest the ring has all buffers back. A frame from the host for which the driver had no room
 * waits in the card; so does the rest of one that a stream has taken in part. Neither is saved: a
 * card that is loaded elsewhere loses them, as networks lose frames.
 */
#include "devices/virtio/net.h"

#include <string.h>

#include "vmm/core/util.h"

static struct net *net_of(struct virtio_dev *v)
{
	return container_of(v, struct net, v);
}

/* Opening the io_uring costs more than a quiet card ever saves: net_tx.c opens it when a driver
 * sends enough at once, unless nothing may be opened later.
 */
int net_arm(struct virtio_dev *v, struct err *e)
{
	struct net *n = net_of(v);
	int rc = rate_start(&n->rx_rate, v->dev);

	if (rc == 0)
		rc = rate_start(&n->tx_rate, v->dev);
	if (rc == 0 && !n->stream)
		rc = tap_limit_start(&n->tap, v->dev);
	if (rc == 0)
		rc = net_link_arm(&n->link);
	for (unsigned int i = 0; v->env->cfg->early && !n->stream && i < n->npair; i++)
		net_tx_arm(&n->pair[i]);
	return rc < 0 ? err_set(e, -rc, "%s: no timer for its limits or its link: %s",
				v->name, strerror(-rc))
		      : 0;
}

/* ---- rest ---- */

bool net_rest(struct virtio_dev *v)
{
	struct net *n = net_of(v);

	loop_poll_want(v->env->loop, &n->poller, false);
	net_link_rest(&n->link);
	rate_stop(&n->rx_rate);
	rate_stop(&n->tx_rate);
	tap_limit_stop(&n->tap);
	for (unsigned int i = 0; i < n->npair; i++) {
		net_rx_rest(&n->pair[i]);
		net_tx_rest(&n->pair[i]);
		net_want(&n->pair[i]);
	}
	return true;
}

/* A pair that waits again, for tokens or for the tap, sets its timer again */
void net_wake(struct virtio_dev *v)
{
	struct net *n = net_of(v);

	if (!v->active)
		return;
	if (net_link_wake(&n->link) < 0) {
		virtio_broken(v, "the host cannot poll its link");
		return;
	}
	loop_poll_want(v->env->loop, &n->poller, true);
	if (n->waits)
		net_late(n);
	for (unsigned int i = 0; i < n->used && v->active; i++) {
		net_tx(&n->pair[i]);
		if (!n->waits && v->active)
			(void)net_rx(&n->pair[i]);
	}
}

/* ---- state ---- */

struct net_saved {
	uint8_t mac[6];
	uint16_t status, used;
	uint64_t offloads;
};

/* The address moves with the card, or its driver would have another than its device; one that the
 * operator chose here stays.
 */
static void net_check(const struct net *n, const struct net_saved *l, struct state *s)
{
	if (n->mac_given && memcmp(l->mac, n->config.mac, sizeof(l->mac)) != 0)
		state_fail(s, "it had another address than mac= gives it here");
	if (!l->used || l->used > n->npair ||
	    (l->offloads & ~(n->v.acked & TAP_OFFLOADS)))
		state_fail(s, "it had queues or offloads that it cannot have here");
}

/* A driver that was asked to announce itself, and has not, is asked again. After a move to
 * another host it is asked in any case.
 */
static void net_load(struct net *n, const struct net_saved *l, struct state *s)
{
	if (net_offload(n, l->offloads) < 0 || net_use(n, l->used) < 0) {
		state_fail(s, "the host's tap refuses its queues or offloads");
		return;
	}
	memcpy(n->config.mac, l->mac, sizeof(l->mac));
	net_link_loaded(&n->link, l->status);
}

void net_state(struct virtio_dev *v, struct state *s)
{
	struct net *n = net_of(v);
	struct net_saved l = {.status = n->config.status,
			      .used = (uint16_t)n->used,
			      .offloads = n->offloads};

	memcpy(l.mac, n->config.mac, sizeof(l.mac));
	state_same_u32(s, n->config.mtu, "bytes of MTU");
	state_bytes(s, l.mac, sizeof(l.mac));
	state_u16(s, &l.status);
	state_u16(s, &l.used);
	state_u64(s, &l.offloads);
	if (!state_loaded(s))
		return;
	net_check(n, &l, s);
	if (!state_ok(s))
		return;
	if (v->active)
		net_load(n, &l, s);
	else
		memcpy(n->config.mac, l.mac, sizeof(l.mac));
}
