/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_control - the control queue (virtio 1.2, 5.1.6.5): how many pairs of queues are in use,
 * which offloads are left to the driver, and that it has announced itself.
 *
 * A command is a class, a command and its operands, and a byte for the answer. Any other layout,
 * or a command that was not negotiated, gets an error.
 */
#include "devices/virtio/net.h"

#include "vmm/core/util.h"

static unsigned int net_control_queue(const struct net *n)
{
	return net_acked(n, VIRTIO_NET_F_MQ) ? 2 * n->npair : 2;
}

bool net_is_control(const struct net *n, unsigned int qi)
{
	return qi == net_control_queue(n) && net_acked(n, VIRTIO_NET_F_CTRL_VQ);
}

/* The tap may be changed again. A driver usually changes it once. */
static void net_control_go_on(struct rate *r)
{
	struct net *n = container_of(r, struct net, tap.changes);

	if (n->v.active && n->waits)
		net_late(n);
	if (n->v.active && net_acked(n, VIRTIO_NET_F_CTRL_VQ))
		net_control(n);
}

void net_control_init(struct net *n)
{
	tap_limit(&n->tap, n->v.env->loop, net_control_go_on);
}

/* All of @s, and no more, into @dst */
static bool net_operand(struct span *s, void *dst, size_t len)
{
	return s->len == len && span_get(s, dst, len);
}

static bool net_control_pairs(struct net *n, struct span *s)
{
	uint16_t pairs;

	if (!net_acked(n, VIRTIO_NET_F_MQ) || !net_operand(s, &pairs, sizeof(pairs)) ||
	    pairs < VIRTIO_NET_CTRL_MQ_VQ_PAIRS_MIN || pairs > n->npair)
		return false;
	return pairs == n->used || net_use(n, pairs) == 0;
}

/* Only what was negotiated may be switched on again (5.1.6.5.6) */
static bool net_control_offloads(struct net *n, struct span *s)
{
	uint64_t offloads;

	if (!net_acked(n, VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) ||
	    !net_operand(s, &offloads, sizeof(offloads)) ||
	    (offloads & ~(n->v.acked & TAP_OFFLOADS)))
		return false;
	return offloads == n->offloads || net_offload(n, offloads) == 0;
}

static bool net_command(struct net *n, struct span *s)
{
	struct virtio_net_ctrl_hdr h;

	if (!span_get(s, &h, sizeof(h)))
		return false;
	if (h.class == VIRTIO_NET_CTRL_MQ && h.cmd == VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET)
		return net_control_pairs(n, s);
	if (h.class == VIRTIO_NET_CTRL_GUEST_OFFLOADS &&
	    h.cmd == VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET)
		return net_control_offloads(n, s);
	if (h.class == VIRTIO_NET_CTRL_ANNOUNCE && h.cmd == VIRTIO_NET_CTRL_ANNOUNCE_ACK)
		return s->len == 0 && net_link_announced(&n->link);
	return false;
}

void net_control(struct net *n)
{
	static const uint8_t answer[] = {VIRTIO_NET_ERR, VIRTIO_NET_OK};
	struct virtq *q = &n->vq[net_control_queue(n)];

	while (!n->waits && !(virtq_pending(q) && !tap_may_change(&n->tap)) &&
	       virtio_pop(&n->v, q, &n->c)) {
		/* the frames that a command releases use n->c */
		uint16_t head = n->c.head;
		volatile uint8_t *at;

		if (!n->c.to_driver.n) {
			virtio_broken(&n->v, "command without room for an answer");
			break;
		}
		at = n->c.to_driver.v->iov_base;
		*at = answer[net_command(n, &n->c.from_driver)];
		virtq_push(q, head, sizeof(*at));
	}
	virtio_notify(&n->v, q);
}
