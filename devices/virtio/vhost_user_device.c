/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhost_user_device - a virtio device whose queues another process serves: its life.
 *
 * A message to the process waits for its answer, on the thread of the vCPU that sets the device
 * up or resets it; a process that hangs costs that vCPU VHOST_USER_WAIT_MS, once, and the device.
 * Meanwhile the loop ignores the connection.
 */
#include "devices/virtio/vhost_user_device.h"

#include <errno.h>
#include <limits.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/backend/vhost_socket.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

#define VU_DEAD_MS   500        /* for a daemon to die after it has hung up */
#define VU_SETTLE_NS 1000000000 /* for requests that were under way at a reset */
#define VU_SETTLE_MS 1
#define VU_RING_FEATURES                                                    \
	((1ULL << VIRTIO_F_VERSION_1) | (1ULL << VIRTIO_RING_F_EVENT_IDX) | \
	 (1ULL << VIRTIO_RING_F_INDIRECT_DESC))

static struct vu_dev *vu_of(struct virtio_dev *v)
{
	return container_of(v, struct vu_dev, v);
}

/* ---- the back end ---- */

/* A dry run neither connects to back ends (some accept one connection only) nor starts them */
static bool vu_dry(const struct vu_dev *d)
{
	return d->v.env->cfg->dry_run;
}

int vu_connect(struct vu_dev *d, const char *socket, struct err *e)
{
	int fd, rc;

	if (vu_dry(d)) {
		d->u.queues = VIRTIO_QUEUES_MAX;
		return 0;
	}
	fd = vhost_socket_connect(socket, e);
	if (fd < 0)
		return fd;
	d->socket = socket;
	rc = vhost_user_open(&d->u, fd, VHOST_USER_WAIT_MS);
	if (rc < 0)
		return err_set(e, -rc,
			       "%s: who listens there does not speak vhost-user as it "
			       "should: %s",
			       socket, d->u.why);
	return 0;
}

unsigned int vu_begin_ms = 30000;

/* Why a daemon of ours does not work, in its own words if it is dead */
static int vu_daemon_failed(struct vu_dev *d, int code, struct err *e)
{
	if (daemon_dead(&d->daemon, VU_DEAD_MS, e) < 0)
		return -e->code;
	if (code == ETIMEDOUT)
		return err_set(e, code,
			       "%s runs and has not answered in time; is the host "
			       "overloaded, or its disk stuck? Try again",
			       d->daemon.program);
	return err_set(e, code,
		       "%s does not work: %s; it may be too old, or another program of "
		       "that name: try %s --version",
		       d->daemon.program, d->u.why, d->daemon.program);
}

int vu_start_daemon(struct vu_dev *d, const struct daemon_spec *s, struct err *e)
{
	struct daemon_spec with = *s;
	int fd[DAEMON_FDS_MAX], listener, rc;
	char path[PATH_MAX];

	BUG_ON(s->nfd + 1 > DAEMON_FDS_MAX);
	if (vu_dry(d)) {
		d->u.queues = VIRTIO_QUEUES_MAX;
		return daemon_find(s, path, sizeof(path), e);
	}
	rc = vhost_socket_pair(&listener, &d->u.fd, e);
	if (rc < 0)
		return rc;
	fd[0] = listener;
	for (unsigned int i = 0; i < s->nfd; i++)
		fd[i + 1] = s->fd[i];
	with.fd = fd;
	with.nfd = s->nfd + 1;
	rc = daemon_start(&d->daemon, &with, e);
	cleanup_close_fd(&listener);
	if (rc < 0)
		return rc;
	rc = vhost_user_open(&d->u, d->u.fd, vu_begin_ms);
	if (rc < 0) {
		rc = vu_daemon_failed(d, -rc, e);
		vhost_user_close(&d->u);
		daemon_stop(&d->daemon);
	}
	return rc;
}

int vu_get_config(struct vu_dev *d, size_t len, struct err *e)
{
	int rc = vu_dry(d) ? 0 : vhost_user_config(&d->u, d->config, len);

	d->v.config_len = len;
	if (rc < 0 && d->daemon.pid)
		return vu_daemon_failed(d, -rc, e);
	if (rc < 0)
		return err_set(e, -rc, "%s: who listens there is another device: %s",
			       d->socket, d->u.why);
	return 0;
}

