/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_daemon_room - users and directories around a helper program: /bin/sh says what it finds.
 * What a failure would write or read is in a directory of ours.
 */
#include "devices/backend/daemon.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/namespaces.h"
#include "tests/lib/unit.h"
#include "vmm/core/subids.h"
#include "vmm/core/util.h"

#define SOON_MS 10000 /* far more than it takes */
#define US      1234U /* an ordinary user */
#define THEIRS  200000U

static char dir[32], file[64];
static struct daemon d;
static struct err e;

static void setup(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/test-room-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(file, sizeof(file), "%s/file", dir);
	daemon_init(&d);
}

static void teardown(void)
{
	daemon_stop(&d);
	unlink(file);
	rmdir(dir);
}

/* Run @script until its end, which has status 7: its words are in @e. Return: 0, or -errno */
static int runs(enum daemon_users users, bool host, const char *script)
{
	cleanup_close int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct daemon_dir at = {
		.fd = fd, .at = "/sys", .readonly = host, .host = host};
	const char *const args[] = {"-c", script, NULL};
	struct daemon_spec s = {
		.program = "sh", .cure = "", .args = args, .dir = &at, .users = users};
	int rc = daemon_start(&d, &s, &e);

	return rc < 0 ? rc : daemon_dead(&d, SOON_MS, &e);
}

static void says(const char *text)
{
	ck_assert_msg(strstr(e.msg, text) != NULL, "\"%s\" is not in \"%s\"", text,
		      e.msg);
}

/* A root of the host's is needed, which may give any id */
static bool is_root(void)
{
	struct subids_range r;

	return geteuid() == 0 && user_namespaces_allowed() &&
	       subids_mapped("/proc/self/uid_map", &r);
}

/* ---- the host's root ---- */

START_TEST(reads_what_only_its_owner_may)
{
	if (!is_root())
		return;
	close(open(file, O_CREAT | O_WRONLY, 0600));
	ck_assert_int_eq(chmod(dir, 0755), 0);
	ck_assert_int_eq(runs(DAEMON_OTHER, false,
			      "id -u; id -G; cat /sys/file; (: >/sys/new); exit 7"),
			 -ECHILD);
	says("status 7: 0; 0; cat: /sys/file: Permission denied; ");
	says("/sys/new: Permission denied");
}
END_TEST

START_TEST(shows_more_of_the_host)
{
	static const char script[] =
		"cd /sys && [ -x bin/sh ] && ls -A home root srv mnt var/lib run/lock tmp | "
		"grep -v ':$'\n"
		"ls -A | grep -vxE 'usr|etc|opt|s?bin|lib(32|64|x32)?|nix|gnu|boot|home|media|"
		"mnt|root|run|srv|tmp|var|dev|proc|sys'\n"
		"awk '($5 ~ \"^/sys/(usr|etc|opt|bin|nix)\" || / - tmpfs root /) && "
		"($6 !~ /^ro/ || $6 !~ /nosuid/ || $6 !~ /nodev/)' /proc/self/mountinfo\n"
		"[ ! -e etc/shadow ] || ! cat etc/shadow 2>/dev/null || echo secret\n"
		"echo $(stat -c %a tmp var/tmp root) $(readlink var/run) end; exit 7";

	if (!is_root())
		return;
	ck_assert_int_eq(runs(DAEMON_OTHER, true, script), -ECHILD);
	ck_assert_str_eq(e.msg, "sh ended with status 7: 1777 1777 700 /run end");
}
END_TEST

/* Our memory, which it has until its exec, stays as readable as it was */
START_TEST(change_of_user_is_felt)
{
	if (!is_root())
		return;
	ck_assert_int_eq(runs(DAEMON_OTHER, true, "exit 7"), -ECHILD);
	ck_assert_int_eq(prctl(PR_GET_DUMPABLE), 1);
}
END_TEST

/* A change of user takes back the signal for our end */
START_TEST(outlives_us)
{
	const char *const args[] = {"-c", "exec sleep 1000", NULL};
	struct daemon_spec s = {
		.program = "sh", .cure = "", .args = args, .users = DAEMON_OTHER};
	int to[2], status;
	pid_t pid, us;

	if (!is_root())
		return;
	ck_assert_int_eq(pipe(to), 0);
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	us = fork();
	if (us == 0) {
		pid = daemon_start(&d, &s, &e) == 0 ? d.pid : -1;
		_exit(write(to[1], &pid, sizeof(pid)) != sizeof(pid));
	}
	ck_assert_int_eq(waitpid(us, &status, 0), us);
	ck_assert_int_eq(read(to[0], &pid, sizeof(pid)), (long)sizeof(pid));
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}
END_TEST

