/* SPDX-License-Identifier: Apache-2.0 */
/* test_signals - whatever our parent left of masks and dispositions. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "vmm/core/signals.h"
#include "vmm/core/util.h"

#define LONG_MS 20000 /* far more than it takes */

static bool blocked(int sig)
{
	sigset_t set;

	pthread_sigmask(SIG_BLOCK, NULL, &set);
	return sigismember(&set, sig) == 1;
}

static bool ignored(int sig)
{
	struct sigaction sa;

	ck_assert_int_eq(sigaction(sig, NULL, &sa), 0);
	return sa.sa_handler == SIG_IGN;
}

static void block_all(void)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
}

static void ignore_all(void)
{
	for (int sig = 1; sig < 32; sig++)
		(void)signal(sig, SIG_IGN);
}

START_TEST(nothing_stays_blocked_but_questions)
{
	block_all();
	signals_init();
	for (int sig = 1; sig < 32; sig++)
		ck_assert_msg(blocked(sig) == (sig == SIGUSR1 || sig == SIGUSR2),
			      "signal %d", sig);
}
END_TEST

START_TEST(what_a_call_reports_kills_nobody)
{
	(void)signal(SIGPIPE, SIG_DFL);
	signals_init();
	ck_assert(ignored(SIGPIPE) && ignored(SIGXFSZ));
}
END_TEST

/* As a supervisor or a language's runtime leaves it: waitpid(2) then finds no child */
START_TEST(children_are_not_reaped_behind_our_back)
{
	int status;
	pid_t pid;

	(void)signal(SIGCHLD, SIG_IGN);
	signals_init();
	pid = fork();
	if (pid == 0)
		_exit(7);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}
END_TEST

/* nohup, and a script's `&` */
START_TEST(what_our_parent_ignores_we_neither_hold_nor_read)
{
	struct signalfd_siginfo si;
	int fd;

	ignore_all();
	block_all();
	signals_init();
	signals_more();
	signals_hold();
	fd = signals_open();
	ck_assert_int_ge(fd, 0);
	for (int sig = 1; sig < 32; sig++) {
		ck_assert_msg(!blocked(sig), "signal %d", sig);
		if (sig != SIGKILL && sig != SIGSTOP && sig != SIGCHLD)
			kill(getpid(), sig);
	}
	ck_assert_int_eq(read(fd, &si, sizeof(si)), -1);
	ck_assert_int_eq(signals_ending(), 0);
	close(fd);
}
END_TEST

START_TEST(what_ends_us_is_held_and_read)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGXCPU};
	struct signalfd_siginfo si;
	int fd;

	signals_init();
	ck_assert(!blocked(SIGTERM));
	signals_hold();
	fd = signals_open();
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		ck_assert_int_eq(kill(getpid(), ends[i]), 0);
		ck_assert_int_eq(signals_ending(), ends[i]);
		ck_assert_int_eq(read(fd, &si, sizeof(si)), sizeof(si));
		ck_assert_int_eq(si.ssi_signo, ends[i]);
	}
	ck_assert_int_eq(signals_ending(), 0);
	close(fd);
}
END_TEST

/* What a job may be sent besides: held and read, and no end of ours */
START_TEST(what_a_job_gets_ends_us)
{
	static const int more[] = {SIGQUIT, SIGALRM};
	int fd;

	signals_init();
	signals_more();
	ck_assert(!blocked(SIGQUIT));
	signals_hold();
	fd = signals_open();
	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		ck_assert_int_eq(kill(getpid(), more[i]), 0);
		ck_assert_int_eq(signals_ending(), 0);
		ck_assert_int_eq(signals_read(fd), more[i]);
	}
	close(fd);
}
END_TEST

START_TEST(a_question_is_held_from_the_start_and_no_end)
{
	signals_init();
	ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
	ck_assert_int_eq(kill(getpid(), SIGUSR2), 0);
	ck_assert_int_eq(signals_ending(), 0);
}
END_TEST

/* ---- waits ---- */

START_TEST(a_wait_ends_with_what_ends_us)
{
	int p[2];
	struct pollfd w = {.events = POLLIN};
	uint64_t start = monotonic_ns();

	signals_init();
	signals_hold();
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	w.fd = p[0];
	ck_assert_int_eq(kill(getpid(), SIGTERM), 0);
	ck_assert_int_eq(signals_poll(&w, LONG_MS), 0);
	ck_assert_int_eq(w.revents, 0);
	ck_assert_uint_lt(monotonic_ns() - start, LONG_MS * 1000000ULL / 2);
	ck_assert_int_eq(signals_ending(), SIGTERM); /* it is not taken */
	close(p[0]);
	close(p[1]);
}
END_TEST

START_TEST(a_wait_does_not_end_with_a_question)
{
	int p[2];
	struct pollfd w = {.events = POLLIN};
	uint64_t start = monotonic_ns();

	signals_init();
	signals_hold();
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	w.fd = p[0];
	ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
	ck_assert_int_eq(signals_poll(&w, 50), 0);
	ck_assert_uint_ge(monotonic_ns() - start, 45000000);
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	ck_assert_int_eq(signals_poll(&w, LONG_MS), 1);
	ck_assert_int_eq(w.revents, POLLIN);
	close(p[0]);
	close(p[1]);
}
END_TEST

UNIT_MAIN("signals", NULL, NULL, t)
{
	tcase_add_test(t, nothing_stays_blocked_but_questions);
	tcase_add_test(t, what_a_call_reports_kills_nobody);
	tcase_add_test(t, children_are_not_reaped_behind_our_back);
	tcase_add_test(t, what_our_parent_ignores_we_neither_hold_nor_read);
	tcase_add_test(t, what_ends_us_is_held_and_read);
	tcase_add_test(t, what_a_job_gets_ends_us);
	tcase_add_test(t, a_question_is_held_from_the_start_and_no_end);
	tcase_add_test(t, a_wait_ends_with_what_ends_us);
	tcase_add_test(t, a_wait_does_not_end_with_a_question);
}