void vu_put_config(struct vu_dev *d, const void *config, size_t len)
{
	BUG_ON(len > sizeof(d->config));
	memcpy(d->config, config, len);
	d->v.config_len = len;
}

/* ---- when it is gone ---- */

static void vu_hang_up(struct vu_dev *d)
{
	loop_want(d->v.env->loop, &d->line, 0);
	vhost_user_close(&d->u);
}

/* Tell the driver, unless a successor may take over. */
void vu_lost(struct vu_dev *d, const char *why)
{
	vu_hang_up(d);
	d->rest.stage = VU_SERVES;
	log_guest("%s: the process that serves it is lost: %s", d->v.name, why);
	if (d->v.active && d->returns && vu_return_start(d) == 0)
		return;
	virtio_broken(&d->v, "nobody serves it any more");
}

/* It sends nothing unasked: any message is the end. */
static void vu_on_line(struct loop_source *s, uint32_t events)
{
	struct vu_dev *d = container_of(s, struct vu_dev, line);
	char c;
	ssize_t n;

	(void)events;
	if (vu_rest_heard(d))
		return;
	n = recv(s->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	vu_lost(d, n > 0 ? "it says what nobody asked for" : "it has hung up");
}

static void vu_on_end(struct daemon *dm, const char *how)
{
	struct vu_dev *d = container_of(dm, struct vu_dev, daemon);

	log_warn("%s: %s", d->v.name, how);
	if (d->u.fd >= 0 && !d->v.resting) /* else its connection tells, afterwards */
		vu_lost(d, "its program has ended");
}

int vu_listen(struct vu_dev *d)
{
	d->line.fd = d->u.fd;
	d->line.dev = d->v.dev;
	loop_want(d->v.env->loop, &d->line,
		  EPOLLIN | EPOLLRDHUP | (vu_rest_owes(d) ? (uint32_t)EPOLLOUT : 0));
	return d->line.events ? 0 : -ENOSPC;
}

/* ---- the driver starts and stops ---- */

unsigned int vu_rings(struct vu_dev *d, struct vhost_ring ring[VIRTIO_QUEUES_MAX])
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < d->v.nvq; i++) {
		const struct virtq *q = &d->vq[i];

		if (!q->desc_p)
			continue;
		ring[n++] = (struct vhost_ring){.index = i,
						.size = q->size,
						.base = q->next_avail,
						.desc = q->desc,
						.avail = q->avail,
						.used = q->used,
						.kick = virtio_kick_fd(&d->v, i),
						.call = virtio_call_fd(&d->v)};
	}
	return n;
}

void vu_used_base(const struct vu_dev *d, struct vhost_ring *ring, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		ring[i].base = shared_load16(d->vq[ring[i].index].used_p + 2);
}

static int vu_arm(struct virtio_dev *v, struct err *e)
{
	struct vu_dev *d = vu_of(v);
	int rc = d->returns ? vu_return_arm(d) : 0;

	if (rc == 0 && d->daemon.pid && !d->watched) {
		d->watched = true;
		rc = daemon_watch(&d->daemon, v->env->loop, v->dev, vu_on_end);
	}
	return rc < 0 ? err_set(e, -rc, "%s: the host cannot watch who serves it: %s",
				v->name, strerror(-rc))
		      : 0;
}

static int vu_activate(struct virtio_dev *v)
{
	struct vu_dev *d = vu_of(v);

	v->dev->engine = "vhost-user";
	d->rest.stage = v->resting ? VU_DUE : VU_SERVES;
	return v->resting ? 0 : vu_begin(d);
}

int vu_begin(struct vu_dev *d)
{
	struct virtio_dev *v = &d->v;
	struct vhost_ring ring[VIRTIO_QUEUES_MAX];
	unsigned int n = vu_rings(d, ring);
	int rc;

	if (d->u.fd < 0)
		return d->returns ? vu_return_start(d) : -ENOTCONN;
	loop_want(v->env->loop, &d->line, 0);
	rc = vhost_user_start(&d->u, v->acked & ~d->ours, v->env->mem, ring, n,
			      &d->inflight);
	if (rc == 0)
		return vu_listen(d);
	log_guest("%s: the process that serves it fails: %s", v->name, d->u.why);
	vu_hang_up(d);
	return rc;
}

