/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine_stop - an orderly stop: SIGTERM presses the guest's power button, and the guest has
 * --stop-timeout to switch itself off.
 *
 * The button is pressed again each second.  Linux keeps no press for a program that opens the
 * button later, and a guest that is asked to stop may still be starting.
 */
#include "vmm/machine/machine_parts.h"

#include <errno.h>
#include <string.h>

#include "vmm/core/log.h"
#include "vmm/core/loop_timer.h"
#include "vmm/core/util.h"

#define STOP_AGAIN_NS UINT64_C(1000000000)

static void machine_on_stop(struct loop_source *s, uint32_t events)
{
	struct machine *m = container_of(s, struct machine, stop.timer);
	uint64_t limit = m->cfg->stop_timeout_ns, past;

	(void)events;
	if (!loop_timer_rang(s))
		return;
	past = monotonic_ns() - m->stop.since_ns;
	if (past >= limit) {
		machine_end(
			m, CAUSE_SIGTERM,
			"the guest did not switch itself off in the %.3g seconds after "
			"SIGTERM pressed its power button, and was cut off; have it handle "
			"the button, or give it longer (--stop-timeout)",
			(double)limit / 1e9);
		return;
	}
	(void)machine_arch_press(m);
	loop_timer_set(&m->stop.timer, MIN(limit - past, STOP_AGAIN_NS));
}

bool machine_stop(struct machine *m)
{
	uint64_t limit = m->cfg->stop_timeout_ns;

	if (!limit || m->stop.since_ns)
		return false;
	if (!machine_arch_press(m)) {
		log_info(
			"SIGTERM: the guest's kernel does not listen to a power button, so "
			"it is ended at once");
		return false;
	}
	log_info("SIGTERM: the guest's power button was pressed; it has %.3g seconds",
		 (double)limit / 1e9);
	m->stop.since_ns = monotonic_ns();
	loop_timer_set(&m->stop.timer, MIN(limit, STOP_AGAIN_NS));
	return true;
}

void machine_end_own(struct machine *m, enum exit_cause cause)
{
	uint64_t since = m->stop.since_ns;

	if (since)
		machine_end(
			m, cause,
			"the guest ended by itself, %.2f seconds after SIGTERM pressed its "
			"power button",
			(double)(monotonic_ns() - since) / 1e9);
	else
		machine_end(m, cause, "%s", "");
}

int machine_watch_stop(struct machine *m, struct err *e)
{
	int rc;

	m->stop.timer.fn = machine_on_stop;
	rc = loop_timer_open(m->loop, &m->stop.timer);
	return rc < 0 ? err_set(e, -rc, "--stop-timeout: no timer: %s", strerror(-rc))
		      : 0;
}
