/* SPDX-License-Identifier: Apache-2.0 */
/* test_cgroup - what is read of control groups, and what is refused; tests/linux has groups */
#include "vmm/jail/cgroup.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "vmm/core/util.h"
#include "vmm/jail/broker.h"

static struct err e;

static const struct {
	const char *text;
	int rc;
	const char *path;
} groups[] = {
	{"0::/\n", 0, "/"},
	{"0::/system.slice/microvm@web.service\n", 0,
	 "/system.slice/microvm@web.service"},
	{"12:memory:/a\n1:name=systemd:/b\n0::/c d\n", 0, "/c d"},
	{"0::/a::/b\n", 0, "/a::/b"},
	{"12:memory:/a\n10::/b\n", -ENOENT, NULL},
	{"0::/gone (deleted)\n", -ENOENT, NULL},
	{"0:: (deleted)\n", -ENOENT, NULL},
	{"0::", -ENOENT, NULL},
	{"", -ENOENT, NULL},
	{"0::/a-path-that-has-more-than-its-room-of-40\n", -ENAMETOOLONG, NULL},
};

START_TEST(own_group_is_misread)
{
	char path[40] = "untouched";

	ck_assert_int_eq(cgroup_own(groups[_i].text, path, sizeof(path)), groups[_i].rc);
	ck_assert_str_eq(path, groups[_i].path ? groups[_i].path : "untouched");
}
END_TEST

START_TEST(event_of_another_name_is_counted)
{
	static const char text[] = "low 0\nmax 7\noom 0\noom_kill 3\noom_group_kill 1\n";

	ck_assert_uint_eq(cgroup_count(text, "oom"), 0);
	ck_assert_uint_eq(cgroup_count(text, "oom_kill"), 3);
	ck_assert_uint_eq(cgroup_count(text, "max"), 7);
	ck_assert_uint_eq(cgroup_count(text, "kill"), 0);
	ck_assert_uint_eq(cgroup_count("", "max"), 0);
}
END_TEST

START_TEST(group_of_an_operator_is_taken_for_one_left_behind)
{
	static const char *const theirs[] = {
		"microvm-4242",         "microvm-4242x",  "microvm-4242.web",
		"microvm-4242.brokers", "microvm-4242.9", "microvm-4242.10",
		"microvm-.0",           "microvm-web.0",  "microvm-99999999999.0",
		"microvm-+1.0",         "microvm-0.0",    "other-4242.0",
		"microvm-4242.",        "microvm.4242.0", ""};

	for (size_t i = 0; i < ARRAY_SIZE(theirs); i++)
		ck_assert_msg(cgroup_broker(theirs[i]) == 0, "%s", theirs[i]);
	ck_assert_int_eq(cgroup_broker("microvm-4242.0"), 4242);
	ck_assert_int_eq(cgroup_broker("microvm-1.7"), 1);
	ck_assert_int_eq(cgroup_broker("microvm-4194303.broker"), 4194303);
}
END_TEST

static void refuses(const char *dir, const char *text)
{
	const struct cgroup_want want = {.dir = dir, .memory = MIB, .tasks = 1};
	struct cgroup g;

	ck_assert_int_lt(cgroup_make(&g, &want, &e), 0);
	ck_assert_msg(strstr(e.msg, text) != NULL, "%s", e.msg);
	ck_assert_int_eq(g.parent, -1);
	ck_assert_int_eq(g.dir, -1);
	cgroup_remove(&g); /* of nothing */
	/* a dry run says the same */
	ck_assert_int_lt(cgroup_look(&want, &e), 0);
	ck_assert_msg(strstr(e.msg, text) != NULL, "%s", e.msg);
}

START_TEST(directory_that_is_no_group_is_taken)
{
	refuses("/nowhere/at/all", "cannot open /nowhere/at/all: No such file");
	refuses("/proc/self/status", "Not a directory; give a directory below");
	refuses("/tmp", "/tmp is no control group of version 2; give");
}
END_TEST

/* Of memory.events, as the kernel writes it */
static struct cgroup *group_with(struct cgroup *g, const char *events)
{
	static char name[] = "/tmp/microvm-events.XXXXXX";
	static char fresh[sizeof(name)];

	memcpy(fresh, name, sizeof(name));
	*g = (struct cgroup){.parent = -1, .dir = -1, .memory = 194 * MIB};
	g->events = mkstemp(fresh);
	ck_assert_int_ge(g->events, 0);
	unlink(fresh);
	ck_assert_int_eq(write(g->events, events, strlen(events)), (long)strlen(events));
	ck_assert_int_eq(lseek(g->events, 0, SEEK_SET), 0);
	e = (struct err){0};
	return g;
}

START_TEST(lack_of_memory_has_another_cause)
{
	struct cgroup g;

	ck_assert_int_eq(cgroup_starved(group_with(&g, "oom 1\noom_kill 0\n"), &e), 0);
	cgroup_close(&g);
	ck_assert_int_lt(cgroup_starved(group_with(&g, "oom 0\noom_kill 1\n"), &e), 0);
	ck_assert_ptr_nonnull(strstr(e.msg, "the host, or a control group above"));
	cgroup_close(&g);
	ck_assert_int_lt(cgroup_starved(group_with(&g, "oom 2\noom_kill 1\n"), &e), 0);
	ck_assert_ptr_nonnull(strstr(e.msg, "memory.max 194 MiB"));
	cgroup_close(&g);
}
END_TEST

static int touches(void *ctx)
{
	*(int *)ctx = 1;
	return 0;
}

/* An operator who asks for limits gets them, or no machine; others get a machine */
START_TEST(machine_starts_without_a_group_that_it_must_have)
{
	struct cgroup_want want = {.dir = "/tmp", .memory = MIB, .tasks = 1};
	struct jail j = {.mode = JAIL_AUTO, .group = &want};
	int ran = 0;

	ck_assert_int_eq(broker_run(&j, touches, &ran, &e), 0);
	want.must = true;
	j = (struct jail){.mode = JAIL_AUTO, .group = &want};
	ck_assert_int_lt(broker_run(&j, touches, &ran, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.msg, "no control group for the machine: /tmp is"));
}
END_TEST

UNIT_MAIN("cgroup", NULL, NULL, t)
{
	tcase_add_loop_test(t, own_group_is_misread, 0, ARRAY_SIZE(groups));
	tcase_add_test(t, event_of_another_name_is_counted);
	tcase_add_test(t, group_of_an_operator_is_taken_for_one_left_behind);
	tcase_add_test(t, directory_that_is_no_group_is_taken);
	tcase_add_test(t, lack_of_memory_has_another_cause);
	tcase_add_test(t, machine_starts_without_a_group_that_it_must_have);
}
