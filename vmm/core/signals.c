/* SPDX-License-Identifier: Apache-2.0 */
/* signals - what each signal does to the program, set up before anything else. */
#include "vmm/core/signals.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "vmm/core/util.h"

static const int signals_ends[] = {SIGINT, SIGTERM, SIGHUP, SIGXCPU};
static const int signals_questions[] = {SIGUSR1, SIGUSR2};
static const int signals_stops[] = {SIGTSTP};

/* An ignored signal must not be blocked: the kernel keeps blocked signals, ignored or not, and we
 * would read it.
 */
static void signals_add(sigset_t *set, const int *sigs, size_t n)
{
	struct sigaction sa;

	for (size_t i = 0; i < n; i++)
		if (sigaction(sigs[i], NULL, &sa) == 0 && sa.sa_handler != SIG_IGN)
			sigaddset(set, sigs[i]);
}

static void signals_set(sigset_t *set, bool all)
{
	sigemptyset(set);
	signals_add(set, signals_questions, ARRAY_SIZE(signals_questions));
	if (!all)
		return;
	signals_add(set, signals_ends, ARRAY_SIZE(signals_ends));
	signals_add(set, signals_stops, ARRAY_SIZE(signals_stops));
}

void signals_init(void)
{
	sigset_t set;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	signals_set(&set, false);
	(void)pthread_sigmask(SIG_SETMASK, &set, NULL);
}

void signals_hold(void)
{
	sigset_t set;

	signals_set(&set, true);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int signals_open(void)
{
	sigset_t set;
	int fd;

	signals_set(&set, true);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int signals_ending(void)
{
	sigset_t set;

	if (sigpending(&set) < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(signals_ends); i++)
		if (sigismember(&set, signals_ends[i]) == 1)
			return signals_ends[i];
	return 0;
}

/* A signalfd of the signals that end us only, for as long as the wait: an unread question would
 * end it at once.
 */
int signals_poll(struct pollfd *p, int ms)
{
	struct pollfd both[] = {*p, {.fd = -1, .events = POLLIN}};
	sigset_t set;
	int rc;

	sigemptyset(&set);
	signals_add(&set, signals_ends, ARRAY_SIZE(signals_ends));
	both[1].fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	rc = poll(both, ARRAY_SIZE(both), ms);
	cleanup_close_fd(&both[1].fd);
	p->revents = rc > 0 ? both[0].revents : 0;
	return rc < 0 ? rc : p->revents != 0;
}
