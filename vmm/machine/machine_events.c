/* SPDX-License-Identifier: Apache-2.0 */
/* machine_events - events from outside: signals, and the end of --timeout. */
#include "vmm/machine/machine_parts.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>

#include "devices/virtio/devices.h"
#include "vmm/core/loop_timer.h"
#include "vmm/core/signals.h"
#include "vmm/core/util.h"
#include "vmm/machine/machine_ops.h"

#define NS_PER_SECOND UINT64_C(1000000000)

/* Look at the disks again: their files may have grown */
static void machine_look_again(struct machine *m)
{
	for (unsigned int i = 0; i < m->ndisk; i++)
		blk_look_again(m->disk[i]);
}

static void machine_end_by(struct machine *m, int sig)
{
	struct exit_verdict v = exit_by_signal(sig);

	if (!v.detail[0] && m->stop.since_ns)
		machine_end(m, v.cause,
			    "a second signal ended the guest before it had switched "
			    "itself off");
	else
		machine_end(m, v.cause, "%s", v.detail);
}

static void machine_on_signal(struct loop_source *s, uint32_t events)
{
	struct machine *m = container_of(s, struct machine, signals);
	int sig = signals_read(s->fd);

	(void)events;
	if (sig == SIGTERM) /* which a guest that is paused could not obey */
		machine_ops_resume(m);
	if (sig && m->on_signal && m->on_signal(m->signal_ctx, sig))
		return;
	switch (sig) {
	case 0:
		break;
	case SIGUSR1:
		machine_report_now(m);
		break;
	case SIGUSR2:
		machine_look_again(m);
		break;
	case SIGTSTP:
		machine_suspend(m);
		break;
	case SIGTERM:
		if (!machine_stop(m))
			machine_end_by(m, SIGTERM);
		break;
	default:
		machine_end_by(m, sig);
	}
}

static void machine_on_timeout(struct loop_source *s, uint32_t events)
{
	struct machine *m = container_of(s, struct machine, timeout);

	(void)events;
	machine_end(m, CAUSE_TIMEOUT, "--timeout ran out after %.3g seconds",
		    (double)m->cfg->timeout_ns / 1e9);
}

void machine_set_signals(struct machine *m, bool (*fn)(void *ctx, int sig), void *ctx)
{
	m->on_signal = fn;
	m->signal_ctx = ctx;
}

static int machine_watch_signals(struct machine *m, struct err *e)
{
	int fd = signals_open(), rc;

	m->signals = (struct loop_source){
		.fd = fd, .events = EPOLLIN, .fn = machine_on_signal};
	rc = fd < 0 ? fd : loop_add(m->loop, &m->signals);
	return rc < 0 ? err_set(e, -rc, "cannot wait for signals: %s", strerror(-rc)) : 0;
}

static int machine_watch_timeout(struct machine *m, struct err *e)
{
	int rc;

	m->timeout.fn = machine_on_timeout;
	rc = loop_timer_open(m->loop, &m->timeout);
	if (rc == 0)
		loop_timer_set(&m->timeout, m->cfg->timeout_ns);
	return rc < 0 ? err_set(e, -rc, "--timeout: no timer: %s", strerror(-rc)) : 0;
}

int machine_watch_events(struct machine *m, struct err *e)
{
	int rc = machine_watch_signals(m, e);

	if (rc == 0)
		rc = machine_watch_ends(m, e);
	if (rc == 0)
		rc = machine_watch_life(m, e);
	if (rc == 0 && m->cfg->stop_timeout_ns)
		rc = machine_watch_stop(m, e);
	if (rc == 0 && m->cfg->timeout_ns)
		rc = machine_watch_timeout(m, e);
	return rc;
}

void machine_unwatch_events(struct machine *m)
{
	cleanup_close_fd(&m->signals.fd);
	cleanup_close_fd(&m->timeout.fd);
	cleanup_close_fd(&m->live.timer.fd);
	cleanup_close_fd(&m->ends.timer.fd);
	cleanup_close_fd(&m->stop.timer.fd);
	cleanup_close_fd(&m->life.timer.fd);
	m->signals.fd = m->timeout.fd = m->live.timer.fd = m->ends.timer.fd = -1;
	m->stop.timer.fd = m->life.timer.fd = -1;
}
