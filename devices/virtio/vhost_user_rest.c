/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhost_user_rest - a device whose queues another process serves comes to rest and goes on.
 *
 * The protocol stops a ring by asking for its base. The loop must not wait for that: it asks
 * once, and polls for the answers. If the machine gives up before the process has answered, the
 * request stays: the process serves the rings again after its answer. Of a process that does not
 * read, the messages that its socket has no room for are sent at a later look, or when there is.
 */
#include "devices/virtio/vhost_user_device.h"

#include <string.h>
#include <sys/eventfd.h>

#include "vmm/core/util.h"

/* Return: 0, all have been answered, 1, not yet; -errno, the process is unusable */
static int vu_hear_answers(struct vu_dev *d, bool wait)
{
	struct vu_rest *r = &d->rest;
	int rc = vhost_user_ask_to_stop(&d->u, r->ring, r->n, &r->told, wait);

	if (rc < 0)
		return rc;
	for (; r->answered < r->told; r->answered++) {
		rc = vhost_user_stopped(&d->u, &r->ring[r->answered], wait);
		if (rc != 0)
			return rc;
	}
	if (r->answered < r->n)
		return 1;
	r->stage = VU_STOPPED;
	return 0;
}

/* Return: 0, it serves the rings again, each from its base; else as above */
static int vu_go_on(struct vu_dev *d)
{
	struct vu_rest *r = &d->rest;
	int rc = vhost_user_go_on(&d->u, r->ring, r->n, &r->told);

	if (rc != 0)
		return rc;
	r->stage = VU_SERVES;
	/* kicks that came meanwhile were ignored */
	for (unsigned int i = 0; i < r->n; i++)
		(void)eventfd_write(r->ring[i].kick, 1);
	return 0;
}

bool vu_rest_owes(const struct vu_dev *d)
{
	const struct vu_rest *r = &d->rest;

	return r->stage == VU_RETURNS || (r->stage == VU_ASKED && r->told < r->n);
}

/* Has the used ring caught up? The process may still read from and write to what it has taken */
static bool vu_is_settled(const struct vu_dev *d)
{
	const struct vu_rest *r = &d->rest;

	for (unsigned int i = 0; i < r->n; i++)
		if (shared_load16(d->vq[r->ring[i].index].used_p + 2) != r->ring[i].base)
			return false;
	return true;
}

bool vu_op_rest(struct virtio_dev *v)
{
	struct vu_dev *d = container_of(v, struct vu_dev, v);
	struct vu_rest *r = &d->rest;
	int rc = 0;

	if (!vu_return_rest(d))
		return false;
	if (d->u.fd < 0 || r->stage == VU_DUE)
		return true;
	loop_want(v->env->loop, &d->line, 0);
	if (r->stage == VU_RETURNS)
		rc = vu_go_on(d);
	if (r->stage == VU_SERVES) {
		r->n = vu_rings(d, r->ring);
		r->told = r->answered = 0;
		r->stage = VU_ASKED;
	}
	if (rc == 0 && r->stage == VU_ASKED)
		rc = vu_hear_answers(d, false);
	if (rc < 0)
		vu_lost(d, d->u.why);
	return rc < 0 || (rc == 0 && vu_is_settled(d));
}

/* All have answered. Return: as vu_go_on() */
static int vu_serve_again(struct vu_dev *d)
{
	d->rest.stage = VU_RETURNS;
	d->rest.told = 0;
	return vu_go_on(d);
}

bool vu_rest_heard(struct vu_dev *d)
{
	bool asked = d->rest.stage == VU_ASKED;
	int rc;

	if (!asked && d->rest.stage != VU_RETURNS)
		return false;
	rc = asked ? vu_hear_answers(d, false) : vu_go_on(d);
	if (asked && rc == 0)
		rc = vu_serve_again(d);
	if (rc < 0)
		vu_lost(d, d->u.why);
	else
		(void)vu_listen(d); /* as before, but perhaps for its room */
	return asked || rc < 0;
}

int vu_rest_end(struct vu_dev *d, struct vhost_ring *ring)
{
	struct vu_rest *r = &d->rest;
	int rc = vu_hear_answers(d, true);

	memcpy(ring, r->ring, r->n * sizeof(*ring));
	return rc;
}

void vu_op_wake(struct virtio_dev *v)
{
	struct vu_dev *d = container_of(v, struct vu_dev, v);

	if (d->rest.stage == VU_DUE) {
		d->rest.stage = VU_SERVES;
		if (v->active && vu_begin(d) < 0)
			virtio_broken(v, "the process that serves it fails");
		return;
	}
	if (d->u.fd < 0) {
		if (v->active && (!d->returns || vu_return_start(d) < 0))
			virtio_broken(v, "nobody serves it any more");
		return;
	}
	if (d->rest.stage == VU_STOPPED && vu_serve_again(d) < 0)
		vu_lost(d, d->u.why);
	if (d->u.fd >= 0 && vu_listen(d) < 0)
		vu_lost(d, "the host cannot poll its connection");
}
