/* SPDX-License-Identifier: Apache-2.0 */
/* limits - resource limits of the process: which one made a call fail, and which we need. */
#include "vmm/core/limits.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "vmm/core/util.h"

/* The most that the first thread may need; pages are mapped only when used */
#define LIMITS_STACK       MIB
#define LIMITS_STACK_LEAST (128 * KIB)

/* In the order of likelihood */
static const struct {
	int code;
	int resource;
	const char *cure;
} limits_table[] = {
	{EFBIG, RLIMIT_FSIZE, "raise ulimit -f"},
	{EMFILE, RLIMIT_NOFILE, "raise ulimit -n"},
	{ENOMEM, RLIMIT_AS, "raise ulimit -v"},
	{ENOMEM, RLIMIT_DATA, "raise ulimit -d"},
};

/* Of limits_lock(): a bit for each row */
static unsigned int limits_set;
static bool limits_locked;

static bool limits_is_set(int resource)
{
	struct rlimit l;

	return getrlimit((__rlimit_resource_t)resource, &l) == 0 &&
	       l.rlim_cur != RLIM_INFINITY;
}

const char *limits_cure(int code)
{
	for (size_t i = 0; i < ARRAY_SIZE(limits_table); i++)
		if (limits_table[i].code == code &&
		    (limits_locked ? limits_set >> i & 1
				   : limits_is_set(limits_table[i].resource)))
			return limits_table[i].cure;
	return NULL;
}

void limits_lock(void)
{
	/* EFBIG has hardly another cause, and prlimit(1) may set this one while we run */
	for (unsigned int i = 0; i < ARRAY_SIZE(limits_table); i++)
		if (limits_table[i].code == EFBIG ||
		    limits_is_set(limits_table[i].resource))
			limits_set |= 1U << i;
	limits_locked = true;
}

const char *limits_thread_cure(int code)
{
	return code == EAGAIN ? "; raise ulimit -u, or the pids.max of the control group"
			      : "";
}

void limits_thread_attr(pthread_attr_t *attr)
{
	(void)pthread_attr_init(attr);
	(void)pthread_attr_setstacksize(attr, LIMITS_THREAD_STACK);
}

/* The kernel reads the limit when the stack grows, so raising it here takes effect. */
int limits_init(struct err *e)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_STACK, &l) < 0 || l.rlim_cur >= LIMITS_STACK)
		return 0;
	l.rlim_cur = MIN(l.rlim_max, LIMITS_STACK);
	if (l.rlim_cur >= LIMITS_STACK_LEAST && setrlimit(RLIMIT_STACK, &l) == 0)
		return 0;
	return err_set(e, ENOMEM,
		       "the stack may have %llu KiB at most (ulimit -Hs), which is too "
		       "small for us; as root, raise ulimit -s to %llu or more",
		       (unsigned long long)(l.rlim_max / KIB),
		       (unsigned long long)(LIMITS_STACK / KIB));
}
