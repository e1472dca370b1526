/* SPDX-License-Identifier: Apache-2.0 */
/*
 * klog - what a line of Linux's log says of the kernel.
 *
 * The words are those of Linux 4.19 to 6.18: kernel/panic.c, kernel/watchdog*.c, kernel/hung_task.c,
 * kernel/rcu/tree_stall.h, kernel/workqueue.c, kernel/locking/lockdep.c, lib/bug.c, mm/kasan,
 * arch/x86/kernel/{dumpstack,traps}.c, arch/x86/mm/fault.c, arch/arm64/kernel/traps.c,
 * arch/arm64/mm/fault.c.
 */
#include "vmm/test/klog.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "vmm/core/util.h"

#define STAMP_SECONDS 5 /* the least width of the seconds, in front of the point */
#define STAMP_PLACES  6
#define KLOG_NAME     15 /* bytes of a program's name, at most (TASK_COMM_LEN) */

/* "[    1.234567]".  Return: the byte after it; NULL: it is something else */
static const char *klog_stamp(const char *p)
{
	const char *first = ++p;

	p += strspn(p, " ");
	p += strspn(p, "0123456789");
	if (*p != '.' || p - first < STAMP_SECONDS || !isdigit((unsigned char)p[-1]))
		return NULL;
	p++;
	if (strspn(p, "0123456789") != STAMP_PLACES || p[STAMP_PLACES] != ']')
		return NULL;
	return p + STAMP_PLACES + 1;
}

/* "[    T12]", "[   C0]" */
static const char *klog_caller(const char *p)
{
	const char *q = p;

	if (*q++ != '[')
		return p;
	q += strspn(q, " ");
	if (*q != 'T' && *q != 'C')
		return p;
	q++;
	q += strspn(q, "0123456789");
	return *q == ']' ? q + 1 : p;
}

const char *klog_message(const char *line, size_t n)
{
	const char *end = line + n, *p = line;

	while ((p = memchr(p, '[', (size_t)(end - p)))) {
		const char *at = klog_stamp(p);

		if (at)
			at = klog_caller(at);
		if (at && *at == ' ')
			return at + 1;
		p++;
	}
	return NULL;
}

/* In this order: the first row counts. @then: has to stand in the rest */
static const struct klog_row {
	const char *begins, *then;
	enum klog is;
} klog_rows[] = {
	{"Kernel panic - not syncing", NULL, KLOG_PANIC},
	/* with the name of the detector in front, or without */
	{"BUG: soft lockup", NULL, KLOG_LOCKUP},
	{"BUG: workqueue lockup", NULL, KLOG_LOCKUP},
	{"Watchdog detected hard LOCKUP", NULL, KLOG_LOCKUP},
	{"INFO: task ", " blocked ", KLOG_LOCKUP},
	{"INFO: rcu", " stall", KLOG_LOCKUP},
	{"INFO: rcu", " kthread starved", KLOG_LOCKUP},
	{"BUG: KCSAN:", NULL, KLOG_WARN},
	/* lockdep stops: its tables are full, and nothing is broken */
	{"BUG: MAX_", NULL, KLOG_NOTHING},
	{"BUG: ", NULL, KLOG_OOPS},
	{"kernel BUG at ", NULL, KLOG_OOPS},
	{"Oops: ", NULL, KLOG_OOPS},
	{"Oops - ", NULL, KLOG_OOPS},
	{"general protection fault", NULL, KLOG_OOPS},
	{"PANIC: double fault", NULL, KLOG_OOPS},
	{"Internal error: ", NULL, KLOG_OOPS},
	{"Unable to handle kernel ", NULL, KLOG_OOPS},
	{"Insufficient stack space to handle exception", NULL, KLOG_OOPS},
	{"Bad mode in ", " handler detected", KLOG_OOPS},
	{"Unhandled ", " exception on CPU", KLOG_OOPS},
	{"WARNING: ", NULL, KLOG_WARN},
	{"UBSAN: ", NULL, KLOG_WARN},
	{"INFO: possible ", NULL, KLOG_WARN},
	{"INFO: suspicious RCU usage", NULL, KLOG_WARN},
	{"kmemleak: ", " new suspected memory leaks", KLOG_WARN},
};

/* die() of x86: "divide error: 0000 [#1] PREEMPT SMP" */
static bool klog_dies(const char *at)
{
	const char *p = strstr(at, " [#");
	size_t hex = 0;

	if (!p || !isdigit((unsigned char)p[3]))
		return false;
	while (p - hex > at && isxdigit((unsigned char)p[-1 - (ptrdiff_t)hex]))
		hex++;
	p -= hex;
	return hex >= 4 && p - at >= 3 && p[-1] == ' ' && p[-2] == ':';
}

/* "NAME[123]: segfault at ...": what it says of a program begins with the name that this has given
 * itself.  No name has room for all of that, so none hides another line
 */
static bool klog_is_of_a_program(const char *at)
{
	const char *end = strstr(at, "]: segfault at "), *p = end;

	while (p && p > at && isdigit((unsigned char)p[-1]))
		p--;
	return p && p < end && p > at && p[-1] == '[' && p - 1 - at <= KLOG_NAME;
}

enum klog klog_class(const char *at)
{
	static const char *const prefixes[] = {"NMI ", "watchdog: ", "rcu: "};

	if (klog_is_of_a_program(at))
		return KLOG_NOTHING;
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (strncmp(at, prefixes[i], strlen(prefixes[i])) == 0)
			at += strlen(prefixes[i]);
	for (size_t i = 0; i < ARRAY_SIZE(klog_rows); i++) {
		const struct klog_row *r = &klog_rows[i];

		if (strncmp(at, r->begins, strlen(r->begins)) == 0 &&
		    (!r->then || strstr(at, r->then)))
			return r->is;
	}
	return klog_dies(at) ? KLOG_OOPS : KLOG_NOTHING;
}
