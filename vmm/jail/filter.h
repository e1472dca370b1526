/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter - the seccomp filter of each thread: what filter_rules.c does not allow ends the process.
 *
 * The programs of BPF are made by the build (filter_gen.c); one thread's is chosen, told the
 * process's number, and handed to the kernel. A thread that calls something else says which
 * (filter_trap.c), and the process ends with JAIL_FILTER_STATUS.
 */
#ifndef MICROVM_JAIL_FILTER_H
#define MICROVM_JAIL_FILTER_H

#include <stdio.h>

#include "vmm/core/err.h"
#include "vmm/core/thread.h"

/* Features that need calls which no other machine makes; a bit each */
enum jail_extra {
	JAIL_EXTRA_SOCKETS =
		1, /* consoles and ports on sockets, vsock, passt, back ends, taps */
	JAIL_EXTRA_DAEMONS = 2, /* programs that we started, to be reaped */
	JAIL_EXTRA_CONTROL = 4, /* the control socket */
	/* The broker has these two instead: SOCKETS, if it connects to peers, and */
	JAIL_EXTRA_PATHS = 2, /* files that it writes or removes */
};
#define JAIL_EXTRAS_ALL (JAIL_EXTRA_SOCKETS | JAIL_EXTRA_DAEMONS | JAIL_EXTRA_CONTROL)

#define JAIL_FILTER_STATUS 159 /* as a shell calls an end by SIGSYS */

/* jail_filter_enter() - from now on the calling thread, and it alone, may only do what the rules
 * allow a thread of @kind in a machine with @extras. It has no_new_privs, and descriptors are
 * numbered (fds.h). Of the importer all threads are meant, not the calling one alone. The handler of SIGSYS, which belongs to the process, is set as well.
 * Return: 0, or -errno with a sentence in @e: nothing has changed
 */
int jail_filter_enter(enum thread_kind kind, unsigned int extras, struct err *e);
/* jail_filter_describe() - the names of the calls that a thread of @kind has with @extras, a space
 * before each
 */
void jail_filter_describe(FILE *f, enum thread_kind kind, unsigned int extras);

#endif
