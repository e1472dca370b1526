/* SPDX-License-Identifier: Apache-2.0 */
/* broker_lock - the broker gives up what it does not need. */
#include "vmm/jail/broker_lock.h"

#include <string.h>
#include <sys/resource.h>

#include "vmm/core/landlock.h"
#include "vmm/core/limits.h"
#include "vmm/core/outside.h"
#include "vmm/core/util.h"
#include "vmm/jail/filter.h"
#include "vmm/jail/jail_steps.h"

void broker_begin(void)
{
	limits_lock(); /* what a sentence has to say of them */
	(void)jail_limits(NULL);
	(void)jail_no_privileges();
	jail_few_capabilities();
}

/* It signals its child, and helpers, which are not below it */
static int broker_landlock(const struct landlock_rule *rule, unsigned int n)
{
	cleanup_close int set = landlock_open(rule, n, LANDLOCK_SIGNALS);

	return set < 0 ? set : landlock_enter(set);
}

/* On a host without it the machine refuses to run, or warns */
static int lock_paths(enum jail_mode mode, const struct landlock_rule *rule,
		      unsigned int n, const char *whose, struct err *e)
{
	int rc = broker_landlock(rule, n);

	if (rc < 0 && mode == JAIL_STRICT && landlock_abi() > 0)
		return err_set(e, -rc, "--jail strict: no Landlock for the %s: %s", whose,
			       strerror(-rc));
	return 0;
}

int copier_lock(enum jail_mode mode, const struct landlock_rule *rule, unsigned int n,
		struct err *e)
{
	broker_begin();
	return lock_paths(mode, rule, n, "copier", e) < 0
		       ? -e->code
		       : jail_filter_enter(THREAD_COPIER, 0, e);
}

int reader_lock_up(enum jail_mode mode, struct err *e)
{
	broker_begin();
	(void)jail_no_capabilities();
	return lock_paths(mode, NULL, 0, "reader", e) < 0
		       ? -e->code
		       : jail_filter_enter(THREAD_READER, 0, e);
}

#define IMPORTER_MEMORY  (UINT64_C(4) << 30)
#define IMPORTER_FILE    (UINT64_C(70) << 30) /* more than an image unpacks to */
#define IMPORTER_SECONDS 3600U
#define IMPORTER_GRACE \
	10U /* until SIGKILL, which says nothing of time, follows SIGXCPU */

/* What is lower already stays */
static void importer_limit(__rlimit_resource_t what, uint64_t most, uint64_t grace)
{
	struct rlimit l;

	if (getrlimit(what, &l) < 0)
		return;
	l.rlim_cur = MIN(l.rlim_cur, most);
	l.rlim_max = MIN(l.rlim_max, most + grace);
	(void)setrlimit(what, &l);
}

int importer_rights(enum jail_mode mode, const struct landlock_rule *rule, unsigned int n,
		    struct err *e)
{
	limits_lock();
	(void)jail_limits(NULL);
	importer_limit(RLIMIT_AS, IMPORTER_MEMORY, 0);
	importer_limit(RLIMIT_FSIZE, IMPORTER_FILE, 0);
	importer_limit(RLIMIT_CPU, IMPORTER_SECONDS, IMPORTER_GRACE);
	(void)jail_no_capabilities();
	(void)jail_no_privileges();
	(void)jail_no_dump();
	(void)jail_no_exec();
	return lock_paths(mode, rule, n, "importer", e);
}

int importer_calls(struct err *e)
{
	return jail_filter_enter(THREAD_IMPORTER, 0, e);
}

int broker_lock(enum jail_mode mode, int groups, struct err *e)
{
	struct landlock_rule rule[OUTSIDE_SLOTS_MAX + 1];
	bool peers;
	unsigned int n = outside_rules(rule, &peers);

	if (groups >= 0)
		rule[n++] = (struct landlock_rule){.fd = groups,
						   .may = LANDLOCK_ACCESS_FS_REMOVE_DIR};
	if (lock_paths(mode, rule, n, "broker", e) < 0)
		return -e->code;
	return jail_filter_enter(
		THREAD_BROKER,
		(peers ? JAIL_EXTRA_SOCKETS : 0) | (n ? JAIL_EXTRA_PATHS : 0), e);
}
