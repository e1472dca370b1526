/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probes - ask a filter of system calls about every call, and compare with its rules.
 *
 * Nothing here makes a system call of its own: the asking thread may have lost all of them.
 */
#ifndef MICROVM_TESTS_PROBES_H
#define MICROVM_TESTS_PROBES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/jail/filter.h"
#include "vmm/jail/filter_rules.h"

#define PROBE_CALLS 600        /* numbers 0 to this */
#define PROBE_X32   0x40000000 /* an x86-64 kernel's second table of calls */

/* PROBE_MADE: the filter did not stand in its way and the kernel did something */
enum probe_answer { PROBE_DENIED, PROBE_ALLOWED, PROBE_KILLED, PROBE_MADE };

struct probes {
	enum thread_kind kind;
	unsigned int extras;
	uint32_t pid;
	enum probe_answer (*ask)(const void *ctx, int nr,
				 const uint64_t args[FILTER_SYS_ARGS]);
	const void *ctx;
	unsigned int random; /* tuples of arguments for each call */

	/* what came of it */
	bool done;
	unsigned long asked, allowed, wrong;
	int nr; /* the first wrong one */
	uint64_t args[FILTER_SYS_ARGS];
	enum probe_answer answer;
};

/* probes_run() - all numbers; for what is allowed to @p's thread, the arguments that the rules
 * name, their neighbours by one bit, and random ones; each of @ioctls, with
 * descriptors in and beside every block
 */
void probes_run(struct probes *p, const uint32_t *ioctls, size_t n);

#endif
