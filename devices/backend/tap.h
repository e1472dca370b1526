/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap - a layer-2 interface of the host whose other end we hold: read a frame to receive,
 * write one to send, each behind a virtio_net_hdr_v1 of TAP_HDR_LEN bytes.
 *
 * It may have several queues, a descriptor each.  The host spreads what it sends over those
 * that are in use, a connection always to the same one.
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

/* Younger than the headers of the systems that we are built on (virtio 1.3, 5.1.3) */
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
	int claim; /* -1, or what keeps another of us from a tap with several queues */
	char name[IFNAMSIZ];
	uint64_t offloads;    /* of TAP_OFFLOADS, what the host's kernel can */
	uint64_t told;        /* which of them it was asked for last */
	struct rate changes;  /* none before tap_limit() */
	struct tap_link link; /* what the host does with it, as far as we are told */
};

/* tap_open() - cfg->net[@i]: attach to the interface of that name (made and brought up if
 * it does not exist and we may), or take over the file descriptor.  Up to @queues (1 ..
 * TAP_QUEUES_MAX), of which the first is in use: as many if we make it or it can have
 * several, else one.  In a dry run one, and the interface is left alone: a descriptor that
 * is attached to none stands in for it.
 * Return: 0, or -errno with a sentence in @e, @t->n then 0
 */
int tap_open(struct tap *t, const struct config *cfg, unsigned int i, unsigned int queues,
	     struct err *e);
void tap_close(struct tap *t);
/* tap_is_there() - it has not been deleted, wherever it is now */
bool tap_is_there(const struct tap *t);

/* A tap is changed in the host's kernel, under the lock of all its networks, for half a
 * millisecond at worst, and all who listen to the host's interfaces are told.  So a guest that
 * asks for a change again and again, by commands or by resets, has to wait.
 *
 * tap_limit() - from now on changes cost tokens; @go_on as rate_init() has it.  tap_limit_start()
 * and tap_limit_stop(): as rate_start(), in activate(), and rate_stop(), in reset()
 */
void tap_limit(struct tap *t, struct loop *l, void (*go_on)(struct rate *r));
int tap_limit_start(struct tap *t, struct device *dev);
void tap_limit_stop(struct tap *t);
/* tap_may_change() - is there a token?  If not, go_on() comes when there is one */
bool tap_may_change(struct tap *t);

/* tap_use() - the first @queues are in use from now on: the host puts nothing into the
 * others.  Costs a token, also one that is not there: a reset cannot wait, so whoever can asks
 * tap_may_change() first.  Return: 0 or -errno
 */
int tap_use(struct tap *t, unsigned int queues);

/* tap_offloads() - may the host hand us frames without checksum, or with more than one
 * segment in them?  @features as virtio names them, of TAP_OFFLOADS; without GUEST_CSUM
 * none, without both of TAP_USO neither of them, without TSO no ECN.  What is no change costs
 * nothing.  Return: 0; -EAGAIN: there is no token, and go_on() comes when there is one; -errno
 */
int tap_offloads(struct tap *t, uint64_t features);

#endif
