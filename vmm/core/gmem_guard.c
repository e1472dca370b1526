// SPDX-License-Identifier: Apache-2.0
/*
 * gmem_guard - a sentence when a file under guest memory is cut short.
 *
 * State is global because a signal handler has nowhere else to look; it is written before
 * there are threads.  The terminal's own handler for crashes comes first where there is
 * one, restores the terminal, puts ours in its place and lets the fault happen again.
 */
#include "vmm/core/gmem_guard.h"

#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#define GUARD_MAX 8 /* an ELF kernel has a handful of segments; the rest would crash */

static struct {
	uintptr_t start[GUARD_MAX], len[GUARD_MAX];
	unsigned int n;
} guard;

static void gmem_guard_on_bus(int sig, siginfo_t *si, void *uc)
{
	static const char sentence[] =
		"microvm: the kernel's file was cut short while its guest ran on it; "
		"replace such a file (by rename) instead of writing over it\n";

	(void)uc;
	for (unsigned int i = 0; si->si_code > 0 && i < guard.n; i++) {
		if ((uintptr_t)si->si_addr - guard.start[i] >= guard.len[i])
			continue;
		(void)!write(STDERR_FILENO, sentence, sizeof(sentence) - 1);
		_exit(1);
	}
	(void)signal(sig, SIG_DFL); /* a fault happens again when we return */
	if (si->si_code <= 0)
		(void)raise(sig);
}

void gmem_guard(const void *p, size_t len)
{
	struct sigaction sa = {.sa_sigaction = gmem_guard_on_bus, .sa_flags = SA_SIGINFO};

	if (guard.n == GUARD_MAX)
		return;
	guard.start[guard.n] = (uintptr_t)p;
	guard.len[guard.n++] = len;
	sigemptyset(&sa.sa_mask);
	(void)sigaction(SIGBUS, &sa, NULL);
}

void gmem_unguard(void)
{
	guard.n = 0;
}
