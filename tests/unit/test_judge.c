/* SPDX-License-Identifier: Apache-2.0 */
/* judge: the verdict on a guest, by what it printed and how it ended */
#include "vmm/test/judge.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/unit.h"
#include "vmm/core/util.h"

#define T "[    1.234567] "

static struct judge_rules rules;
static struct judge j;

static void setup(void)
{
	memset(&rules, 0, sizeof(rules));
	judge_init(&j, &rules);
}

static void teardown(void)
{
	judge_fini(&j);
	patterns_free(&rules.expect);
	patterns_free(&rules.forbid);
	patterns_free(&rules.ignore);
}

static bool console(const char *text)
{
	return judge_console(&j, (const uint8_t *)text, strlen(text));
}

static bool output(const char *text)
{
	return judge_output(&j, (const uint8_t *)text, strlen(text));
}

static void ends(enum exit_cause cause, int status)
{
	struct exit_verdict v = exit_verdict(cause);

	if (cause == CAUSE_JOB)
		v.status = status;
	judge_end(&j, &v);
}

static void wants(struct patterns *s, const char *text)
{
	struct err e = {0};

	ck_assert_msg(patterns_add(s, text, &e) == 0, "%s", e.msg);
}

/* What a guest printed on its console, then its end, without COMMAND */
static const struct {
	const char *text;
	enum exit_cause cause;
	enum verdict verdict;
	const char *why;
} ways[] = {
	{"up\n", CAUSE_POWEROFF, VERDICT_PASS, ""},
	{"up\n", CAUSE_REBOOT, VERDICT_PASS, ""},
	{"up\n", CAUSE_HALT, VERDICT_PASS, ""},
	{"Linux version 6.1.0\nOops: 0002 [#1]\n", CAUSE_HALT, VERDICT_PASS,
	 "but its kernel prints no time stamps, so that no oops of it would be known: boot "
	 "it with printk.time=1"},
	{T "Linux version 6.1.0\nLinux version\n", CAUSE_HALT, VERDICT_PASS, ""},
	{"", CAUSE_REBOOT, VERDICT_CRASH, "it reset before it printed a line"},
	{T "Kernel panic - not syncing: x\n", CAUSE_PANIC, VERDICT_PANIC,
	 "Kernel panic - not syncing: x"},
	{"", CAUSE_PANIC, VERDICT_PANIC, "panic"}, /* by its device alone */
	{"", CAUSE_TRIPLE_FAULT, VERDICT_CRASH, "triple-fault"},
	{"up\n", CAUSE_KVM_ERROR, VERDICT_CRASH, "kvm-error"},
	{"up\n", CAUSE_HANG, VERDICT_HANG, "hang"},
	{"up\n", CAUSE_TIMEOUT, VERDICT_TIMEOUT, "timeout"},
	{"up\n", CAUSE_HOST_ERROR, VERDICT_ERROR, "host-error"},
	{"up\n", CAUSE_SIGINT, VERDICT_STOPPED, "sigint"},
	/* the first counts */
	{T "BUG: kernel NULL pointer dereference, address: 0\n" T
	   "Kernel panic - not syncing: Fatal exception\n",
	 CAUSE_PANIC, VERDICT_OOPS, "BUG: kernel NULL pointer dereference, address: 0"},
	{T "watchdog: BUG: soft lockup - CPU#0 stuck\n" T
	   "Kernel panic - not syncing: softlockup: hung tasks\n",
	 CAUSE_PANIC, VERDICT_LOCKUP, "watchdog: BUG: soft lockup - CPU#0 stuck"},
	/* an oops in a good test, before and after it says so, and without the line's end */
	{"KTAP version 1\n1..1\n" T "Oops: 0002 [#1] SMP\nok 1 a\n", CAUSE_POWEROFF,
	 VERDICT_OOPS, "Oops: 0002 [#1] SMP"},
	{"KTAP version 1\n1..1\nok 1 a\n" T "kernel BUG at a.c:1!", CAUSE_POWEROFF,
	 VERDICT_OOPS, "kernel BUG at a.c:1!"},
	/* a program's words are not the kernel's */
	{"BUG: unable to handle page fault\nWARNING: x\nKernel panic - not syncing: x\n",
	 CAUSE_POWEROFF, VERDICT_PASS, ""},
	/* cases, of programs and of KUnit */
	{"TAP version 13\n1..2\nok 1 a\nnot ok 2 b\n", CAUSE_POWEROFF, VERDICT_FAIL,
	 "1 of its cases failed, the first is \"b\""},
	{T "KTAP version 1\n" T "1..2\nup\n" T "ok 1 a\n", CAUSE_POWEROFF, VERDICT_FAIL,
	 "its tests ended too early: 1 that their plan has did not run"},
	{"TAP version 13\n", CAUSE_POWEROFF, VERDICT_FAIL,
	 "its tests ended too early: there is neither a plan nor a case after a version line"},
	{"TAP version 13\nBail out!\n", CAUSE_POWEROFF, VERDICT_FAIL,
	 "its tests gave up (\"Bail out!\")"},
	{"TAP version 13\n1..0 # SKIP no x\n", CAUSE_POWEROFF, VERDICT_SKIP,
	 "its tests cannot run here, they say"},
	{"TAP version 13\n1..0 # SKIP no x\n" T "KTAP version 1\n" T "1..1\n" T
	 "ok 1 a\n",
	 CAUSE_POWEROFF, VERDICT_PASS, ""},
	/* by its exit port: good, and what an operator's own good= makes of another number is the status */
	{"up\n", CAUSE_EXIT_PORT, VERDICT_PASS, ""},
	{"TAP version 13\n1..1\nnot ok 1 a\n", CAUSE_EXIT_PORT, VERDICT_FAIL,
	 "1 of its cases failed, the first is \"a\""},
	/* a warning is counted, no more */
	{T "WARNING: CPU: 0 PID: 1 at a.c:1\n", CAUSE_POWEROFF, VERDICT_PASS, ""},
};

