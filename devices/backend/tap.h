/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap - a layer-2 interface of the host whose other end we hold: read a frame to receive, write
 * one to send, each after a virtio_net_hdr_v1 of TAP_HDR_LEN bytes.
 *
 * It may have several queues, a descriptor each. The host spreads the frames that it sends over
 * the queues in use, a connection always to the same one.
 */
#ifndef MICROVM_BACKEND_TAP_H
#define MICROVM_BACKEND_TAP_H

#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/backend/tap_link.h"
#include "vmm/core/config.h"
#include "vmm/core/err.h"
#include "vmm/core/rate.h"

#define TAP_HDR_LEN 12
#define TAP_FRAME_MAX \
	(65536 + 32) /* with Ethernet header and VLAN tags, without TAP_HDR */
#define TAP_QUEUES_MAX 8

/* Newer than the headers of the systems that we build on (virtio 1.3, 5.1.3) */
#ifndef VIRTIO_NET_F_HOST_USO
#define VIRTIO_NET_F_GUEST_USO4 54
#define VIRTIO_NET_F_GUEST_USO6 55
#define VIRTIO_NET_F_HOST_USO   56
#endif

/* What the host may leave to a guest, as the features of virtio */
#define TAP_OFFLOADS                                                         \
	(1ULL << VIRTIO_NET_F_GUEST_CSUM | 1ULL << VIRTIO_NET_F_GUEST_TSO4 | \
	 1ULL << VIRTIO_NET_F_GUEST_TSO6 | 1ULL << VIRTIO_NET_F_GUEST_ECN |  \
	 1ULL << VIRTIO_NET_F_GUEST_USO4 | 1ULL << VIRTIO_NET_F_GUEST_USO6)
#define TAP_USO (1ULL << VIRTIO_NET_F_GUEST_USO4 | 1ULL << VIRTIO_NET_F_GUEST_USO6)

struct tap {
	unsigned int n;         /* queues */
	int fd[TAP_QUEUES_MAX]; /* non-blocking */
	char name[IFNAMSIZ];
	uint64_t offloads;    /* of TAP_OFFLOADS, those that the host's kernel can do */
	uint64_t told;        /* those of them that were set last */
	struct rate changes;  /* none before tap_limit() */
	struct tap_link link; /* what the host does with it, as far as we know */
};

/* tap_open() - cfg->net[@i]: attach to the interface of that name (made and brought up if it does
 * not exist and we may), or take over the file descriptor. It gets @queues (1 .. TAP_QUEUES_MAX)
 * if we make it or it can have several, else one; only the first is in use. In a dry run it gets
 * one, and the interface is not changed: a descriptor attached to no interface stands in for it.
 * Return: 0, or -errno with a sentence in @e, @t->n then 0
 */
int tap_open(struct tap *t, const struct config *cfg, unsigned int i, unsigned int queues,
	     struct err *e);
void tap_close(struct tap *t);
/* tap_is_there() - the interface was not deleted, whatever namespace it is in now */
bool tap_is_there(const struct tap *t);

/* A change to a tap takes the host kernel's lock of all networks, for half a millisecond at
 * worst, and wakes every process that listens to the host's interfaces. So a guest that asks for
 * a change again and again, by commands or by resets, has to wait.
 *
 * tap_limit() - from now on changes cost tokens; @go_on as in rate_init().  tap_limit_start() and
 * tap_limit_stop(): as rate_start(), in activate(), and rate_stop(), in reset()
 */
void tap_limit(struct tap *t, struct loop *l, void (*go_on)(struct rate *r));
int tap_limit_start(struct tap *t, struct device *dev);
void tap_limit_stop(struct tap *t);
/* tap_may_change() - is there a token?  If not, go_on() comes when there is one */
bool tap_may_change(struct tap *t);

/* tap_use() - the first @queues are in use from now on: the host puts nothing into the others.
 * Costs a token even if there is none, since a reset cannot wait; a caller that can wait asks
 * tap_may_change() first. Return: 0 or -errno
 */
int tap_use(struct tap *t, unsigned int queues);

/* tap_offloads() - may the host hand us frames without checksum, or with more than one segment in
 * them? @features as virtio names them, of TAP_OFFLOADS; without GUEST_CSUM none, without both of
 * TAP_USO neither of them, without TSO no ECN. Setting the present value costs no token. Return:
 * 0; -EAGAIN: there is no token, and go_on() comes when there is one; -errno
 */
int tap_offloads(struct tap *t, uint64_t features);

#endif
