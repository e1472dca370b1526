/* SPDX-License-Identifier: Apache-2.0 */
/* test_broker_lock - what a broker can still do once it has locked itself up. */
#include "vmm/jail/broker_lock.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "devices/backend/unix_listen.h"
#include "tests/lib/unit.h"
#include "vmm/core/landlock.h"
#include "vmm/core/outside.h"
#include "vmm/core/util.h"
#include "vmm/jail/filter.h"

static char dir[] = "/tmp/test-broker-lock-XXXXXX";
static char ours[64], log_path[80], foreign[80];
static int theirs = -1; /* a directory that no slot is in */
static int groups = -1; /* where the child's control group is */
static struct err e;

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(ours, sizeof(ours), "%s/ours", dir);
	(void)snprintf(log_path, sizeof(log_path), "%s/log", ours);
	(void)snprintf(foreign, sizeof(foreign), "%s/foreign", dir);
	ck_assert_int_eq(mkdir(ours, 0700), 0);
	theirs = open(dir, O_PATH | O_DIRECTORY);
	ck_assert_int_eq(close(open(foreign, O_WRONLY | O_CREAT, 0600)), 0);
}

static void teardown(void)
{
	char cmd[64];

	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	(void)!system(cmd);
}

/* Run @fn in a process that has locked itself up.  Return: its status, as of waitpid(2) */
static int locked(int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)close(STDERR_FILENO); /* a filter's sentence */
		broker_begin();
		_exit(broker_lock(JAIL_AUTO, groups, &e) == 0 ? fn() : 98);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static int a_log;

static int does_what_a_slot_needs(void)
{
	int fd = outside_do(OUTSIDE_ANEW, a_log, 0);

	if (fd < 0 || write(fd, "x", 1) != 1)
		return 1;
	fd = outside_do(OUTSIDE_ANEW, a_log, 0);
	return fd < 0;
}

static int writes_elsewhere(void)
{
	return openat(theirs, "new", O_WRONLY | O_CREAT, 0600) < 0 ? errno : 0;
}

static int removes_elsewhere(void)
{
	return unlinkat(theirs, "foreign", 0) < 0 ? errno : 0;
}

START_TEST(names_below_a_slots_directory_alone_can_be_written)
{
	a_log = outside_log(log_path, open(log_path, O_WRONLY | O_CREAT, 0600));
	ck_assert_int_ge(a_log, 0);
	ck_assert_int_eq(locked(does_what_a_slot_needs), 0);
	if (landlock_abi() < 0)
		return;
	ck_assert_int_eq(WEXITSTATUS(locked(writes_elsewhere)), EACCES);
	ck_assert_int_eq(WEXITSTATUS(locked(removes_elsewhere)), EACCES);
	ck_assert_int_eq(access(foreign, F_OK), 0);
}
END_TEST

static int a_report;

static int rewrites_a_report(void)
{
	/* the first is dropped */
	return outside_do(OUTSIDE_REWRITE, a_report, 0) < 0 ||
	       outside_do(OUTSIDE_REWRITE, a_report, 0) < 0 ||
	       outside_do(OUTSIDE_PUT, a_report, 1) < 0;
}

/* Also its access list, where the file system has them: a user more may read it */
START_TEST(a_report_is_like_the_one_before)
{
	static const char name[] = "system.posix_acl_access";
	static const uint32_t acl[] = {
		2,          6U << 16 | 1,  UINT32_MAX, 4U << 16 | 2,
		1234,       0U << 16 | 4,  UINT32_MAX, 4U << 16 | 16,
		UINT32_MAX, 0U << 16 | 32, UINT32_MAX};
	uint8_t got[sizeof(acl)];
	struct stat before, st;
	int fd = open(log_path, O_WRONLY | O_CREAT, 0600);
	bool lists = fsetxattr(fd, name, acl, sizeof(acl), 0) == 0;

	ck_assert_int_eq(fstat(fd, &before), 0);
	a_report = outside_file(log_path, &before, &fd);
	ck_assert_int_ge(a_report, 0);
	ck_assert_int_eq(locked(rewrites_a_report), 0);
	ck_assert_int_eq(stat(log_path, &st), 0);
	ck_assert_uint_ne(st.st_ino, before.st_ino);
	ck_assert_uint_eq(st.st_mode, before.st_mode);
	if (!lists)
		return;
	ck_assert_int_eq(getxattr(log_path, name, got, sizeof(got)),
			 (ssize_t)sizeof(acl));
	ck_assert_mem_eq(got, acl, sizeof(acl));
}
END_TEST

static int ours_fd = -1;

static int writes_where_it_may_remove(void)
{
	return openat(ours_fd, "new", O_WRONLY | O_CREAT, 0600) < 0 ? errno : 0;
}