START_TEST(end_has_another_verdict)
{
	(void)console(ways[_i].text);
	ends(ways[_i].cause, 0);
	ck_assert_str_eq(verdict_name(j.verdict), verdict_name(ways[_i].verdict));
	ck_assert_str_eq(j.why, ways[_i].why);
}
END_TEST

START_TEST(byte_by_byte_it_is_another)
{
	const char *p = ways[_i].text;

	for (; *p; p++)
		(void)judge_console(&j, (const uint8_t *)p, 1);
	ends(ways[_i].cause, 0);
	ck_assert_str_eq(verdict_name(j.verdict), verdict_name(ways[_i].verdict));
}
END_TEST

/* With COMMAND: what it printed, and its status */
static const struct {
	const char *text;
	enum exit_cause cause;
	int status;
	enum verdict verdict;
	const char *why;
} commands[] = {
	{"", CAUSE_JOB, 0, VERDICT_PASS, ""},
	{"", CAUSE_JOB, 3, VERDICT_FAIL, "the command ended with status 3"},
	{"BUG: x\n" T "BUG: x\n", CAUSE_JOB, 0, VERDICT_PASS, ""},
	{"TAP version 13\n1..1\nnot ok 1 a\n", CAUSE_JOB, 0, VERDICT_FAIL,
	 "1 of its cases failed, the first is \"a\""},
	{"TAP version 13\n1..0 # SKIP x\n", CAUSE_JOB, 4, VERDICT_SKIP,
	 "its tests cannot run here, they say"},
	{"TAP version 13\n1..0 # SKIP x\n", CAUSE_JOB, 1, VERDICT_FAIL,
	 "the command ended with status 1"},
	{"", CAUSE_JOB, 4, VERDICT_FAIL, "the command ended with status 4"},
	{"ok\n", CAUSE_REBOOT, 0, VERDICT_FAIL,
	 "the machine ended before the command did (reboot)"},
};

START_TEST(command_has_another_verdict)
{
	rules.command = true;
	(void)output(commands[_i].text);
	ends(commands[_i].cause, commands[_i].status);
	ck_assert_str_eq(verdict_name(j.verdict), verdict_name(commands[_i].verdict));
	ck_assert_str_eq(j.why, commands[_i].why);
}
END_TEST

/* Its own end is no boot, if an agent has to speak at the end of it */
START_TEST(kernel_that_resets_on_its_way_has_booted)
{
	rules.agent = true;
	(void)console("up\n");
	ends(CAUSE_REBOOT, 0);
	ck_assert_int_eq(j.verdict, VERDICT_FAIL);
	ck_assert_str_eq(j.why, "the machine ended before its agent spoke (reboot)");
	judge_init(&j, &rules);
	ends(CAUSE_JOB, 0);
	ck_assert_int_eq(j.verdict, VERDICT_PASS);
}
END_TEST

START_TEST(verdict_is_told_twice_or_never)
{
	ck_assert(!console("up\n"));
	ck_assert(console(T "Oops: 0002 [#1] SMP\n"));
	ck_assert(!console(T "Kernel panic - not syncing: x\n"));
	ck_assert_uint_eq(j.oopses, 1);
}
END_TEST

