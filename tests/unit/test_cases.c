/* SPDX-License-Identifier: Apache-2.0 */
/* cases: each has its whole name, whatever comes between, and a guest fills no memory */
#include "vmm/test/cases.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/unit.h"
#include "vmm/core/util.h"

static struct cases c;
static struct ktap k[2];

static void setup(void)
{
	memset(k, 0, sizeof(k));
	c = (struct cases){0};
	for (unsigned int i = 0; i < ARRAY_SIZE(k); i++)
		cases_hear(&c, i, &k[i]);
}

static void teardown(void)
{
	cases_free(&c);
	ck_assert_uint_eq(c.n, 0);
}

static void reads(unsigned int nr, const char *text)
{
	char copy[512], *at = copy, *line;

	(void)snprintf(copy, sizeof(copy), "%s", text);
	while ((line = strsep(&at, "|")))
		(void)ktap_line(&k[nr], line);
}

static void is(uint32_t nr, const char *name, enum ktap_result r, const char *line)
{
	ck_assert_uint_lt(nr, c.n);
	ck_assert_str_eq(c.one[nr].name, name);
	ck_assert_int_eq(c.one[nr].result, r);
	ck_assert_pstr_eq(c.one[nr].line, line);
}

/* KUnit prints into the kernel's log while a program prints on the console */
START_TEST(case_has_anothers_name)
{
	reads(0, "KTAP version 1|1..1|  KTAP version 1|  1..2|  ok 1 a");
	reads(1, "KTAP version 1|1..2|ok 1 x");
	reads(0, "  # b: EXPECTATION FAILED at a.c:1|  not ok 2 b");
	reads(1, "ok 2 y # SKIP why");
	reads(0, "not ok 1 s|ok 2 t");
	ck_assert_uint_eq(c.n, 5);
	is(0, "s.a", KTAP_OK, NULL);
	is(1, "x", KTAP_OK, NULL);
	is(2, "s.b", KTAP_FAILED, "not ok 2 b: # b: EXPECTATION FAILED at a.c:1");
	is(3, "y", KTAP_SKIPPED, "ok 2 y # SKIP why");
	is(4, "t", KTAP_OK, NULL);
	ck_assert_uint_eq(c.more, 0);
}
END_TEST

START_TEST(memory_has_no_bound)
{
	char line[64];

	reads(0, "KTAP version 1");
	for (unsigned int i = 0; i < CASES_MAX + 5; i++) {
		(void)snprintf(line, sizeof(line), "%s %u a", i % 2 ? "ok" : "not ok", i);
		reads(0, line);
	}
	ck_assert_uint_eq(c.n, CASES_MAX);
	ck_assert_uint_eq(c.more, 5);
}
END_TEST

/* Names as long as they may be, and longer with each level's; then the last ones have theirs alone */
START_TEST(text_has_no_bound)
{
	char name[KTAP_NAME + 1], line[KTAP_NAME + 64];

	memset(name, 'n', KTAP_NAME);
	name[KTAP_NAME] = '\0';
	reads(0, "KTAP version 1|  KTAP version 1|    KTAP version 1");
	for (unsigned int i = 0; i < CASES_MAX; i++) {
		(void)snprintf(line, sizeof(line), "    not ok %u %s", i, name);
		reads(0, line);
	}
	ck_assert_uint_lt(c.n, CASES_MAX);
	ck_assert_uint_eq(c.n + c.more, CASES_MAX);
	ck_assert_uint_le(c.text, CASES_TEXT);
	for (unsigned int i = 4; i-- > 0;) {
		(void)snprintf(line, sizeof(line), "%*sok 1 %s", (int)i, "", name);
		reads(0, line);
	}
	ck_assert_uint_le(c.text, CASES_TEXT);
	for (uint32_t i = 0; i < c.n; i++) {
		size_t len = strlen(c.one[i].name);

		ck_assert_uint_ge(len, KTAP_NAME);
		ck_assert_str_eq(c.one[i].name + len - KTAP_NAME, name);
	}
}
END_TEST

UNIT_MAIN("cases", setup, teardown, t)
{
	tcase_add_test(t, case_has_anothers_name);
	tcase_add_test(t, memory_has_no_bound);
	tcase_add_test(t, text_has_no_bound);
}
