/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_spec - what a job is to be, and the user that it has */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "guest-images/agent/spec.h"
#include "guest-images/agent/users.h"
#include "tests/lib/unit.h"

static struct spec spec;
static struct user user;
static char why[AGENT_SENTENCE + 1], text[4096];

static void setup(void)
{
	memset(&spec, 0, sizeof(spec));
	why[0] = '\0';
}

static void teardown(void)
{
	spec_free(&spec);
}

/* @lines has a newline where the text has a NUL */
static bool parse(const char *lines)
{
	size_t len = strlen(lines);

	memcpy(text, lines, len);
	for (size_t i = 0; i < len; i++)
		text[i] = (char)(text[i] == '\n' ? 0 : text[i]);
	return spec_parse(&spec, text, len, why);
}

static bool find(const char *who, const char *passwd, const char *group)
{
	why[0] = '\0';
	return user_find(&user, who, (struct text){passwd, strlen(passwd)},
			 (struct text){group, strlen(group)}, why);
}

START_TEST(a_job_is_what_its_text_says)
{
	ck_assert(parse(
		"arg=sh\narg=-c\narg=\nenv=A=b=c\nenv=X=\nworkdir=/a b\nuser=ann:wheel\n"
		"terminal=25 132\nulimit=nofile=10:20\nulimit=core=unlimited\n"));
	ck_assert_uint_eq(spec.nargs, 3);
	ck_assert_str_eq(spec.argv[1], "-c");
	ck_assert_str_eq(spec.argv[2], "");
	ck_assert_ptr_null(spec.argv[3]);
	ck_assert_str_eq(spec.env[0], "A=b=c");
	ck_assert_ptr_null(spec.env[2]);
	ck_assert_str_eq(spec.workdir, "/a b");
	ck_assert_str_eq(spec.user, "ann:wheel");
	ck_assert(spec.terminal);
	ck_assert_uint_eq(spec.rows, 25);
	ck_assert_uint_eq(spec.cols, 132);
	ck_assert_uint_eq(spec.limited, 1U << RLIMIT_NOFILE | 1U << RLIMIT_CORE);
	ck_assert_uint_eq(spec.limits[RLIMIT_NOFILE].rlim_cur, 10);
	ck_assert_uint_eq(spec.limits[RLIMIT_NOFILE].rlim_max, 20);
	ck_assert(spec.limits[RLIMIT_CORE].rlim_max == RLIM_INFINITY);
}
END_TEST

START_TEST(a_text_that_says_something_else_is_refused)
{
	const char *const wrong[] = {
		"",
		"env=A=b\n",
		"arg=\n",
		"arg=sh\nwhatever=1\n",
		"arg=sh\nterminal=25\n",
		"arg=sh\nterminal=25 132 7\n",
		"arg=sh\nterminal=70000 1\n",
		"arg=sh\nulimit=nofile\n",
		"arg=sh\nulimit=files=1:2\n",
		"arg=sh\nulimit=nofile=2:1\n",
		"arg=sh\nulimit=nofile=x\n",
		"arg=sh\nulimit=nofile=1:99999999999999999999\n",
		"arg=sh\ncut",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		why[0] = '\0';
		ck_assert_msg(!parse(wrong[i]), "%s", wrong[i]);
		ck_assert_msg(*why, "%s", wrong[i]);
		spec_free(&spec);
	}
}
END_TEST

START_TEST(a_number_is_all_of_a_text_and_not_above_its_limit)
{
	uint64_t v = 1;

	ck_assert(number("0", 0, &v) && v == 0);
	ck_assert(number("18446744073709551615", UINT64_MAX, &v) && v == UINT64_MAX);
	ck_assert(!number("18446744073709551616", UINT64_MAX, &v));
	ck_assert(!number("256", 255, &v));
	ck_assert(!number("5", 3, &v));
	ck_assert(!number("", 9, &v));
	ck_assert(!number("1 ", 9, &v));
	ck_assert(!number("-1", 9, &v));
}
END_TEST