START_TEST(warning_fails_nothing)
{
	rules.warn_fails = true;
	ck_assert(console(T "WARNING: CPU: 0 PID: 1 at a.c:1\n"));
	ends(CAUSE_POWEROFF, 0);
	ck_assert_int_eq(j.verdict, VERDICT_WARN);
	ck_assert_uint_eq(j.warnings, 1);
}
END_TEST

START_TEST(ignored_line_is_judged)
{
	wants(&rules.ignore, "a\\.c");
	ck_assert(!console(T "kernel BUG at a.c:1!\n"));
	ck_assert(console(T "kernel BUG at b.c:1!\n"));
}
END_TEST

START_TEST(forbidden_line_is_passed)
{
	wants(&rules.forbid, "no .* found");
	ck_assert(!console("some disk found\n"));
	ck_assert(output("no disk found\n"));
	ends(CAUSE_POWEROFF, 0);
	ck_assert_int_eq(j.verdict, VERDICT_FAIL);
	ck_assert_str_eq(j.why, "a forbidden line: no disk found");
}
END_TEST

START_TEST(expected_line_is_not_missed)
{
	wants(&rules.expect, "login:");
	wants(&rules.expect, "up");
	ck_assert(!judge_met(&j));
	(void)console("up\n");
	ck_assert(!judge_met(&j));
	ends(CAUSE_POWEROFF, 0);
	ck_assert_int_eq(j.verdict, VERDICT_FAIL);
	ck_assert_str_eq(j.why, "no line matched --expect \"login:\"");
}
END_TEST

/* A prompt has no line's end */
START_TEST(expected_prompt_is_missed)
{
	wants(&rules.expect, "login:");
	(void)console("host login: ");
	ends(CAUSE_POWEROFF, 0);
	ck_assert_int_eq(j.verdict, VERDICT_PASS);
}
END_TEST

START_TEST(expression_holds_the_guest)
{
	char line[1002];

	wants(&rules.expect, "^(a+)+$");
	memset(line, 'a', 1000);
	memcpy(line + 1000, "!", 2);
	(void)console(line);
	ck_assert(console("\n"));
	ck_assert_int_eq(j.verdict, VERDICT_ERROR);
	ck_assert(strstr(j.why, "too many steps"));
}
END_TEST

/* An oops that comes after all is well, before the machine has ended */
START_TEST(pass_hides_an_oops)
{
	judge_fix(&j, VERDICT_PASS, "%s", "");
	ck_assert(console(T "Oops: 0002 [#1] SMP\n"));
	ends(CAUSE_POWEROFF, 0);
	ck_assert_int_eq(j.verdict, VERDICT_OOPS);
}
END_TEST

START_TEST(report_that_is_lost_is_a_pass)
{
	ends(CAUSE_POWEROFF, 0);
	ck_assert_int_eq(j.verdict, VERDICT_PASS);
	ends(CAUSE_HOST_ERROR, 0);
	ck_assert_int_eq(j.verdict, VERDICT_ERROR);
}
END_TEST

START_TEST(line_is_obeyed_by_a_terminal)
{
	(void)console(T "BUG: \x1b[2J\x07\n");
	ck_assert_str_eq(j.why, "BUG: ?[2J?");
}
END_TEST

START_TEST(line_has_no_bound)
{
	for (int i = 0; i < 100000; i++)
		(void)console("0123456789");
	ck_assert(!console("\n"));
	ck_assert(console(T "Oops: 0002 [#1] SMP\n"));
	ck_assert_uint_eq(j.lines, 2);
}
END_TEST

UNIT_MAIN("judge", setup, teardown, t)
{
	tcase_add_loop_test(t, end_has_another_verdict, 0, ARRAY_SIZE(ways));
	tcase_add_loop_test(t, byte_by_byte_it_is_another, 0, ARRAY_SIZE(ways));
	tcase_add_loop_test(t, command_has_another_verdict, 0, ARRAY_SIZE(commands));
	tcase_add_test(t, kernel_that_resets_on_its_way_has_booted);
	tcase_add_test(t, verdict_is_told_twice_or_never);
	tcase_add_test(t, warning_fails_nothing);
	tcase_add_test(t, ignored_line_is_judged);
	tcase_add_test(t, forbidden_line_is_passed);
	tcase_add_test(t, expected_line_is_not_missed);
	tcase_add_test(t, expected_prompt_is_missed);
	tcase_add_test(t, expression_holds_the_guest);
	tcase_add_test(t, pass_hides_an_oops);
	tcase_add_test(t, report_that_is_lost_is_a_pass);
	tcase_add_test(t, line_is_obeyed_by_a_terminal);
	tcase_add_test(t, line_has_no_bound);
}
