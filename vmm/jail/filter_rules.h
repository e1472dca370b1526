/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter_rules - which system calls a thread may make once the machine is locked.
 *
 * A rule allows one call, to some kinds of thread, if each argument that it names is as it says;
 * what no rule allows is denied. The build makes programs of BPF from the rules (filter_gen.c,
 * which runs on the machine that builds), so a rule holds numbers that are the same on every
 * architecture, or it is in the file of its own architecture.
 */
#ifndef MICROVM_JAIL_FILTER_RULES_H
#define MICROVM_JAIL_FILTER_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/core/thread.h"

#define FILTER_ARGS_MAX 3
#define FILTER_SYS_ARGS 6
/* In place of the process's number, which is known when a thread enters its filter */
#define FILTER_PID UINT32_C(0x5e1f0001)

/* The argument @nr of the call is meant: (argument & mask) == value. A C int is compared by its
 * low half: its caller may leave anything in the high half, and the kernel does not look there.
 */
struct filter_arg {
	uint64_t mask; /* 0: no further argument */
	uint64_t value;
	uint8_t nr;
};

struct filter_rule {
	/* The call's name: of several, with | between them, the first that the architecture has */
	char call[24];
	unsigned int threads; /* a bit for each thread_kind */
	unsigned int extra;   /* of enum jail_extra, one that has to be on; 0: none */
	struct filter_arg arg[FILTER_ARGS_MAX];
	char why[80];
};

/* The broker's, the copier's, the reader's, the importer's, and this architecture's own */
extern const struct filter_rule filter_rules_broker[];
extern const unsigned int filter_rules_broker_n;
extern const struct filter_rule filter_rules_copier[];
extern const unsigned int filter_rules_copier_n;
extern const struct filter_rule filter_rules_reader[];
extern const unsigned int filter_rules_reader_n;
extern const struct filter_rule filter_rules_importer[];
extern const unsigned int filter_rules_importer_n;
extern const struct filter_rule filter_rules_arch[];
extern const unsigned int filter_rules_arch_n;

#define FILTER_INT UINT64_C(0xffffffff) /* the low half */

/* What the C library makes of fstat() */
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33) && !__GLIBC_PREREQ(2, 39)
#define FSTAT       "newfstatat"
#define FSTAT_FLAGS FILTER_INT
#else
#define FSTAT       "fstat"
#define FSTAT_FLAGS 0
#endif

/* For a rule's threads; ALL are those of the jailed process */
#define LOOP     (1U << THREAD_LOOP)
#define VCPU     (1U << THREAD_VCPU)
#define HELPER   (1U << THREAD_HELPER)
#define WORKER   (1U << THREAD_WORKER)
#define BROKER   (1U << THREAD_BROKER)
#define COPIER   (1U << THREAD_COPIER)
#define READER   (1U << THREAD_READER)
#define IMPORTER (1U << THREAD_IMPORTER)
#define ALL      (LOOP | VCPU | HELPER | WORKER)

/* For a rule's arguments: a descriptor of that role; an int; one that has no other bits; one
 * that is @v but for these bits; and likewise a long
 */
#define ON(n, role)                                                  \
	{                                                            \
		FILTER_INT & ~(uint64_t)role##_BITS, role##_FIRST, n \
	}
#define INT(n, v)                            \
	{                                    \
		FILTER_INT, (uint32_t)(v), n \
	}
#define INT_IN(n, bits)                              \
	{                                            \
		FILTER_INT & ~(uint64_t)(bits), 0, n \
	}
#define INT_BUT(n, bits, v)                                      \
	{                                                        \
		FILTER_INT & ~(uint64_t)(bits), (uint32_t)(v), n \
	}
#define LONG(n, v)               \
	{                        \
		UINT64_MAX, v, n \
	}
#define LONG_IN(n, bits)                \
	{                               \
		~(uint64_t)(bits), 0, n \
	}
#define LONG_BUT(n, bits, v)            \
	{                               \
		~(uint64_t)(bits), v, n \
	}

/* Rules: any arguments; these; an ioctl @cmd on a descriptor of @role */
#define ANY(call, threads, extra, why)           \
	{                                        \
		call, threads, extra, {{0}}, why \
	}
#define ARGS(call, threads, extra, why, ...)             \
	{                                                \
		call, threads, extra, {__VA_ARGS__}, why \
	}
#define IOCTL(cmd, role, threads, why)                               \
	{                                                            \
		"ioctl", threads, 0, {ON(0, role), INT(1, cmd)}, why \
	}

/* An ioctl @cmd on a descriptor of @role, for the state of a machine that is saved */
#define SAVES(cmd, role, why)                                                      \
	{                                                                          \
		"ioctl", LOOP, JAIL_EXTRA_CONTROL, {ON(0, role), INT(1, cmd)}, why \
	}

/* filter_rule() - the rule @i, those of all architectures first, then the broker's, the copier's, the
 * reader's and the importer's.  Return: NULL after the last
 */
const struct filter_rule *filter_rule(unsigned int i);
/* filter_rule_allows() - does @r allow its call with these arguments, were it a thread of @kind,
 * with @extras?  @pid is the process
 */
bool filter_rule_allows(const struct filter_rule *r, enum thread_kind kind,
			unsigned int extras, const uint64_t args[FILTER_SYS_ARGS],
			uint32_t pid);
/* filter_rules_sum() - of all that they say but words: are those that the build machine read the
 * same as these, compiled for the target?
 */
uint64_t filter_rules_sum(void);

#endif
