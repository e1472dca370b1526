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

static void count_each(void *ctx, const char *name, enum ktap_result r)
{
	char *all = ctx;

	(void)sprintf(all + strlen(all), "%s=%d ", name, (int)r);
}

START_TEST(case_is_not_told)
{
	char all[128] = "";
	struct ktap k = {.each = count_each, .ctx = all};

	read_document(&k, "KTAP version 1|1..2|ok 1 a\tb|not ok 2 - c # SKIP d");
	ck_assert_str_eq(all, "a?b=0 c=2 ");
}
END_TEST

UNIT_MAIN("ktap", NULL, NULL, t)
{
	tcase_add_loop_test(t, case_is_counted_wrong, 0, ARRAY_SIZE(documents));
	tcase_add_test(t, depth_has_no_bound);
	tcase_add_test(t, case_is_not_told);
}
