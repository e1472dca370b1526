/* SPDX-License-Identifier: Apache-2.0 */
/* ktap: cases are counted one by one, however they are nested, and what is missing is missed */
#include "vmm/test/ktap.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/unit.h"
#include "vmm/core/util.h"

static const struct {
	const char *text; /* lines, between | */
	unsigned int ok, failed, skipped, xfail, missing;
	bool bad, skips;
	const char *first;
} documents[] = {
	{"KTAP version 1|1..2|ok 1 a|ok 2 b", 2, 0, 0, 0, 0, false, false, ""},
	{"TAP version 13|1..2|ok 1 - a|not ok 2 - b c", 1, 1, 0, 0, 0, true, false,
	 "b c"},
	{"TAP version 13|ok 1 - a|1..1", 1, 0, 0, 0, 0, false, false, ""},
	{"KTAP version 1|1..3|ok 1 a # SKIP no b|not ok 2 b # XFAIL d|not ok 3 c # TODO e",
	 0, 0, 1, 2, 0, false, false, ""},
	{"KTAP version 1|1..3|ok 1 a", 1, 0, 0, 0, 2, true, false, ""},
	{"KTAP version 1", 0, 0, 0, 0, 0, true, false, ""},
	{"KTAP version 1|1..2", 0, 0, 0, 0, 2, true, false, ""},
	{"TAP version 13|1..0 # SKIP no such thing", 0, 0, 0, 0, 0, false, true, ""},
	{"KTAP version 1|1..1|ok 1 a # skip b", 0, 0, 1, 0, 0, false, true, ""},
	{"KTAP version 1|1..2|ok 1|Bail out! no", 1, 0, 0, 0, 1, true, false, ""},
	/* KUnit */
	{"KTAP version 1|1..1|    KTAP version 1|    # Subtest: s|    1..2|    ok 1 a|"
	 "    not ok 2 b|not ok 1 s",
	 1, 1, 0, 0, 0, true, false, "b"},
	{"KTAP version 1|1..1|    KTAP version 1|    1..2|    ok 1 a|ok 1 s", 1, 0, 0, 0,
	 1, true, false, ""},
	{"KTAP version 1|1..2|  KTAP version 1|  1..1|    KTAP version 1|    1..1|"
	 "    ok 1 a|  ok 1 b|ok 1 c|ok 2 d",
	 2, 0, 0, 0, 0, false, false, ""},
	/* as the modules of Linux 6.1 print it: each suite a document of its own, whose result is to its left */
	{"    KTAP version 1|    # Subtest: example|    1..4|    ok 1 a|"
	 "    # example_skip_test: You should not see a line below.|    ok 2 b # SKIP c|"
	 "    ok 3 d # SKIP c|    ok 4 e|# example: pass:2 fail:0 skip:2 total:4|"
	 "ok 1 example",
	 2, 0, 2, 0, 0, false, false, ""},
	{"    KTAP version 1|    1..1|    ok 1 a|ok 1 s|    KTAP version 1|    1..1|"
	 "    not ok 1 b|not ok 2 t",
	 1, 1, 0, 0, 0, true, false, "b"},
	{"    KTAP version 1|    1..2|    ok 1 a|ok 1 s|    KTAP version 1|    1..1|"
	 "    ok 1 b|not ok 2 t",
	 2, 1, 0, 0, 1, true, false, "t"},
	/* the subtests are good, and their test is not */
	{"KTAP version 1|1..1|  KTAP version 1|  1..1|  ok 1 a|not ok 1 s", 1, 1, 0, 0, 0,
	 true, false, "s"},
	{"TAP version 14|1..1|    # Subtest: s|    1..1|    ok 1 - a|ok 1 - s", 1, 0, 0,
	 0, 0, false, false, ""},
	/* it ends in the middle of a subtest */
	{"KTAP version 1|1..2|  KTAP version 1|  1..3|  ok 1 a", 1, 0, 0, 0, 4, true,
	 false, ""},
	/* another document does not hide that the first one ended early */
	{"KTAP version 1|1..2|ok 1 a|KTAP version 1|1..1|ok 1 b", 2, 0, 0, 0, 1, true,
	 false, ""},
	/* not a document, or not in one */
	{"not ok 1 a|1..4|ok 2", 0, 0, 0, 0, 0, false, false, ""},
	{"KTAP version 1|1..1|okay|not okay|ok 1 a|# not ok 2 b", 1, 0, 0, 0, 0, false,
	 false, ""},
	{"KTAP version 1|1..1|ok 1 the #SKIPPER", 1, 0, 0, 0, 0, false, false, ""},
	{"KTAP version 1|1..1|ok 1 a#SKIP", 1, 0, 0, 0, 0, false, false, ""},
	{"KTAP version 1|1..99999999999999999999|ok 1 a", 1, 0, 0, 0, 999999, true, false,
	 ""},
};

static void read_document(struct ktap *k, const char *text)
{
	char copy[512], *at = copy, *line;

	(void)snprintf(copy, sizeof(copy), "%s", text);
	while ((line = strsep(&at, "|")))
		(void)ktap_line(k, line);
	ktap_end(k);
}

