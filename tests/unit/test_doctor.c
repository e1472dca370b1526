/* SPDX-License-Identifier: Apache-2.0 */
/* the doctor: its verdict follows from its lines, and it survives a host without anything */
#include "vmm/doctor.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/unit.h"

static char text[16384];

/* doctor_run() on this host, whatever it is */
static int examine(void)
{
	FILE *f = fmemopen(text, sizeof(text), "w");
	int status = doctor_run(f);

	ck_assert_int_eq(fclose(f), 0);
	return status;
}

START_TEST(verdict_contradicts_the_lines)
{
	int status = examine();
	int no = strncmp(text, "no  ", 4) == 0 || strstr(text, "\nno  ") != NULL;

	ck_assert_int_eq(status, no);
	if (no)
		ck_assert_ptr_nonnull(strstr(text, "\nA stock kernel cannot boot here"));
	else
		ck_assert_ptr_nonnull(strstr(text, "\nA stock kernel can boot here."));
}
END_TEST

START_TEST(kvm_is_ok_below_no_kvm)
{
	(void)examine();
	if (strstr(text, "ok  /dev/kvm ") != NULL)
		ck_assert_ptr_null(strstr(text, "no  /dev/kvm "));
	else
		ck_assert_ptr_null(strstr(text, "ok  kind of KVM"));
}
END_TEST

START_TEST(something_is_not_looked_at)
{
	static const char *const subjects[] = {"/dev/kvm",   "kind of KVM", "tap",
					       "memory",     "huge pages",  "processors",
					       "open files", NULL};

	(void)examine();
	for (const char *const *s = subjects; *s; s++) {
		char want[32];

		(void)snprintf(want, sizeof(want), "  %s ", *s);
		ck_assert_msg(strstr(text, want), "no line about %s", *s);
	}
	/* each line about the host begins with a mark */
	for (char *p = text; p && strncmp(p, "A stock", 7) != 0;
	     p = strchr(p, '\n'), p = p ? p + 1 : p)
		ck_assert_msg(strncmp(p, "ok  ", 4) == 0 || strncmp(p, "no  ", 4) == 0 ||
				      strncmp(p, "--  ", 4) == 0,
			      "%s", p);
}
END_TEST

/* What asks for huge pages, as a guest's RAM does, gets them by both of these words */
START_TEST(huge_pages_for_who_asks_are_no_huge_pages)
{
	FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
	char word[64] = "";

	if (f) {
		(void)!fgets(word, sizeof(word), f);
		ck_assert_int_eq(fclose(f), 0);
	}
	(void)examine();
	if (strstr(word, "[madvise]") || strstr(word, "[always]"))
		ck_assert_ptr_nonnull(strstr(text, "\nok  transparent huge pages "));
	else
		ck_assert_ptr_nonnull(strstr(text, "\n--  transparent huge pages "));
}
END_TEST

START_TEST(first_obstacle_is_forgotten)
{
	struct doctor d = {.out = fmemopen(text, sizeof(text), "w")};

	doctor_say(&d, DOCTOR_NOTE, "first", "x");
	ck_assert_ptr_null(d.obstacle);
	doctor_say(&d, DOCTOR_NO, "second", "%d", 5);
	doctor_say(&d, DOCTOR_NO, "third", "x");
	doctor_say(&d, DOCTOR_OK, "fourth", "x");
	ck_assert_str_eq(d.obstacle, "second");
	ck_assert_int_eq(fclose(d.out), 0);
	ck_assert_int_eq(strncmp(text, "--  first ", 10), 0);
	ck_assert_ptr_nonnull(strstr(text, "\nno  second "));
}
END_TEST

UNIT_MAIN("doctor", NULL, NULL, t)
{
	tcase_add_test(t, verdict_contradicts_the_lines);
	tcase_add_test(t, kvm_is_ok_below_no_kvm);
	tcase_add_test(t, something_is_not_looked_at);
	tcase_add_test(t, huge_pages_for_who_asks_are_no_huge_pages);
	tcase_add_test(t, first_obstacle_is_forgotten);
}
