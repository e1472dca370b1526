/* SPDX-License-Identifier: Apache-2.0 */
/* exit causes: the statuses that scripts rely on, and their page in the manual */
#include "vmm/machine/exit.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/unit.h"

static const struct {
	enum exit_cause cause;
	int status;
	const char *name;
} promised[] = {
	{CAUSE_POWEROFF, 0, "poweroff"},
	{CAUSE_REBOOT, 0, "reboot"},
	{CAUSE_HALT, 0, "halt"},
	{CAUSE_QUIT, 0, "quit"},
	{CAUSE_HOST_ERROR, 1, "host-error"},
	{CAUSE_USAGE, 2, "usage"},
	{CAUSE_PANIC, 70, "panic"},
	{CAUSE_KVM_ERROR, 72, "kvm-error"},
	{CAUSE_TRIPLE_FAULT, 71, "triple-fault"},
	{CAUSE_HANG, 76, "hang"},
	{CAUSE_TIMEOUT, 124, "timeout"},
	{CAUSE_SIGINT, 130, "sigint"},
	{CAUSE_SIGTERM, 143, "sigterm"},
	{CAUSE_JOB, 0, "job"},
	{CAUSE_EXIT_PORT, 0, "exit-port"},
};

START_TEST(cause_has_another_status)
{
	ck_assert_int_eq(exit_status(promised[_i].cause), promised[_i].status);
	ck_assert_str_eq(exit_name(promised[_i].cause), promised[_i].name);
	ck_assert_int_eq(exit_verdict(promised[_i].cause).cause, promised[_i].cause);
	ck_assert_int_eq(exit_verdict(promised[_i].cause).status, promised[_i].status);
}
END_TEST

START_TEST(signal_has_another_status)
{
	ck_assert_int_eq(exit_by_signal(SIGINT).status, 130);
	ck_assert_int_eq(exit_by_signal(SIGTERM).status, 143);
	ck_assert_int_eq(exit_by_signal(SIGHUP).status, 143);
	ck_assert_int_eq(exit_by_signal(SIGXCPU).status, 1);
	ck_assert_ptr_nonnull(strstr(exit_by_signal(SIGXCPU).detail, "ulimit -t"));
}
END_TEST

START_TEST(manual_says_something_else)
{
	char row[64], page[8192] = "";
	FILE *f = fopen(SOURCE_ROOT "/docs/exit-status.md", "r");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_gt(fread(page, 1, sizeof(page) - 1, f), 0);
	(void)fclose(f);
	for (int c = 0; c < CAUSE_COUNT; c++) {
		(void)snprintf(row, sizeof(row), "\n| %d | `%s` |",
			       exit_status((enum exit_cause)c),
			       exit_name((enum exit_cause)c));
		ck_assert_msg(strstr(page, row), "no row%s", row);
	}
}
END_TEST

UNIT_MAIN("exit", NULL, NULL, t)
{
	tcase_add_loop_test(t, cause_has_another_status, 0,
			    sizeof(promised) / sizeof(promised[0]));
	tcase_add_test(t, signal_has_another_status);
	tcase_add_test(t, manual_says_something_else);
}
