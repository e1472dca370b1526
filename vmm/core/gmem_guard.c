/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gmem_guard - a sentence when guest memory is gone.
 *
 * State is global because a signal handler has nowhere else to look; it is written before
 * there are threads.  The terminal's own handler for crashes comes first where there is
 * one, restores the terminal, puts ours in its place and lets the fault happen again.
 */
#include "vmm/core/gmem_guard.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "vmm/core/log.h"

/* RAM, and an ELF kernel has a handful of segments; beyond that, a plain crash */
#define GUARD_MAX 16

static struct {
	uintptr_t start[GUARD_MAX], len[GUARD_MAX];
	enum gmem_kind kind[GUARD_MAX];
	unsigned int n;
	bool last; /* the handler may not be changed any more */
} guard;

static const char *gmem_guard_sentence(enum gmem_kind kind, int code)
{
	if (code == BUS_MCEERR_AR || code == BUS_MCEERR_AO)
		return ": the host's hardware has lost a page of the guest's memory; "
		       "see the host's kernel log\n";
	if (kind == GMEM_FILE)
		return ": the kernel's file was cut short while its guest ran on it; "
		       "replace such a file (by rename) instead of writing over it\n";
	if (kind == GMEM_SAVED)
		return ": the file of the saved memory was cut short while its machine ran "
		       "on it; leave such files as they are, and remove them instead\n";
	return ": the host has no page left for the guest's RAM; leave it more "
	       "memory or huge pages (sysctl vm.nr_hugepages), or give the guest less\n";
}

/* The last one added counts: a file is mapped over RAM. */
static void gmem_guard_on_bus(int sig, siginfo_t *si, void *uc)
{
	const char *name = log_prefix(), *sentence;

	(void)uc;
	for (unsigned int i = guard.n; si->si_code > 0 && i-- > 0;) {
		if ((uintptr_t)si->si_addr - guard.start[i] >= guard.len[i])
			continue;
		sentence = gmem_guard_sentence(guard.kind[i], si->si_code);
		(void)!write(STDERR_FILENO, name, strlen(name));
		(void)!write(STDERR_FILENO, sentence, strlen(sentence));
		_exit(1);
	}
	if (guard.last)
		_exit(128 + sig);
	(void)signal(sig, SIG_DFL); /* a fault happens again when we return */
	if (si->si_code <= 0)
		(void)raise(sig);
}

void gmem_guard(const void *p, size_t len, enum gmem_kind kind)
{
	struct sigaction sa = {.sa_sigaction = gmem_guard_on_bus, .sa_flags = SA_SIGINFO};

	if (guard.n == GUARD_MAX)
		return;
	guard.start[guard.n] = (uintptr_t)p;
	guard.kind[guard.n] = kind;
	guard.len[guard.n++] = len;
	sigemptyset(&sa.sa_mask);
	(void)sigaction(SIGBUS, &sa, NULL);
}

void gmem_guard_last(void)
{
	guard.last = true;
}

void gmem_unguard(void)
{
	guard.n = 0;
}