/* It may still read from or write to requests that it had taken when it was stopped: wait until
 * the used ring has caught up. Not for ever, since the guest can also write there.
 */
static void vu_settle(const struct vu_dev *d, const struct vhost_ring *ring,
		      unsigned int n)
{
	uint64_t end = monotonic_ns() + VU_SETTLE_NS;

	for (unsigned int i = 0; i < n; i++) {
		const uint8_t *used = d->vq[ring[i].index].used_p;

		while (shared_load16(used + 2) != ring[i].base && monotonic_ns() < end)
			(void)poll(NULL, 0, VU_SETTLE_MS);
	}
}

static void vu_reset(struct virtio_dev *v)
{
	struct vu_dev *d = vu_of(v);
	struct vhost_ring ring[VIRTIO_QUEUES_MAX];
	unsigned int n = vu_rings(d, ring);
	bool stopped = d->rest.stage == VU_ASKED || d->rest.stage == VU_STOPPED;
	bool due = d->rest.stage == VU_DUE;
	int rc;

	vu_return_stop(d);
	cleanup_close_fd(&d->inflight.fd);
	d->inflight.fd = -1;
	if (d->u.fd < 0 || due)
		return;
	loop_want(v->env->loop, &d->line, 0);
	rc = stopped ? vu_rest_end(d, ring) : vhost_user_stop(&d->u, ring, n);
	d->rest.stage = VU_SERVES;
	if (rc == 0 && vu_listen(d) == 0) {
		vu_settle(d, ring, n);
		return;
	}
	/* it must not write to the guest's memory any more: closing the connection ends that */
	log_guest("%s: the process that serves it does not stop: %s", v->name,
		  d->u.why ? d->u.why : "no descriptor");
	vu_hang_up(d);
}

static void vu_state(struct virtio_dev *v, struct state *s)
{
	(void)v;
	state_fail(s, "a device that another process serves cannot be saved");
}

static void vu_op_destroy(struct virtio_dev *v)
{
	vu_destroy(vu_of(v));
}

static const struct virtio_ops vu_ops = {
	.arm = vu_arm,
	.activate = vu_activate,
	.kick = virtio_nop_kick,
	.config_written = virtio_nop_config_written,
	.reset = vu_reset,
	.rest = vu_op_rest,
	.wake = vu_op_wake,
	.state = vu_state,
	.destroy = vu_op_destroy,
};

struct vu_dev *vu_create(const struct virtio_env *env, const char *name, struct err *e)
{
	struct vu_dev *d = NULL;

	if (!env->mem->shared)
		err_set(e, EINVAL, "%s: the guest's memory is not shared", name);
	else if (!(d = calloc(1, sizeof(*d))))
		err_set(e, ENOMEM, "%s: out of memory", name);
	if (!d)
		return NULL;
	d->v.ops = &vu_ops;
	d->v.env = env;
	d->v.elsewhere = true;
	d->v.config = d->config;
	d->v.vq = d->vq;
	(void)snprintf(d->v.name, sizeof(d->v.name), "%s", name);
	d->u.fd = d->inflight.fd = -1;
	d->line = (struct loop_source){.fd = -1, .fn = vu_on_line};
	daemon_init(&d->daemon);
	return d;
}

void vu_may_return(struct vu_dev *d)
{
	d->returns = true;
}

struct virtio_dev *vu_offer(struct vu_dev *d, uint32_t id, unsigned int nvq,
			    uint16_t size, uint64_t features, uint64_t ours)
{
	BUG_ON(nvq > VIRTIO_QUEUES_MAX);
	d->v.id = id;
	d->ours = ours;
	d->v.nvq = nvq;
	for (unsigned int i = 0; i < nvq; i++)
		virtq_init(&d->vq[i], size);
	d->inflight.nqueue = (uint16_t)nvq;
	d->inflight.queue_size = size;
	d->v.offered = (d->u.features & (features | VU_RING_FEATURES)) | ours;
	return &d->v;
}

void vu_destroy(struct vu_dev *d)
{
	vu_return_fini(d);
	vu_hang_up(d);
	cleanup_close_fd(&d->inflight.fd);
	daemon_stop(&d->daemon);
	free(d);
}
