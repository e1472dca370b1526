/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tty_mode - the operator's terminal: raw while a guest has it, restored whatever ends us.
 *
 * State is global because signal handlers have nowhere else to look.  It is written before
 * the handlers are installed; after that only @is_raw changes.
 */
#include "devices/backend/tty_mode.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <termios.h>
#include <unistd.h>

#include "devices/backend/tty.h"
#include "vmm/core/log.h"
#include "vmm/core/outside.h"
#include "vmm/core/util.h"

static void tty_mode_on_wake(int sig, siginfo_t *si, void *uc);
static void tty_mode_on_continue(int sig, siginfo_t *si, void *uc);
static void tty_mode_on_crash(int sig, siginfo_t *si, void *uc);

static const struct {
	int sig;
	void (*fn)(int sig, siginfo_t *si, void *uc);
} tty_signals[] = {
	{SIGWINCH, tty_mode_on_wake}, {SIGCONT, tty_mode_on_continue},
	{SIGSEGV, tty_mode_on_crash}, {SIGBUS, tty_mode_on_crash},
	{SIGILL, tty_mode_on_crash},  {SIGFPE, tty_mode_on_crash},
	{SIGABRT, tty_mode_on_crash},
};

static struct {
	bool started;
	int fd, wakefd;
	struct termios saved, raw;
	struct sigaction old[ARRAY_SIZE(tty_signals)];
	pid_t group;          /* ours: a jail has no call to ask for it */
	atomic_bool is_raw;   /* the terminal's mode is not the one we found */
	atomic_bool want_raw; /* and after a stop it becomes raw again */
} mode = {.fd = -1, .wakefd = -1};

/* tcsetattr() from the background would stop us; this must also work there. */
static void tty_mode_set(const struct termios *t)
{
	int saved = errno;
	sigset_t ttou, old;

	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU);
	pthread_sigmask(SIG_BLOCK, &ttou, &old);
	(void)tcsetattr(mode.fd, TCSANOW, t);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = saved;
}

/* A terminal that is not our controlling one has no foreground: it is ours. */
static bool tty_mode_foreground(void)
{
	pid_t fg;

	/* a process group outside of a pid namespace has no number in it */
	if (outside_asks())
		return outside_do(OUTSIDE_FOREGROUND, 0, 0) > 0;
	fg = tcgetpgrp(mode.fd);
	return fg < 0 || fg == mode.group;
}

bool tty_mode_raw(void)
{
	if (mode.fd < 0)
		return true;
	if (!tty_mode_foreground())
		return false;
	mode.want_raw = true;
	if (!atomic_exchange(&mode.is_raw, true)) {
		tty_mode_set(&mode.raw);
		log_set_raw(isatty(STDERR_FILENO));
	}
	return true;
}

void tty_restore_now(void)
{
	if (atomic_exchange(&mode.is_raw, false)) {
		tty_mode_set(&mode.saved);
		log_set_raw(false);
	}
}

static void tty_mode_wake(void)
{
	int saved = errno;

	(void)!eventfd_write(mode.wakefd, 1);
	errno = saved;
}

static void tty_mode_on_wake(int sig, siginfo_t *si, void *uc)
{
	(void)sig, (void)si, (void)uc;
	tty_mode_wake();
}

/* Not by SIGTSTP's default action, which an orphaned process group ignores */
void tty_stop_process(void)
{
	tty_restore_now();
	if (outside_asks())
		(void)outside_do(OUTSIDE_STOP, 0, 0);
	else
		(void)kill(getpid(), SIGSTOP);
}

static void tty_mode_on_continue(int sig, siginfo_t *si, void *uc)
{
	int saved = errno;

	(void)sig, (void)si, (void)uc;
	if (outside_asks()) { /* which no handler can do: the loop sets it again */
		mode.is_raw = false;
		tty_mode_wake();
		return;
	}
	/* After a plain SIGSTOP the shell may have changed the mode: set it again in any case. */
	if (mode.want_raw && mode.fd >= 0 && tty_mode_foreground()) {
		mode.is_raw = true;
		tty_mode_set(&mode.raw);
		log_set_raw(isatty(STDERR_FILENO));
	}
	errno = saved;
	tty_mode_wake();
}

static void tty_mode_on_crash(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	tty_restore_now();
	for (size_t i = 0; i < ARRAY_SIZE(tty_signals); i++)
		if (tty_signals[i].sig == sig)
			(void)sigaction(sig, &mode.old[i], NULL);
	/* A fault happens again when we return, an abort() continues by itself. */
	if (si->si_code <= 0)
		(void)raise(sig);
}

void tty_mode_start(int fd, bool shown, int wakefd)
{
	if (fd >= 0 && tcgetattr(fd, &mode.saved) < 0)
		fd = -1;
	mode.fd = fd;
	mode.wakefd = wakefd;
	mode.group = getpgrp();
	mode.raw = mode.saved;
	cfmakeraw(&mode.raw);
	/* Output through a pipe (`microvm … | tee log`) has no CR at a line's end */
	if (!shown)
		mode.raw.c_oflag = mode.saved.c_oflag;
	for (size_t i = 0; i < ARRAY_SIZE(tty_signals); i++) {
		struct sigaction sa = {.sa_sigaction = tty_signals[i].fn,
				       .sa_flags = SA_SIGINFO | SA_RESTART};

		/* after a crash of a jailed process its broker restores the terminal */
		if (outside_asks() && tty_signals[i].fn == tty_mode_on_crash)
			continue;

		sigemptyset(&sa.sa_mask);
		(void)sigaction(tty_signals[i].sig, &sa, &mode.old[i]);
	}
	mode.started = true;
}

void tty_mode_stop(void)
{
	if (!mode.started)
		return;
	mode.want_raw = false;
	/* a jailed process ends now, and may not */
	for (size_t i = 0; !outside_asks() && i < ARRAY_SIZE(tty_signals); i++)
		(void)sigaction(tty_signals[i].sig, &mode.old[i], NULL);
	tty_restore_now();
	mode.fd = mode.wakefd = -1;
	mode.started = false;
}