#define PASSWD "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1001:Ann:/home/ann:/bin/sh\n"
#define GROUP \
	"root:x:0:\nann:x:1001:\nwheel:x:10:bob,ann\nwheels:x:11:annie,an\ndocker:x:12:ann"

START_TEST(a_user_is_found_by_name_and_by_number)
{
	ck_assert(find(NULL, PASSWD, GROUP));
	ck_assert_uint_eq(user.uid, 0);
	ck_assert_str_eq(user.home, "/root");
	for (int i = 0; i < 2; i++) {
		ck_assert(find(i ? "1000" : "ann", PASSWD, GROUP));
		ck_assert_uint_eq(user.uid, 1000);
		ck_assert_uint_eq(user.gid, 1001);
		ck_assert_str_eq(user.home, "/home/ann");
		ck_assert_uint_eq(user.ngroups, 2);
		ck_assert_uint_eq(user.groups[0], 10);
		ck_assert_uint_eq(user.groups[1], 12);
	}
}
END_TEST

START_TEST(a_number_needs_no_entry)
{
	ck_assert(find("4711", "", ""));
	ck_assert_uint_eq(user.uid, 4711);
	ck_assert_uint_eq(user.gid, 0);
	ck_assert_str_eq(user.home, "/");
	ck_assert(find("1000:12", "", ""));
	ck_assert_uint_eq(user.gid, 12);
	ck_assert_uint_eq(user.ngroups, 0);
	ck_assert(find("ann:wheel", PASSWD, GROUP));
	ck_assert_uint_eq(user.gid, 10);
	ck_assert_uint_eq(user.ngroups, 0);
}
END_TEST

START_TEST(who_is_not_there_is_named)
{
	ck_assert(!find("bob", PASSWD, GROUP));
	ck_assert_ptr_nonnull(strstr(why, "bob"));
	ck_assert(!find("ann:staff", PASSWD, GROUP));
	ck_assert_ptr_nonnull(strstr(why, "staff"));
	ck_assert(!find("4294967295", PASSWD, GROUP));
	ck_assert(!find("ann:4294967295", PASSWD, GROUP));
	ck_assert(!find(":10", PASSWD, GROUP));
	ck_assert(!find("-1", PASSWD, GROUP));
}
END_TEST

/* A job is root only where its user is: no line of the file changes that */
START_TEST(lines_that_are_none_are_passed_over)
{
	ck_assert(find(
		"ann",
		"ann\nann:x\nann:x:\nann:x:1\nann:x:1:\nann:x:-1:0::/\nann:x:1x:0::/\n"
		"ann:x:99999999999:0::/\n:x:5:5::/\n\n::::\nann:x:7:8::relative\nann:x:0:0::/\n",
		":::\nx:x:\n\nx:y:zz:ann\n:x:44:ann\n"));
	ck_assert_uint_eq(user.uid, 7);
	ck_assert_uint_eq(user.gid, 8);
	ck_assert_str_eq(user.home, "/");
	ck_assert_uint_eq(user.ngroups, 1);
}
END_TEST

START_TEST(more_groups_than_there_is_room_for_are_left_out)
{
	static char group[20 * 1000];
	size_t len = 0;

	for (unsigned int i = 0; i < 1000; i++)
		len += (size_t)sprintf(group + len, "g%u:x:%u:ann\n", i, i);
	ck_assert(find("ann", PASSWD, group));
	ck_assert_uint_eq(user.ngroups, USER_GROUPS);
}
END_TEST

UNIT_MAIN("agent_spec", setup, teardown, t)
{
	tcase_add_test(t, a_job_is_what_its_text_says);
	tcase_add_test(t, a_text_that_says_something_else_is_refused);
	tcase_add_test(t, a_number_is_all_of_a_text_and_not_above_its_limit);
	tcase_add_test(t, a_user_is_found_by_name_and_by_number);
	tcase_add_test(t, a_number_needs_no_entry);
	tcase_add_test(t, who_is_not_there_is_named);
	tcase_add_test(t, lines_that_are_none_are_passed_over);
	tcase_add_test(t, more_groups_than_there_is_room_for_are_left_out);
}
