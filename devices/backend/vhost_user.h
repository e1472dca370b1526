/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhost_user - the front end's side of a vhost-user connection: another process serves a device's
 * queues in guest memory, which is shared with it; we only send it their addresses.
 *
 * The process may lie or hang: each reply's kind, size and descriptors are checked, and each call
 * ends within VHOST_USER_WAIT_MS, the first one within what its caller says. After an error the
 * connection is unusable. A call writes and reads one socket: one thread at a time.
 */
#ifndef MICROVM_BACKEND_VHOST_USER_H
#define MICROVM_BACKEND_VHOST_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/backend/vhost.h"
#include "vmm/core/gmem.h"

#define VHOST_USER_WAIT_MS    5000
#define VHOST_USER_CONFIG_MAX 256

/* Features of the protocol (its document, "Protocol features") that are used here */
enum vhost_user_protocol {
	VHOST_USER_P_MQ = 0,
	VHOST_USER_P_REPLY_ACK = 3,
	VHOST_USER_P_CONFIG = 9,
	VHOST_USER_P_INFLIGHT = 12,
};

/* The back end's notes on requests in flight, kept for its successor */
struct vhost_user_inflight {
	int fd; /* -1: none */
	uint64_t size, offset;
	/* Their capacity: the device's own maxima, because the back end trusts them and a driver
	 * may choose smaller rings in one life than in the next
	 */
	uint16_t nqueue, queue_size;
};

struct vhost_user {
	int fd;              /* -1: not connected */
	uint64_t features;   /* those that the back end offers of the device's features */
	uint64_t protocol;   /* enum vhost_user_protocol, as bits: in use */
	bool extended;       /* it supports protocol features at all */
	unsigned int queues; /* how many it can serve; UINT_MAX: it does not say */
	const char *why;     /* the cause, in the call that failed */
	uint64_t deadline;   /* of the call under way, for all its messages; 0: no wait */
};

/* vhost_user_open() - greet the back end on the connected socket @fd, which is @u's from now on; it has
 * @ms to answer, or until we are to end. All below: Return 0, or -errno with u->why set
 */
int vhost_user_open(struct vhost_user *u, int fd, unsigned int ms);
void vhost_user_close(struct vhost_user *u);
static inline bool vhost_user_has(const struct vhost_user *u,
				  enum vhost_user_protocol bit)
{
	return u->protocol & (UINT64_C(1) << bit);
}

/* vhost_user_config() - the first @len bytes of the device's configuration */
int vhost_user_config(struct vhost_user *u, void *config, size_t len);
/* vhost_user_start() - serve these @n rings from now on, with @features of u->features. @mem is
 * shared. @in: the notes that the former back end left; with fd -1, only nqueue and queue_size
 * are given and the rest is filled in; NULL: no notes are kept
 */
int vhost_user_start(struct vhost_user *u, uint64_t features, const struct gmem *mem,
		     const struct vhost_ring *ring, unsigned int n,
		     struct vhost_user_inflight *in);
/* vhost_user_stop() - stop taking requests from them; ring[].base becomes the next it would have
 * taken. It may still finish those that it has taken
 */
int vhost_user_stop(struct vhost_user *u, struct vhost_ring *ring, unsigned int n);
/* In parts, which wait for the process only with @wait. Return: 0; 1, not yet; or -errno.
 * vhost_user_ask_to_stop() and vhost_user_go_on() count in @told, first 0, what they have sent;
 * call them again until 0.  vhost_user_stopped() takes one answer, of the rings in their order;
 * vhost_user_go_on(): serve stopped rings again, each from its base
 */
int vhost_user_ask_to_stop(struct vhost_user *u, const struct vhost_ring *ring,
			   unsigned int n, unsigned int *told, bool wait);
int vhost_user_stopped(struct vhost_user *u, struct vhost_ring *ring, bool wait);
int vhost_user_go_on(struct vhost_user *u, const struct vhost_ring *ring, unsigned int n,
		     unsigned int *told);

#endif
