/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine_life - pause and resume.
 *
 * First the vCPUs leave the guest, so that no driver gives a device more; then each device comes
 * to rest, while the loop goes on and completes requests that are with the host. Nothing here
 * waits: the loop checks again until all are at rest, or the time is over.
 *
 * An operator asks for it (machine_ops.c), and so does SIGTSTP: `kill -TSTP` stops a machine with
 * nothing under way on its disks and networks, and SIGCONT lets it go on.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "devices/backend/tty.h"
#include "vmm/core/log.h"
#include "vmm/core/loop_timer.h"
#include "vmm/core/util.h"
#include "vmm/machine/machine_parts.h"

#define LIFE_END_NS     UINT64_C(5000000000)
#define LIFE_NAP_MIN_NS 50000
#define LIFE_NAP_MAX_NS 5000000

_Static_assert(MACHINE_DEVICES_MAX <= 64, "a bit for each device");

/* Is every vCPU out of the guest?  If not, @which is one that is in it */
static bool life_vcpus_rest(const struct machine *m, unsigned int *which)
{
	for (unsigned int i = 0; i < m->nvcpu; i++)
		if (!vcpu_rests(&m->vcpu[i])) {
			*which = i;
			return false;
		}
	return true;
}

/* Is every device at rest? It asks all of them, so that they come to rest in parallel */
static bool life_devices_rest(struct machine *m, unsigned int *which)
{
	bool all = true;

	for (unsigned int i = m->ndev; i-- > 0;) {
		struct device *d = m->dev[i];
		bool rests = m->life.at_rest >> i & 1;

		if (!rests && device_lock_soon(d)) {
			m->life.asked |= UINT64_C(1) << i;
			rests = d->ops->rest(d);
			pthread_mutex_unlock(&d->lock);
		}
		m->life.at_rest |= (uint64_t)rests << i;
		if (!rests)
			*which = i;
		all &= rests;
	}
	return all;
}

/* Which device holds up a vCPU? The one that waits for the host */
static const char *life_whom(const struct machine *m)
{
	for (unsigned int i = 0; i < m->ndev; i++)
		if (m->dev[i]->waiting)
			return m->dev[i]->name;
	return NULL;
}

static void life_nap(struct machine *m)
{
	loop_timer_set(&m->life.timer, m->life.nap_ns);
	m->life.nap_ns = MIN(2 * m->life.nap_ns, LIFE_NAP_MAX_NS);
}

static void life_give_up(struct machine *m, const char *name, unsigned int vcpu)
{
	machine_paused_fn done = m->life.done;
	struct err e;

	if (name)
		(void)err_set(
			&e, ETIMEDOUT,
			"the machine cannot pause: %s waits for the host; it goes on",
			name);
	else
		(void)err_set(
			&e, ETIMEDOUT,
			"the machine cannot pause: vCPU %u does not leave the guest; "
			"it goes on",
			vcpu);
	if (m->life.stops)
		log_warn("SIGTSTP: %s", e.msg);
	machine_resume(m);
	done(m->life.ctx, &e);
}

static void life_step(struct machine *m)
{
	bool late = monotonic_ns() - m->life.since_ns >= LIFE_END_NS;
	unsigned int which = 0;

	if (m->has_verdict) /* the guest has ended, and its vCPUs rest for good */
		return;
	if (!life_vcpus_rest(m, &which)) {
		if (late)
			life_give_up(m, life_whom(m), which);
		else
			life_nap(m);
	} else if (!life_devices_rest(m, &which)) {
		if (late)
			life_give_up(m, m->dev[which]->name, 0);
		else
			life_nap(m);
	} else {
		m->life.phase = MACHINE_PAUSED;
		m->life.done(m->life.ctx, NULL);
		if (m->life.stops && m->life.phase == MACHINE_PAUSED)
			tty_stop_process();
		m->life.stops = false;
	}
}

static void life_on_timer(struct loop_source *s, uint32_t events)
{
	struct machine *m = container_of(s, struct machine, life.timer);

	(void)events;
	if (loop_timer_rang(s) && m->life.phase == MACHINE_PAUSING)
		life_step(m);
}

int machine_pause(struct machine *m, machine_paused_fn done, void *ctx)
{
	if (m->life.phase != MACHINE_RUNS || m->has_verdict)
		return -EBUSY;
	m->life.phase = MACHINE_PAUSING;
	m->life.since_ns = monotonic_ns();
	m->life.nap_ns = LIFE_NAP_MIN_NS;
	m->life.at_rest = m->life.asked = 0;
	m->life.done = done;
	m->life.ctx = ctx;
	for (unsigned int i = 0; i < m->nvcpu; i++)
		vcpu_rest(&m->vcpu[i]);
	life_step(m);
	return 0;
}

/* No vCPU runs, so no thread holds the lock for long */
static void life_wake(struct device *d)
{
	pthread_mutex_lock(&d->lock);
	d->ops->wake(d);
	pthread_mutex_unlock(&d->lock);
}

/* Tell the guest of the time that it missed, like one whose process was stopped (vcpu.c) */
void machine_resume(struct machine *m)
{
	if (m->life.phase == MACHINE_RUNS)
		return;
	m->life.phase = MACHINE_RUNS;
	m->life.stops = false;
	for (unsigned int i = 0; i < m->ndev; i++)
		if (m->life.asked >> i & 1)
			life_wake(m->dev[i]);
	atomic_fetch_add(&m->vcpu_host.pauses, 1);
	for (unsigned int i = 0; i < m->nvcpu; i++)
		vcpu_resume(&m->vcpu[i]);
}

static void life_on_suspended(void *ctx, const struct err *e)
{
	struct machine *m = ctx;

	if (e) {
		log_warn("SIGTSTP: %s (SIGSTOP stops it as it is)", e->msg);
		return;
	}
	tty_stop_process();
	machine_resume(m);
}

/* One that is paused already stays so when the process goes on */
void machine_suspend(struct machine *m)
{
	if (m->life.phase == MACHINE_PAUSED)
		tty_stop_process();
	else if (machine_pause(m, life_on_suspended, m) < 0)
		m->life.stops = m->life.phase == MACHINE_PAUSING;
}

int machine_watch_life(struct machine *m, struct err *e)
{
	int rc;

	m->life.timer.fn = life_on_timer;
	rc = loop_timer_open(m->loop, &m->life.timer);
	return rc < 0 ? err_set(e, -rc, "no timer for a pause: %s", strerror(-rc)) : 0;
}
