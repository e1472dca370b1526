/* SPDX-License-Identifier: Apache-2.0 */
/* jail_rights - what the process may do is given up, for good, before its threads start. */
#include <errno.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "vmm/core/landlock.h"
#include "vmm/core/util.h"
#include "vmm/jail/jail_steps.h"

#ifndef PR_SET_MDWE /* Linux 6.3 */
#define PR_SET_MDWE              65
#define PR_MDWE_REFUSE_EXEC_GAIN 1UL
#endif

/* RLIMIT_NPROC counts what a user has in the whole host, and from Linux 5.14 on in a user namespace */
static bool tasks_are_ours(const struct jail *j)
{
	struct utsname u;
	unsigned int major, minor;

	if (j->root)
		return j->held >> JAIL_IDENTITY & 1;
	return j->user_ns && uname(&u) == 0 &&
	       sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	       (major > 5 || (major == 5 && minor >= 14));
}

/* No more than now, and than @most, and never again */
static int limit_lower(__rlimit_resource_t what, uint64_t most)
{
	struct rlimit l;

	if (getrlimit(what, &l) < 0)
		return -errno;
	l.rlim_cur = l.rlim_max = MIN(l.rlim_cur, most);
	return setrlimit(what, &l) < 0 ? -errno : 0;
}

int jail_limits(const struct jail *j)
{
	int rc = limit_lower(RLIMIT_CORE, 0);

	if (rc == 0)
		rc = limit_lower(RLIMIT_NOFILE, RLIM_INFINITY);
	if (rc == 0 && j && j->tasks && tasks_are_ours(j))
		rc = limit_lower(RLIMIT_NPROC, j->tasks);
	if (rc == 0 && j && j->file_size)
		rc = limit_lower(RLIMIT_FSIZE, j->file_size);
	return rc;
}

/* It may hold the operator's secrets; argv is public anyhow. */
void jail_environment(void)
{
	extern char **environ;

	for (char **v = environ; v && *v; v++)
		explicit_bzero(*v, strlen(*v));
	(void)clearenv();
}

uint64_t jail_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &head, d) < 0)
		return 0;
	return (uint64_t)d[1].effective << 32 | d[0].effective;
}

bool jail_is_root(void)
{
	return jail_capabilities() >> CAP_SYS_ADMIN & 1;
}

int jail_no_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	/* refused to a process that could not use them either; ends past the last one */
	for (unsigned long cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		;
	return syscall(SYS_capset, &head, none) < 0 ? -errno : 0;
}

/* Files of any owner (where the operator, as root, put a report), and signals to the child, which
 * has another uid
 */
void jail_few_capabilities(void)
{
	const uint32_t few = 1U << CAP_CHOWN | 1U << CAP_DAC_OVERRIDE | 1U << CAP_FOWNER |
			     1U << CAP_KILL;
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &head, d) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(d); i++)
		d[i] = (struct __user_cap_data_struct){
			.effective = i ? 0 : d[i].effective & few,
			.permitted = i ? 0 : d[i].permitted & few};
	(void)syscall(SYS_capset, &head, d);
}

void jail_raise_two(void)
{
	const uint32_t two = 1U << CAP_SYS_CHROOT | 1U << CAP_SETPCAP;
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3] = {
		{.effective = two, .permitted = two}};

	(void)syscall(SYS_capset, &head, d);
}

int jail_no_privileges(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int jail_no_dump(void)
{
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
}

int jail_landlock(void)
{
	cleanup_close int none = landlock_open(NULL, 0, 0);

	return none < 0 ? none : landlock_enter(none);
}

int jail_no_exec(void)
{
	return prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) < 0 ? -errno : 0;
}

int jail_has_seccomp(void)
{
	uint32_t action = SECCOMP_RET_TRAP;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0 ? -errno
									      : 0;
}
