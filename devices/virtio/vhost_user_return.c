/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhost_user_return - connect again to a back end that hung up, until it works.
 *
 * Meanwhile the guest waits, as for a slow disk: its requests stay in the rings. A worker tries
 * twice a second, because a try may have to wait for answers.
 */
#include "devices/virtio/vhost_user_device.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "vmm/core/log.h"
#include "vmm/core/loop_timer.h"
#include "vmm/core/outside.h"
#include "vmm/core/util.h"

#define VU_RETRY_NS 500000000L

struct vu_return {
	struct vu_dev *d;
	struct loop_source timer;
	struct work work;
	bool trying; /* a worker has it */
	/* for the worker, and from it */
	const char *socket;
	int slot; /* of @socket (vmm/core/outside.h) */
	const struct gmem *mem;
	uint64_t features;
	struct vhost_ring ring[VIRTIO_QUEUES_MAX];
	unsigned int n;
	struct vhost_user u; /* fd -1: it failed */
	struct vhost_user_inflight inflight;
};

/* Can the back end r->u go on where its predecessor stopped? The predecessor's notes have the
 * requests in flight; a successor that cannot read them would do some twice.
 */
static bool vu_return_fits(const struct vu_return *r)
{
	bool notes = r->inflight.fd >= 0;

	return !(r->features & ~r->u.features) && r->u.queues >= r->inflight.nqueue &&
	       (!notes || vhost_user_has(&r->u, VHOST_USER_P_INFLIGHT));
}

/* Worker thread */
static void vu_return_try(struct work *w)
{
	struct vu_return *r = container_of(w, struct vu_return, work);
	int fd = outside_do(OUTSIDE_CONNECT, r->slot, OUTSIDE_NO_PORT);
	int rc = fd < 0 ? fd : vhost_user_open(&r->u, fd, VHOST_USER_WAIT_MS);

	if (rc == 0 && !vu_return_fits(r)) {
		r->u.why = "it offers less than the one before it";
		rc = -EPROTO;
	}
	if (rc == 0)
		rc = vhost_user_start(&r->u, r->features, r->mem, r->ring, r->n,
				      &r->inflight);
	if (rc == 0)
		return;
	if (fd >= 0)
		log_guest("%s: who listens there cannot take over: %s", r->socket,
			  r->u.why);
	vhost_user_close(&r->u);
}

static void vu_return_sleep(struct vu_return *r)
{
	loop_timer_set(&r->timer, VU_RETRY_NS);
	loop_want(r->d->v.env->loop, &r->timer, EPOLLIN);
}

/* Loop thread, or a reset that waits for it */
static void vu_return_tried(struct work *w)
{
	struct vu_return *r = container_of(w, struct vu_return, work);
	struct vu_dev *d = r->d;

	r->trying = false;
	d->inflight = r->inflight;
	if (r->u.fd < 0) {
		if (d->v.active && !d->v.resting)
			vu_return_sleep(r);
		return;
	}
	d->u = r->u;
	r->u.fd = -1;
	if (!d->v.active) /* a reset waits for us, and will stop it */
		return;
	if (!d->v.resting && vu_listen(d) < 0) {
		virtio_broken(&d->v, "the host cannot poll its connection");
		return;
	}
	log_guest("%s: served again", d->v.name);
	/* kicks that came meanwhile may have gone to its predecessor, and are pending */
	for (unsigned int i = 0; i < r->n; i++)
		(void)eventfd_write(r->ring[i].kick, 1);
	if (r->n)
		(void)eventfd_write(r->ring[0].call, 1);
}

static void vu_return_on_timer(struct loop_source *s, uint32_t events)
{
	struct vu_return *r = container_of(s, struct vu_return, timer);
	struct vu_dev *d = r->d;

	(void)events;
	(void)loop_timer_rang(s);
	loop_want(d->v.env->loop, s, 0);
	if (!d->v.active)
		return;
	r->n = vu_rings(d, r->ring);
	vu_used_base(d, r->ring, r->n);
	r->features = d->v.acked & ~d->ours;
	r->inflight = d->inflight;
	r->work.dev = d->v.dev;
	r->trying = true;
	work_submit(d->v.env->pool, &r->work);
}

int vu_return_arm(struct vu_dev *d)
{
	struct vu_return *r = d->again;

	if (!r) {
		r = calloc(1, sizeof(*r));
		if (!r)
			return -ENOMEM;
		r->d = d;
		r->socket = d->socket;
		r->mem = d->v.env->mem;
		r->slot = outside_peer(d->socket);
		r->u.fd = -1;
		r->work.run = vu_return_try;
		r->work.done = vu_return_tried;
		r->timer =
			(struct loop_source){.dev = d->v.dev, .fn = vu_return_on_timer};
		(void)loop_timer_make(&r->timer);
		d->again = r;
		work_pool_grow(d->v.env->pool, 1);
	}
	return r->timer.fd < 0 ? -EMFILE : MIN(r->slot, 0);
}

int vu_return_start(struct vu_dev *d)
{
	int rc = vu_return_arm(d);

	if (rc == 0 && !d->v.resting) /* else by vu_op_wake() */
		vu_return_sleep(d->again);
	return rc;
}

bool vu_return_rest(struct vu_dev *d)
{
	if (d->again)
		loop_want(d->v.env->loop, &d->again->timer, 0);
	return !d->again || !d->again->trying;
}

void vu_return_stop(struct vu_dev *d)
{
	if (!d->again)
		return;
	loop_want(d->v.env->loop, &d->again->timer, 0);
	if (d->again->trying)
		work_drain(d->v.env->pool, d->v.dev);
}

void vu_return_fini(struct vu_dev *d)
{
	if (!d->again)
		return;
	loop_timer_close(d->v.env->loop, &d->again->timer);
	vhost_user_close(&d->again->u);
	outside_drop(d->again->slot);
	free(d->again);
}
