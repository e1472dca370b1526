/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mmio_life - a virtio-mmio device begins, rests, goes on, is saved and loaded.
 *
 * A device is armed once, and activated at each DRIVER_OK. At rest its doorbells are ignored, and
 * the kick of every queue that follows finds the chains they were rung for.
 */
#include "devices/virtio/mmio.h"

#include <errno.h>
#include <string.h>

#include "vmm/core/log.h"

int mmio_arm(struct device *d, struct err *e)
{
	struct mmio *m = container_of(d, struct mmio, dev);
	int rc;

	if (m->armed)
		return 0;
	rc = mmio_kicks_arm(m);
	if (rc < 0)
		return err_set(e, -rc, "%s: no descriptor for its queues: %s", m->v->name,
			       strerror(-rc));
	rc = m->v->ops->arm(m->v, e);
	m->armed = rc == 0;
	return rc;
}

/* Map what the driver set up and let the device run.  Return: 0, or -errno with a reason */
static int mmio_go(struct mmio *m, const char **why)
{
	struct virtio_dev *v = m->v;
	struct err e;
	int rc;

	*why = "a queue's size, alignment or address is impossible";
	for (unsigned int i = 0; i < v->nvq; i++) {
		rc = v->vq[i].ready ? virtq_map(&v->vq[i], v->env->mem, v->acked) : 0;
		if (rc < 0)
			return rc;
	}
	*why = "the host refuses what it needs";
	rc = mmio_arm(&m->dev, &e);
	if (rc < 0) {
		log_guest("%s", e.msg); /* a driver may try again and again */
		return rc;
	}
	*why = "the host cannot poll its queues";
	rc = v->resting ? 0 : mmio_kicks_wake(m);
	if (rc < 0)
		return rc;
	*why = "the device cannot work with what was negotiated";
	v->active = true;
	m->activated = true;
	if (v->elsewhere) /* we do not see used buffers: mmio_notify.c */
		mmio_show_used(m);
	return v->ops->activate(v);
}

bool mmio_activate(struct mmio *m)
{
	const char *why;

	if (mmio_go(m, &why) == 0)
		return true;
	virtio_broken(m->v, why);
	return false;
}

/* The loop may have been polling the queues: they ask for kicks again */
static void mmio_queues_unpolled(struct mmio *m)
{
	for (unsigned int i = 0; i < m->v->nvq; i++)
		if (m->v->vq[i].polled)
			(void)virtq_poll_end(&m->v->vq[i]);
}

bool mmio_rest(struct device *d)
{
	struct mmio *m = container_of(d, struct mmio, dev);
	struct virtio_dev *v = m->v;

	v->resting = true;
	mmio_kicks_sleep(m);
	mmio_queues_unpolled(m);
	if (!m->activated)
		return true;
	if (!v->ops->rest(v))
		return false;
	for (unsigned int i = 0; !v->active && i < v->nvq; i++)
		virtq_abandon(&v->vq[i]); /* the chain that broke the device */
	return true;
}

/* Chains that came during a poll have rung no doorbell */
static void mmio_kick_all(struct mmio *m)
{
	for (unsigned int i = 0; i < m->v->nvq; i++)
		mmio_kick(m->v, i);
}

void mmio_wake(struct device *d)
{
	struct mmio *m = container_of(d, struct mmio, dev);

	if (!m->v->resting)
		return;
	m->v->resting = false;
	if (!m->activated)
		return;
	m->v->ops->wake(m->v);
	if (!m->v->active)
		return;
	if (mmio_kicks_wake(m) < 0)
		virtio_broken(m->v, "the host cannot poll its queues");
	mmio_kick_all(m);
}

/* Values that a driver has seen of the device, and that must not change while it is active */
static void mmio_state_identity(struct mmio *m, struct state *s)
{
	uint64_t offered = m->v->offered;

	state_same_u32(s, m->v->id, "(the virtio type)");
	state_same_u32(s, m->v->nvq, "queues");
	for (unsigned int i = 0; i < m->v->nvq; i++)
		state_same_u32(s, m->v->vq[i].size_max, "entries in a queue");
	state_u64(s, &offered);
	if (offered & ~m->v->offered)
		state_fail(s, "the device that was saved offered more features");
}

static void mmio_state_registers(struct mmio *m, struct state *s)
{
	state_u32(s, &m->status);
	state_u32(s, &m->interrupt);
	state_u32(s, &m->generation);
	state_u32(s, &m->device_features_sel);
	state_u32(s, &m->driver_features_sel);
	state_u32(s, &m->queue_sel);
	state_u64(s, &m->driver_features);
	state_u64(s, &m->v->acked);
	for (unsigned int i = 0; i < m->v->nvq; i++)
		virtq_state(&m->v->vq[i], s);
}

/* The registers are loaded: let the device go on. The interrupt that they show may have been on
 * its way to a vCPU: the driver tolerates a spurious one.
 */
static void mmio_state_go(struct mmio *m, struct state *s)
{
	if (!mmio_plausible(m))
		state_fail(
			s,
			"no driver can have brought it to these features and this status");
	if (!state_ok(s))
		return;
	mmio_show_all(m);
	if (m->status == (S_ACK | S_DRIVER | S_FEATURES_OK | S_DRIVER_OK) &&
	    !mmio_activate(m))
		state_fail(s, "the host refuses what it needs");
}

void mmio_state(struct device *d, struct state *s)
{
	struct mmio *m = container_of(d, struct mmio, dev);

	if (state_loading(s))
		mmio_reset(d);
	m->loaded |= state_loading(s);
	state_begin(s, d->name, 1);
	mmio_state_identity(m, s);
	mmio_state_registers(m, s);
	if (state_loading(s))
		mmio_state_go(m, s);
	m->v->ops->state(m->v, s);
	state_end(s);
	if (state_refused(s)) {
		mmio_reset(d);
		return;
	}
	if (!state_loading(s))
		return;
	mmio_show_config(m);
	if (m->interrupt)
		irq_pulse(&d->irq);
	if (!m->v->resting)
		mmio_kick_all(m); /* one may have been on its way */
}
