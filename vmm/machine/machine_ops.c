/* SPDX-License-Identifier: Apache-2.0 */
/* machine_ops - what can be asked of a machine while it runs. */
#include "vmm/machine/machine_ops.h"

#include <errno.h>
#include <string.h>

#include "devices/virtio/devices.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"
#include "vmm/machine/machine_parts.h"

#define OPS_PAGE UINT64_C(4096) /* a balloon counts in these */

static const char *ops_state(const struct machine *m)
{
	if (m->has_verdict || m->stop.since_ns || m->ends.witness.panicked)
		return "ending";
	if (m->life.phase != MACHINE_RUNS)
		return m->life.phase == MACHINE_PAUSED ? "paused" : "pausing";
	return m->vcpu_host.first_run_ns ? "running" : "starting";
}

static void ops_status(void *machine, struct machine_status *s)
{
	struct machine *m = machine;

	*s = (struct machine_status){.name = m->cfg->name,
				     .state = ops_state(m),
				     .uptime_ns =
					     monotonic_ns() - m->live.report.start_ns,
				     .cpus = m->cfg->ncpu,
				     .memory = m->cfg->memory,
				     .has_balloon = m->balloon != NULL,
				     .ndisk = m->ndisk};
	for (unsigned int i = 0; i < m->ndisk; i++)
		s->disk[i] = (struct machine_disk){.id = m->disk[i]->name,
						   .bytes = blk_size(m->disk[i])};
	if (m->balloon && device_lock_soon(m->balloon->dev)) {
		balloon_size(m->balloon, &s->balloon_asked, &s->balloon_has);
		pthread_mutex_unlock(&m->balloon->dev->lock);
	}
}

/* ---- pause, resume ---- */

static void ops_tell_paused(struct machine *m, const struct err *e)
{
	struct machine_asker *a = m->life.asker;

	m->life.asker = NULL;
	if (a)
		a->told(a, e, NULL, 0);
	else if (e)
		log_warn("%s", e->msg);
}

static void ops_on_paused(void *ctx, const struct err *e)
{
	ops_tell_paused(ctx, e);
}

static int ops_pause(void *machine, struct machine_asker *a, struct err *e)
{
	struct machine *m = machine;

	if (m->life.phase == MACHINE_PAUSED) {
		m->life.stays = m->life.held;
		a->told(a, NULL, NULL, 0);
		return 0;
	}
	if (m->life.phase == MACHINE_PAUSING)
		return err_set(
			e, EBUSY,
			"the machine is on its way to a pause already; look at its "
			"status");
	m->life.asker = a;
	if (machine_pause(m, ops_on_paused, m) == 0)
		return 0;
	m->life.asker = NULL;
	return err_set(e, EBUSY, "the machine is at its end, and is not paused any more");
}

void machine_ops_resume(struct machine *m)
{
	struct err e;

	if (m->life.held) {
		m->life.wanted = true;
		return;
	}
	machine_resume(m);
	if (!m->life.asker)
		return;
	err_set(&e, ECANCELED,
		"the machine was told to go on, or to end, before it was at rest");
	ops_tell_paused(m, &e);
}

static int ops_resume(void *machine, struct err *e)
{
	struct machine *m = machine;

	if (m->life.held)
		return err_set(e, EBUSY,
			       "the machine is being saved; it goes on after that");
	machine_ops_resume(m);
	return 0;
}

void machine_hold(struct machine *m)
{
	m->life.held = true;
}

void machine_let_go(struct machine *m, bool resume)
{
	bool goes_on = m->life.wanted || (resume && !m->life.stays);

	m->life.held = m->life.wanted = m->life.stays = false;
	if (goes_on)
		machine_ops_resume(m);
}

/* ---- devices ---- */

static int ops_balloon(void *machine, uint64_t bytes, struct err *e)
{
	struct machine *m = machine;
	uint64_t most = m->cfg->memory - MIN(m->cfg->memory, CONFIG_MEMORY_MIN);

	if (!m->balloon)
		return err_set(e, ENOENT,
			       "the machine has no balloon; start it with --balloon 0");
	if (bytes % OPS_PAGE)
		return err_set(e, EINVAL,
			       "balloon0: %llu is no multiple of 4096; give whole MiB",
			       (unsigned long long)bytes);
	if (bytes > most)
		return err_set(e, EINVAL,
			       "balloon0: %llu bytes would leave less than 16 MiB of the "
			       "guest's memory; give %llu at most",
			       (unsigned long long)bytes, (unsigned long long)most);
	if (!device_lock_soon(m->balloon->dev))
		return err_set(e, EBUSY, "balloon0: it is being reset; try again later");
	balloon_resize(m->balloon, bytes);
	pthread_mutex_unlock(&m->balloon->dev->lock);
	return 0;
}

static int ops_resize_disk(void *machine, const char *id, uint64_t bytes, uint64_t *now,
			   struct err *e)
{
	struct machine *m = machine;

	if (m->life.held) /* its state has the size that it had */
		return err_set(e, EBUSY,
			       "the machine is being saved; resize the disk after that");
	for (unsigned int i = 0; i < m->ndisk; i++) {
		if (strcmp(m->disk[i]->name, id) != 0)
			continue;
		if (blk_resize(m->disk[i], bytes, now, e) == 0)
			return 0;
		return err_wrap(e, "%s", id);
	}
	return err_set(e, ENOENT,
		       "the machine has no disk \"%.*s\"; its status has their names",
		       CONFIG_ID_MAX, id);
}

static void ops_report(void *machine, struct machine_asker *a)
{
	machine_report_ask(machine, a);
}

static void ops_forget(void *machine, struct machine_asker *a)
{
	struct machine *m = machine;

	if (m->life.asker == a)
		m->life.asker = NULL;
	machine_report_forget(m, a);
}

struct machine_ops machine_ops(struct machine *m)
{
	return (struct machine_ops){.machine = m,
				    .status = ops_status,
				    .pause = ops_pause,
				    .resume = ops_resume,
				    .balloon = ops_balloon,
				    .resize_disk = ops_resize_disk,
				    .report = ops_report,
				    .forget = ops_forget};
}