START_TEST(a_socket_gives_the_right_to_remove_alone)
{
	struct unix_listener l;
	char path[80];

	(void)snprintf(path, sizeof(path), "%s/s", ours);
	ck_assert_int_eq(unix_listen(&l, "test", path, &e), 0);
	ours_fd = open(ours, O_PATH | O_DIRECTORY);
	if (landlock_abi() >= 0)
		ck_assert_int_eq(WEXITSTATUS(locked(writes_where_it_may_remove)), EACCES);
	unix_unlisten(&l);
}
END_TEST

static int removes_a_group(void)
{
	return unlinkat(groups, "group", AT_REMOVEDIR) < 0 ? errno : 0;
}

static int removes_a_file_of_groups(void)
{
	return unlinkat(groups, "file", 0) < 0 ? errno : 0;
}

START_TEST(a_control_group_can_be_removed_and_nothing_beside_it)
{
	groups = open(ours, O_RDONLY | O_DIRECTORY);
	ck_assert_int_eq(mkdirat(groups, "group", 0700), 0);
	ck_assert_int_eq(close(openat(groups, "file", O_WRONLY | O_CREAT, 0600)), 0);
	ck_assert_int_eq(locked(removes_a_group), 0);
	if (landlock_abi() >= 0)
		ck_assert_int_eq(WEXITSTATUS(locked(removes_a_file_of_groups)), EACCES);
}
END_TEST

static int peer;

static int connects(void)
{
	return outside_do(OUTSIDE_CONNECT, peer, OUTSIDE_NO_PORT) >= 0 ? 7 : 1;
}

static int reads(void)
{
	return open("/dev/null", O_RDONLY) >= 0;
}

static int executes(void)
{
	return execl("/bin/true", "true", NULL) == 0;
}

static int forks(void)
{
	return fork() > 0;
}

static int signals_its_parent(void)
{
	return kill(getppid(), 0) == 0;
}

START_TEST(calls_are_those_of_its_slots)
{
	static int (*const never[])(void) = {reads,
					     executes,
					     forks,
					     signals_its_parent,
					     writes_elsewhere,
					     removes_elsewhere};
	struct unix_listener l;
	char path[80];

	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		ck_assert_int_eq(WEXITSTATUS(locked(never[i])), JAIL_FILTER_STATUS);
	/* a peer gives calls for sockets, and none for files */
	(void)snprintf(path, sizeof(path), "%s/s", ours);
	peer = outside_peer(path);
	ck_assert_int_ge(peer, 0);
	ck_assert_int_eq(WEXITSTATUS(locked(connects)), 1);
	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		ck_assert_int_eq(WEXITSTATUS(locked(never[i])), JAIL_FILTER_STATUS);
	ck_assert_int_eq(unix_listen(&l, "test", path, &e), 0);
	ck_assert_int_eq(WEXITSTATUS(locked(connects)), 7);
	unix_unlisten(&l);
}
END_TEST

/* The limits of an importer whose caller has a soft one of @soft */
static int importer_limits(rlim_t soft)
{
	struct rlimit cpu, file;

	if (getrlimit(RLIMIT_CPU, &cpu) < 0 || getrlimit(RLIMIT_FSIZE, &file) < 0)
		return 1;
	cpu.rlim_cur = MIN(soft, cpu.rlim_max);
	file.rlim_cur = MIN(soft, file.rlim_max);
	if (setrlimit(RLIMIT_CPU, &cpu) < 0 || setrlimit(RLIMIT_FSIZE, &file) < 0 ||
	    importer_rights(JAIL_AUTO, NULL, 0, &e) < 0 ||
	    getrlimit(RLIMIT_CPU, &cpu) < 0 || getrlimit(RLIMIT_FSIZE, &file) < 0)
		return 1;
	if (cpu.rlim_cur > soft || file.rlim_cur > soft)
		return 2;
	/* SIGXCPU has to come, and before SIGKILL */
	return cpu.rlim_max == RLIM_INFINITY || cpu.rlim_cur >= cpu.rlim_max ? 3 : 0;
}

START_TEST(an_importers_limits_are_not_above_its_callers)
{
	static const rlim_t soft[] = {100, RLIM_INFINITY};
	int status;

	for (size_t i = 0; i < ARRAY_SIZE(soft); i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(importer_limits(soft[i]));
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
	}
}
END_TEST

UNIT_MAIN("broker_lock", setup, teardown, t)
{
	tcase_add_test(t, names_below_a_slots_directory_alone_can_be_written);
	tcase_add_test(t, a_report_is_like_the_one_before);
	tcase_add_test(t, a_socket_gives_the_right_to_remove_alone);
	tcase_add_test(t, a_control_group_can_be_removed_and_nothing_beside_it);
	tcase_add_test(t, calls_are_those_of_its_slots);
	tcase_add_test(t, an_importers_limits_are_not_above_its_callers);
}