START_TEST(case_is_counted_wrong)
{
	struct ktap k = {0};

	read_document(&k, documents[_i].text);
	ck_assert_uint_eq(k.count[KTAP_OK], documents[_i].ok);
	ck_assert_uint_eq(k.count[KTAP_FAILED], documents[_i].failed);
	ck_assert_uint_eq(k.count[KTAP_SKIPPED], documents[_i].skipped);
	ck_assert_uint_eq(k.count[KTAP_XFAIL], documents[_i].xfail);
	ck_assert_uint_eq(k.missing, documents[_i].missing);
	ck_assert_int_eq(ktap_failed(&k), documents[_i].bad);
	ck_assert_int_eq(ktap_only_skipped(&k), documents[_i].skips);
	ck_assert_str_eq(k.first, documents[_i].first);
}
END_TEST

START_TEST(depth_has_no_bound)
{
	struct ktap k = {0};
	char line[128];

	for (int i = 0; i < 40; i++) {
		(void)snprintf(line, sizeof(line), "%*sKTAP version 1", 2 * i, "");
		(void)ktap_line(&k, line);
		(void)snprintf(line, sizeof(line), "%*s1..1", 2 * i, "");
		(void)ktap_line(&k, line);
	}
	ck_assert_uint_le(k.depth, KTAP_DEPTH);
	for (int i = 40; i-- > 0;) {
		(void)snprintf(line, sizeof(line), "%*sok 1 a", 2 * i, "");
		(void)ktap_line(&k, line);
	}
	ktap_end(&k);
	ck_assert_uint_ge(k.count[KTAP_OK], 1);
}
END_TEST

static void tell_each(void *ctx, const struct ktap_case *c)
{
	char *all = ctx;

	(void)sprintf(all + strlen(all), "%s=%d ", c->name, (int)c->result);
	if (c->result != KTAP_OK)
		(void)sprintf(all + strlen(all), "(%s)(%s) ", c->line, c->note);
}

static void tell_name(void *ctx, const char *name, uint32_t n)
{
	char *all = ctx;

	(void)sprintf(all + strlen(all), "%u:%s ", n, name);
}

static const struct {
	const char *text, *all;
} told[] = {
	{"KTAP version 1|1..2|ok 1 a\tb|not ok 2 - c # SKIP d",
	 "a?b=0 c=2 (not ok 2 - c # SKIP d)() "},
	/* its backslash, and no directive; and a name that ends with one */
	{"TAP version 14|1..4|ok 1 - a \\# SKIP b|ok 2 - c\\\\ # SKIP d|ok 3 - e\\f|ok 4 - g\\",
	 "a # SKIP b=0 c\\=2 (ok 2 - c\\\\ # SKIP d)() e\\f=0 g\\=0 "},
	/* why: the first line of it, of this case alone */
	{"KTAP version 1|1..3|# x: EXPECTATION FAILED at a.c:1|# more|not ok 1 x|ok 2 y|not ok 3 z",
	 "x=1 (not ok 1 x)(# x: EXPECTATION FAILED at a.c:1) y=0 z=1 (not ok 3 z)() "},
	/* a test's name comes after its cases */
	{"KTAP version 1|1..1|    KTAP version 1|    # Subtest: s|    1..2|    ok 1 a|"
	 "    not ok 2 b|not ok 1 s",
	 "a=0 b=1 (not ok 2 b)() 2:s "},
	{"KTAP version 1|1..2|  KTAP version 1|  1..1|    KTAP version 1|    1..1|"
	 "    ok 1 a|  ok 1 b|ok 1 c|ok 2 d",
	 "a=0 1:b 1:c d=0 "},
	{"KTAP version 1|1..1|  KTAP version 1|  1..1|  ok 1 a|not ok 1 s",
	 "a=0 1:s s=1 (not ok 1 s)() "},
};

START_TEST(case_is_told_as_another)
{
	char all[512] = "";
	struct ktap k = {.each = tell_each, .named = tell_name, .ctx = all};

	read_document(&k, told[_i].text);
	ck_assert_str_eq(all, told[_i].all);
}
END_TEST

/* Numbers that a guest has driven as far as they go */
START_TEST(number_wraps)
{
	struct ktap k = {.count = {UINT32_MAX, UINT32_MAX}, .missing = UINT32_MAX - 1};

	read_document(&k, "KTAP version 1|1..9|ok 1 a|not ok 2 b");
	ck_assert_uint_eq(k.count[KTAP_OK], UINT32_MAX);
	ck_assert_uint_eq(k.count[KTAP_FAILED], UINT32_MAX);
	ck_assert_uint_eq(k.missing, UINT32_MAX);
	ck_assert(ktap_failed(&k));
	k = (struct ktap){0};
	(void)ktap_line(&k, "KTAP version 1");
	(void)ktap_line(&k, "1..3");
	k.level[0].seen = UINT32_MAX;
	(void)ktap_line(&k, "ok 1 a");
	ktap_end(&k);
	ck_assert_uint_eq(k.missing, 0);
}
END_TEST

UNIT_MAIN("ktap", NULL, NULL, t)
{
	tcase_add_loop_test(t, case_is_counted_wrong, 0, ARRAY_SIZE(documents));
	tcase_add_test(t, depth_has_no_bound);
	tcase_add_loop_test(t, case_is_told_as_another, 0, ARRAY_SIZE(told));
	tcase_add_test(t, number_wraps);
}
