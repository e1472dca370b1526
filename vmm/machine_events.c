/* SPDX-License-Identifier: Apache-2.0 */
/* machine_events - what comes from outside: signals, and the end of --timeout. */
#include "vmm/machine_parts.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "devices/virtio/devices.h"
#include "vmm/core/util.h"

#define NS_PER_SECOND UINT64_C(1000000000)

/* The kernel says SIGHUP when the terminal goes, and shells pass it on to their jobs. */
static bool machine_lost_terminal(const struct signalfd_siginfo *si)
{
	return si->ssi_code == SI_KERNEL || (!isatty(STDIN_FILENO) && errno == EIO);
}

/* kill -HUP: look at the disks again, their files may have grown */
static void machine_look_again(struct machine *m)
{
	for (unsigned int i = 0; i < m->ndisk; i++)
		blk_look_again(m->disk[i]);
}

static void machine_on_signal(struct loop_source *s, uint32_t events)
{
	struct machine *m = container_of(s, struct machine, signals);
	struct signalfd_siginfo si;

	(void)events;
	if (read(s->fd, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return;
	if (si.ssi_signo == SIGINT)
		machine_end(m, CAUSE_SIGINT, "%s", "");
	else if (si.ssi_signo == SIGHUP && !machine_lost_terminal(&si))
		machine_look_again(m);
	else if (si.ssi_signo == SIGUSR1)
		machine_report_now(m);
	else
		machine_end(m, CAUSE_SIGTERM, "%s", "");
}

static void machine_on_timeout(struct loop_source *s, uint32_t events)
{
	struct machine *m = container_of(s, struct machine, timeout);

	(void)events;
	machine_end(m, CAUSE_TIMEOUT, "--timeout ran out after %.3g seconds",
		    (double)m->cfg->timeout_ns / 1e9);
}

/* A signal that our parent made us ignore (nohup, a background job) stays ignored. */
static void machine_add_signal(sigset_t *set, int sig)
{
	struct sigaction sa;

	if (sigaction(sig, NULL, &sa) == 0 && sa.sa_handler != SIG_IGN)
		sigaddset(set, sig);
}

static int machine_watch_signals(struct machine *m, struct err *e)
{
	sigset_t set;
	int rc;

	sigemptyset(&set);
	machine_add_signal(&set, SIGINT);
	machine_add_signal(&set, SIGTERM);
	machine_add_signal(&set, SIGHUP);
	machine_add_signal(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* A file that may not grow (ulimit -f) is an error of the write, not our end */
	(void)signal(SIGXFSZ, SIG_IGN);
	m->signals =
		(struct loop_source){.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
				     .events = EPOLLIN,
				     .fn = machine_on_signal};
	rc = m->signals.fd < 0 ? -errno : loop_add(m->loop, &m->signals);
	return rc < 0 ? err_set(e, -rc, "cannot wait for signals: %s", strerror(-rc)) : 0;
}

static int machine_watch_timeout(struct machine *m, struct err *e)
{
	struct itimerspec it = {
		.it_value = {.tv_sec = (time_t)(m->cfg->timeout_ns / NS_PER_SECOND),
			     .tv_nsec = (long)(m->cfg->timeout_ns % NS_PER_SECOND)}};
	int rc = 0;

	m->timeout = (struct loop_source){
		.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
		.events = EPOLLIN,
		.fn = machine_on_timeout};
	if (m->timeout.fd < 0 || timerfd_settime(m->timeout.fd, 0, &it, NULL) < 0)
		rc = -errno;
	else
		rc = loop_add(m->loop, &m->timeout);
	return rc < 0 ? err_set(e, -rc, "--timeout: no timer: %s", strerror(-rc)) : 0;
}

int machine_watch_events(struct machine *m, struct err *e)
{
	int rc = machine_watch_signals(m, e);

	if (rc == 0)
		rc = machine_watch_ends(m, e);
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
	m->signals.fd = m->timeout.fd = m->live.timer.fd = m->ends.timer.fd = -1;
}
