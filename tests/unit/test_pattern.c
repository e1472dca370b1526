/* SPDX-License-Identifier: Apache-2.0 */
/* pattern: an operator's regular expression on a guest's lines has limits */
#include "vmm/test/pattern.h"

#include <check.h>
#include <string.h>

#include "tests/lib/unit.h"
#include "vmm/core/util.h"

static struct patterns s;
static struct err e;

static void setup(void)
{
	memset(&e, 0, sizeof(e));
}

static void teardown(void)
{
	patterns_free(&s);
}

START_TEST(line_is_not_matched)
{
	const struct pattern *failed = NULL;

	ck_assert_int_eq(patterns_add(&s, "^a+b$", &e), 0);
	ck_assert_int_eq(patterns_add(&s, "x\\d{2}", &e), 0);
	ck_assert_ptr_eq(patterns_match(&s, "aab", 3, &failed), &s.p[0]);
	ck_assert_ptr_eq(patterns_match(&s, "-x12-", 5, &failed), &s.p[1]);
	ck_assert_ptr_null(patterns_match(&s, "aabc", 4, &failed));
	ck_assert_ptr_null(failed);
}
END_TEST

START_TEST(bytes_that_are_no_characters_are_not_matched)
{
	static const char line[] = "\xff\xfe\0ok";
	const struct pattern *failed = NULL;

	ck_assert_int_eq(patterns_add(&s, "ok$", &e), 0);
	ck_assert_ptr_eq(patterns_match(&s, line, 5, &failed), &s.p[0]);
}
END_TEST

static const struct {
	const char *text, *says;
} wrong[] = {
	{"a(b",
	 "\"a(b\" is no regular expression: at character 4, missing closing parenthesis"},
	{"*", "quantifier does not follow a repeatable item"},
	{"(*UTF)a", "using UTF is disabled"},
	{"a\\C", "using \\C is disabled"},
};

START_TEST(wrong_expression_is_taken)
{
	ck_assert_int_lt(patterns_add(&s, wrong[_i].text, &e), 0);
	ck_assert(e.usage);
	ck_assert_msg(strstr(e.msg, wrong[_i].says), "%s", e.msg);
	ck_assert_uint_eq(s.n, 0);
}
END_TEST

START_TEST(too_many_are_taken)
{
	for (int i = 0; i < PATTERNS_MAX; i++)
		ck_assert_int_eq(patterns_add(&s, "a", &e), 0);
	ck_assert_int_lt(patterns_add(&s, "a", &e), 0);
	ck_assert(strstr(e.msg, "join some"));
}
END_TEST

/* A line that has an expression run for ever: without the limit these take longer than the universe has */
static const char *const endless[] = {"^(a+)+$", "^(a|aa)+$", "^(([a-z])+.)+[A-Z]+$"};

START_TEST(expression_runs_for_ever)
{
	char line[1001];
	const struct pattern *failed = NULL;

	memset(line, 'a', 1000);
	line[1000] = '!';
	ck_assert_int_eq(patterns_add(&s, endless[_i], &e), 0);
	ck_assert_ptr_null(patterns_match(&s, line, sizeof(line), &failed));
	ck_assert_ptr_eq(failed, &s.p[0]);
}
END_TEST

UNIT_MAIN("pattern", setup, teardown, t)
{
	tcase_add_test(t, line_is_not_matched);
	tcase_add_test(t, bytes_that_are_no_characters_are_not_matched);
	tcase_add_loop_test(t, wrong_expression_is_taken, 0, ARRAY_SIZE(wrong));
	tcase_add_test(t, too_many_are_taken);
	tcase_add_loop_test(t, expression_runs_for_ever, 0, ARRAY_SIZE(endless));
}
