/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhost_net - a pair of network queues served by a kernel thread between guest memory and
 * a tap (/dev/vhost-net, <linux/vhost.h>).
 */
#ifndef MICROVM_BACKEND_VHOST_NET_H
#define MICROVM_BACKEND_VHOST_NET_H

#include <stdint.h>

#include "devices/backend/vhost.h"
#include "vmm/core/err.h"
#include "vmm/core/gmem.h"

struct vhost_net {
	int fd;            /* -1: closed */
	int errors;        /* eventfd: it found a ring invalid */
	uint64_t features; /* of the rings and of frames' headers, that it supports */
};

/* vhost_net_open() - Return: 0, or -errno with a sentence in @e, @h then closed */
int vhost_net_open(struct vhost_net *h, struct err *e);
void vhost_net_close(struct vhost_net *h);
/* vhost_net_start() - serve @ring[0] (receive) and @ring[1] (transmit) with the tap @tap, by
 * @features of h->features. @mem need not be shared: the server is a thread of our process.
 * Return: 0; -errno, and neither is served
 */
int vhost_net_start(struct vhost_net *h, uint64_t features, const struct gmem *mem,
		    const struct vhost_ring ring[2], int tap);
/* vhost_net_go_on() - serve them again after vhost_net_stop(), from where they are.  Return: 0;
 * -errno, and neither is served
 */
int vhost_net_go_on(struct vhost_net *h, int tap);
/* vhost_net_stop() - after it returns, the kernel does not access them any more */
void vhost_net_stop(struct vhost_net *h);

#endif
