/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhost_user_device - a virtio device whose queues another process serves: the common part of
 * disks, shared directories and network cards.
 *
 * The guest's kicks go to the process and its interrupts come from it, without us. We handle the
 * set-up when the driver starts, the end when it stops, and the end of the process: then the
 * device needs a reset, or we make a new connection if a successor of the process may go on
 * (vu_may_return()).
 */
#ifndef MICROVM_VIRTIO_VHOST_USER_DEVICE_H
#define MICROVM_VIRTIO_VHOST_USER_DEVICE_H

#include "devices/backend/daemon.h"
#include "devices/backend/vhost_user.h"
#include "devices/virtio/virtio.h"

/* At rest, and on the way there and back */
struct vu_rest {
	enum {
		VU_SERVES,  /* the process serves, as far as it is connected */
		VU_ASKED,   /* it is asked to stop: @told of @n rings, @answered for */
		VU_STOPPED, /* all have */
		VU_RETURNS, /* it is told to serve them again: @told messages */
		VU_DUE,     /* a driver started at rest: begin afterwards */
	} stage;
	unsigned int n, told, answered;
	struct vhost_ring ring[VIRTIO_QUEUES_MAX];
};

struct vu_dev {
	struct virtio_dev v;
	struct virtq vq[VIRTIO_QUEUES_MAX];
	uint8_t config[VHOST_USER_CONFIG_MAX];
	struct vhost_user u;
	struct vhost_user_inflight inflight;
	struct daemon daemon;    /* that we started, if @socket is NULL */
	const char *socket;      /* that we connected to; the config's */
	struct loop_source line; /* the connection, for its end */
	uint64_t ours;           /* features that the back end does not see */
	bool returns, watched;
	struct vu_return *again; /* vhost_user_return.c */
	struct vu_rest rest;     /* vhost_user_rest.c */
};

/* vu_create() - device @name, connected to nothing yet.  NULL with @e set: no memory,
 * or the guest's memory is not shared
 */
struct vu_dev *vu_create(const struct virtio_env *env, const char *name, struct err *e);
void vu_destroy(struct vu_dev *d); /* what vu_create() made, and all below */

/* How long a daemon of ours may take to begin, beside many others or on a slow disk; a signal ends the
 * wait. A test makes it shorter
 */
extern unsigned int vu_begin_ms;
/* vu_connect() - greet the back end that listens at @socket (the string outlives @d).
 * vu_start_daemon() - start a back end; descriptor 3 is its listening socket, put in front of the
 * spec's own; if that fails (-ECHILD: it died) another may be tried. A dry run neither connects
 * nor starts it, and only checks that the program exists. Both: Return 0, or -errno with a
 * sentence in @e
 */
int vu_connect(struct vu_dev *d, const char *socket, struct err *e);
int vu_start_daemon(struct vu_dev *d, const struct daemon_spec *s, struct err *e);
/* vu_get_config() - the first @len bytes of the back end's configuration; vu_put_config(): use
 * ours. Return: 0, or -errno with a sentence in @e
 */
int vu_get_config(struct vu_dev *d, size_t len, struct err *e);
void vu_put_config(struct vu_dev *d, const void *config, size_t len);
/* vu_may_return() - reconnect to a back end that hangs up: its successor takes the requests in
 * flight from the rings, or from its predecessor's notes
 */
void vu_may_return(struct vu_dev *d);
/* vu_offer() - all is set up: the device is VIRTIO_ID_* @id with @nvq queues of @size, and the
 * guest may have those of @features that the back end offers, and @ours
 */
struct virtio_dev *vu_offer(struct vu_dev *d, uint32_t id, unsigned int nvq,
			    uint16_t size, uint64_t features, uint64_t ours);

/* Between the three files. vu_rings() - the mapped queues of @d. Return: how many.
 * vu_used_base(): rings of a dead back end go on after the last used element
 */
unsigned int vu_rings(struct vu_dev *d, struct vhost_ring ring[VIRTIO_QUEUES_MAX]);
void vu_used_base(const struct vu_dev *d, struct vhost_ring *ring, unsigned int n);
/* vu_listen() - watch for the end of the connection from now on, and for room in it if messages of
 * a rest or a return have found none (vu_rest_owes())
 */
int vu_listen(struct vu_dev *d);
/* vu_begin() - make the process serve the queues.  Return: 0 or -errno.  vu_lost(): it is gone */
int vu_begin(struct vu_dev *d);
void vu_lost(struct vu_dev *d, const char *why);
/* vu_op_rest(), vu_op_wake() - as in virtio_ops. vu_rest_heard(): the connection is readable,
 * or has room, after a rest. Return: is nothing left to look at? vu_rest_owes(): does a message
 * wait for room? vu_rest_end(): at a reset, wait for answers that are due; @ring becomes the
 * stopped rings. Return: 0 or -errno
 */
bool vu_op_rest(struct virtio_dev *v);
void vu_op_wake(struct virtio_dev *v);
bool vu_rest_heard(struct vu_dev *d);
bool vu_rest_owes(const struct vu_dev *d);
int vu_rest_end(struct vu_dev *d, struct vhost_ring *ring);
/* vu_return_arm() - open all that a try needs, except its socket.  Return: 0 or -errno.
 * vu_return_rest(): no try from now on. Return: and none is under way
 */
int vu_return_arm(struct vu_dev *d);
bool vu_return_rest(struct vu_dev *d);
/* vu_return_start() - try to connect again until it works.  Return: 0 or -errno */
int vu_return_start(struct vu_dev *d);
void vu_return_stop(struct vu_dev *d); /* nothing runs afterwards; any number */
void vu_return_fini(struct vu_dev *d);

#endif
