/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter_trap - a system call that a filter stops: a sentence that names thread and call, and the
 * end of the process.
 *
 * The sentence is best effort, for a guest that took over a thread has its memory as well. That the
 * call is not made, and that the process ends, is the kernel's doing: a thread whose filter
 * refuses this handler's own calls dies by SIGSYS, which is blocked while it runs.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/jail/filter.h"
#include "vmm/jail/filter_impl.h"

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

/* As ps shows it: a thread under its filter cannot ask */
static _Thread_local char trap_thread[16];

struct trap_text {
	char at[160];
	size_t n;
};

static void trap_say(struct trap_text *t, const char *s)
{
	while (*s && t->n < sizeof(t->at))
		t->at[t->n++] = *s++;
}

static void trap_say_number(struct trap_text *t, unsigned int v)
{
	char digits[11];
	size_t i = sizeof(digits) - 1;

	digits[i] = '\0';
	do
		digits[--i] = (char)('0' + v % 10);
	while (v /= 10);
	trap_say(t, digits + i);
}

/* snprintf() is not async-signal-safe */
static void trap_on_signal(int sig, siginfo_t *si, void *context)
{
	struct trap_text t = {.n = 0};

	(void)sig;
	(void)context;
	trap_say(&t, "microvm: ");
	if (si->si_code == SYS_SECCOMP) {
		trap_say(&t, "the jail stopped thread ");
		trap_say(&t, trap_thread);
		trap_say(&t, "'s system call ");
		trap_say_number(&t, (unsigned int)si->si_syscall);
		trap_say(&t, " (");
		trap_say(&t, filter_call_name(si->si_syscall));
		trap_say(
			&t,
			"), which microvm never makes; its guest may have taken it over\n");
	} else {
		trap_say(&t, "ended by SIGSYS of another process\n");
	}
	(void)!write(STDERR_FILENO, t.at, t.n);
	syscall(SYS_exit_group, JAIL_FILTER_STATUS);
}

int filter_trap_arm(void)
{
	struct sigaction sa = {.sa_sigaction = trap_on_signal, .sa_flags = SA_SIGINFO};

	(void)prctl(PR_GET_NAME, trap_thread);
	return sigaction(SIGSYS, &sa, NULL) < 0 ? -errno : 0;
}