/* ---- several users ---- */

static void map(pid_t pid, const char *name, unsigned int first, unsigned int count)
{
	char path[64], text[64];
	int fd, n;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	n = snprintf(text, sizeof(text), "%u %u 1\n%u %u %u", US, US, first, first,
		     count);
	fd = open(path, O_WRONLY);
	ck_assert_int_eq(write(fd, text, (size_t)n), n);
	close(fd);
}

/* Be what a user's machine is: in a namespace with the user and its subordinate ids. Return: the
 * status of @fn there
 */
static int as_user(int (*fn)(void))
{
	int there[2], go[2], status = 0;
	char c;
	pid_t pid;

	ck_assert_int_eq(pipe(there) | pipe(go), 0);
	pid = fork();
	if (pid == 0) {
		if (setresgid(US, US, US) < 0 || setresuid(US, US, US) < 0 ||
		    prctl(PR_SET_DUMPABLE, 1) < 0 || unshare(CLONE_NEWUSER) < 0 ||
		    write(there[1], "", 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(99);
		_exit(fn());
	}
	ck_assert_int_eq(read(there[0], &c, 1), 1);
	map(pid, "uid_map", THEIRS, 1000);
	map(pid, "gid_map", THEIRS, 2000);
	ck_assert_int_eq(write(go[1], "", 1), 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int chowns(void)
{
	struct subids_range u, g;

	if (!subids_given(&u, &g) || u.first != THEIRS || g.count != 2000)
		return 1;
	(void)runs(
		DAEMON_ROOM, false,
		"id -u; : >/sys/file && chown 1000:2000 /sys/file; chown 1001 /sys; exit 7");
	return strstr(e.msg, "status 7: 0; chown: ") ? 0 : 2;
}

START_TEST(other_user_is_not_the_subordinate_one)
{
	struct stat st;

	if (!is_root())
		return;
	ck_assert_int_eq(chown(dir, US, US), 0);
	ck_assert_int_eq(as_user(chowns), 0);
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_uint_eq(st.st_uid, THEIRS + 999);
	ck_assert_uint_eq(st.st_gid, THEIRS + 1999);
}
END_TEST

static int reads(void)
{
	(void)runs(DAEMON_OTHER, false, "cat /sys/file; cat /proc/self/uid_map; exit 7");
	return strstr(e.msg, "status 7: cat: /sys/file: Permission denied; ") &&
			       strstr(e.msg, " 200999 ")
		       ? 0
		       : 1;
}

START_TEST(reads_what_is_the_users_own)
{
	if (!is_root())
		return;
	close(open(file, O_CREAT | O_WRONLY, 0600));
	ck_assert_int_eq(chown(file, US, US) | chmod(dir, 0755), 0);
	ck_assert_int_eq(as_user(reads), 0);
}
END_TEST

/* ---- which ids ---- */

START_TEST(range_is_another)
{
	static const char text[] =
		"root:100000:65536\n"
		"# joe:1:2\n"
		"joe:165536:10\njoe:300000:65536\n77:400000:99\n"
		"joe:x:1\njoe:1\njoe:4294967000:65536\njoe:1:4294967295\n"
		"joey:1:70000\n";
	struct subids_range r;
	FILE *f = fmemopen((char *)(uintptr_t)text, strlen(text), "r");

	ck_assert_uint_eq(subids_read(f, "joe", 1000, &r), 65536);
	ck_assert_uint_eq(r.first, 300000);
	rewind(f);
	ck_assert_uint_eq(subids_read(f, NULL, 77, &r), 99);
	ck_assert_uint_eq(r.first, 400000);
	rewind(f);
	ck_assert_uint_eq(subids_read(f, "nobody", 65534, &r), 0);
	ck_assert_int_eq(fclose(f), 0);
}
END_TEST

/* A service of systemd: the set-uid programs would only complain */
START_TEST(privileges_that_nothing_gives)
{
	struct subids s;

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(subids_find(&s, &e), -ENOENT);
	says("no_new_privs");
}
END_TEST

UNIT_MAIN("daemon_room", setup, teardown, t)
{
	tcase_add_test(t, reads_what_only_its_owner_may);
	tcase_add_test(t, shows_more_of_the_host);
	tcase_add_test(t, change_of_user_is_felt);
	tcase_add_test(t, outlives_us);
	tcase_add_test(t, other_user_is_not_the_subordinate_one);
	tcase_add_test(t, reads_what_is_the_users_own);
	tcase_add_test(t, range_is_another);
	tcase_add_test(t, privileges_that_nothing_gives);
}
