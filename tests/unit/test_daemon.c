/* SPDX-License-Identifier: Apache-2.0 */
/* test_daemon - helper programs that start, talk, hang and die; /bin/sh plays them all. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/backend/daemon.h"
#include "tests/lib/nop_device.h"
#include "tests/lib/unit.h"
#include "vmm/core/signals.h"
#include "vmm/core/util.h"

#define SOON_MS 10000 /* far more than it takes */

static struct daemon daemon_under_test, *d = &daemon_under_test;
static struct err e;
static char dir[] = "/tmp/test-daemon-XXXXXX";

static void setup(void)
{
	memset(&e, 0, sizeof(e));
	daemon_init(d);
}

static void teardown(void)
{
	daemon_stop(d);
}

/* A shell that runs @script, with @nfd descriptors */
static void sh(const char *script, const int *fd, unsigned int nfd)
{
	const char *const args[] = {"-c", script, NULL};
	struct daemon_spec s = {
		.program = "sh", .cure = "", .args = args, .fd = fd, .nfd = nfd};

	ck_assert_msg(daemon_start(d, &s, &e) == 0, "%s", e.msg);
}

static void says(const char *text)
{
	ck_assert_msg(strstr(e.msg, text) != NULL, "\"%s\" is not in \"%s\"", text,
		      e.msg);
}

static void must_die(void)
{
	ck_assert_int_eq(daemon_dead(d, SOON_MS, &e), -ECHILD);
}

/* ---- where it is ---- */

static int find(const char *program, const char *const *places, char *path)
{
	struct daemon_spec s = {
		.program = program, .places = places, .cure = "apt install hen"};

	return daemon_find(&s, path, 256, &e);
}

START_TEST(missing_program_names_the_cure)
{
	char path[256];

	ck_assert_int_eq(find("no-such-hen", NULL, path), -ENOENT);
	ck_assert_str_eq(e.msg, "no-such-hen is not installed; apt install hen");
}
END_TEST

START_TEST(program_is_found_in_its_place)
{
	const char *const places[] = {"/nowhere", dir, NULL};
	char path[256], want[256];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(want, sizeof(want), "%s/hen", dir);
	close(open(want, O_CREAT | O_WRONLY, 0600));
	ck_assert_int_eq(find("hen", places, path), -EACCES);
	says("may not run it");
	ck_assert_int_eq(chmod(want, 0700), 0);
	ck_assert_int_eq(find("hen", places, path), 0);
	ck_assert_str_eq(path, want);
	unlink(want);
	rmdir(dir);
}
END_TEST

START_TEST(current_directory_in_path_is_not_searched)
{
	char path[256];

	ck_assert_int_eq(chdir("/bin"), 0);
	setenv("PATH", "::/nowhere:", 1);
	ck_assert_int_eq(find("sh", NULL, path), -ENOENT);
	setenv("PATH", "/nowhere::/bin", 1);
	ck_assert_int_eq(find("sh", NULL, path), 0);
	ck_assert_str_eq(path, "/bin/sh");
}
END_TEST

/* ---- the start ---- */

START_TEST(its_words_are_in_the_sentence)
{
	sh("echo one; echo; echo two >&2; exit 7", NULL, 0);
	must_die();
	ck_assert_str_eq(e.msg, "sh ended with status 7: one; two");
}
END_TEST

START_TEST(its_signal_is_in_the_sentence)
{
	sh("kill -9 $$", NULL, 0);
	must_die();
	ck_assert_str_eq(e.msg,
			 "sh was killed by signal 9; try it by itself: sh --version, "
			 "or install it again");
}
END_TEST

START_TEST(endless_words_are_cut_and_made_harmless)
{
	sh("i=0; while [ $i -lt 200 ]; do echo line $i; i=$((i+1)); done;"
	   "printf '\\033]0;x\\007\\n'; exit 1",
	   NULL, 0);
	must_die();
	says("ended with status 1: line ");
	says("; line 199; ?]0;x?");
	ck_assert_ptr_null(strstr(e.msg, "line 100;"));
	ck_assert_uint_lt(strlen(e.msg), DAEMON_HOW_MAX);
}
END_TEST

START_TEST(what_is_no_program_says_so)
{
	const char *const places[] = {dir, NULL}, *const args[] = {NULL};
	struct daemon_spec s = {.program = "egg", .places = places, .args = args};
	char path[256];
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/egg", dir);
	fd = open(path, O_CREAT | O_WRONLY, 0700);
	ck_assert_int_eq(write(fd, "egg", 3), 3);
	close(fd);
	ck_assert_int_eq(daemon_start(d, &s, &e), 0);
	must_die();
	ck_assert_str_eq(e.msg, "egg ended with status 127: cannot be executed: "
				"Exec format error; try it by itself: egg --version, "
				"or install it again");
	unlink(path);
	rmdir(dir);
}
END_TEST

START_TEST(one_that_runs_is_not_dead)
{
	sh("exec sleep 100", NULL, 0);
	ck_assert_int_eq(daemon_dead(d, 20, &e), 0);
}
END_TEST

START_TEST(descriptors_arrive_in_order_and_alone)
{
	/* @stray is not close-on-exec, and above the numbers that the child replaces */
	int a[2], b[2], fd[2], stray = fcntl(STDIN_FILENO, F_DUPFD, 20);
	char got[64] = "";
	ssize_t n;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, a), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, b), 0);
	ck_assert_int_ge(stray, 20);
	/* the higher one first: as 3 it would overwrite what is to become 4 */
	fd[0] = b[1];
	fd[1] = a[1];
	sh("echo first >&3; echo second >&4; ls /proc/self/fd | wc -l >&4", fd, 2);
	must_die();
	n = read(b[0], got, sizeof(got) - 1);
	ck_assert_int_gt(n, 0);
	ck_assert_str_eq(got, "first\n");
	memset(got, 0, sizeof(got));
	n = read(a[0], got, sizeof(got) - 1);
	ck_assert_int_gt(n, 0);
	/* 0 to 4, and ls's own for the directory */
	ck_assert_str_eq(got, "second\n6\n");
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
	close(stray);
}
END_TEST

START_TEST(signals_and_terminal_are_its_own)
{
	sigset_t set, old;

	signals_block(&old);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGQUIT, SIG_IGN);
	sh("grep -E 'SigBlk|SigIgn' /proc/self/status; "
	   "[ \"$(cut -d' ' -f6 /proc/$$/stat)\" = $$ ] && echo own; exit 1",
	   NULL, 0);
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	ck_assert_int_eq(sigismember(&set, SIGTERM), 1); /* ours is as it was */
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	must_die();
	/* SIGXFSZ: a guest that writes beyond ulimit -f shall not end who writes for it */
	says("SigBlk:?0000000000000000; SigIgn:?0000000001000000; own");
}
END_TEST

/* ---- the end ---- */

/* Where SIGCHLD is ignored the kernel keeps no status, and no process to wait for */
START_TEST(an_end_that_the_kernel_keeps_for_nobody_is_one)
{
	uint64_t start = monotonic_ns();
	int p[2];

	(void)signal(SIGCHLD, SIG_IGN);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	sh("read x <&3; echo alas; exit 7", &p[0], 1); /* once it is started */
	close(p[0]);
	close(p[1]);
	must_die();
	says("sh ended, and its status is lost: alas");
	ck_assert_uint_lt(monotonic_ns() - start, SOON_MS * 1000000ULL / 2);
	ck_assert_int_eq(d->pid, 0); /* which may be another's by now */
}
END_TEST

START_TEST(nobody_waits_for_it_who_is_told_to_end)
{
	uint64_t start = monotonic_ns();

	signals_hold();
	sh("exec sleep 100", NULL, 0);
	ck_assert_int_eq(kill(getpid(), SIGTERM), 0);
	ck_assert_int_eq(daemon_dead(d, SOON_MS, &e), 0);
	ck_assert_uint_lt(monotonic_ns() - start, SOON_MS * 1000000ULL / 2);
}
END_TEST

static struct loop *loop;
static struct device dev;
static char how_it_was[DAEMON_HOW_MAX];
static unsigned int ends;

static void ended(struct daemon *who, const char *how)
{
	ck_assert_ptr_eq(who, d);
	ck_assert_int_eq(pthread_mutex_trylock(&dev.lock), EBUSY);
	(void)snprintf(how_it_was, sizeof(how_it_was), "%s", how);
	ends++;
	loop_stop(loop);
}

START_TEST(its_end_is_told_once_under_the_lock)
{
	loop = loop_create();
	device_init(&dev, &nop_ops, DEVICE_VIRTIO_MMIO, "dev", 0, 1);
	sh("sleep 0.05; yes a lot of words | head -n 20000; echo alas >&2; exit 3", NULL,
	   0);
	ck_assert_int_eq(daemon_watch(d, loop, &dev, ended), 0);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_int_eq(ends, 1);
	ck_assert_ptr_nonnull(strstr(how_it_was, "sh ended with status 3: "));
	ck_assert_ptr_nonnull(strstr(how_it_was, "a lot of words; alas"));
	ck_assert_int_eq(d->pid, 0);
	daemon_stop(d);
	ck_assert_int_eq(ends, 1);
	device_fini(&dev);
	loop_destroy(loop);
}
END_TEST

START_TEST(stop_asks_first)
{
	int p[2];
	char c = 0;

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	sh("trap 'printf T >&3; exit' TERM; echo >&3; sleep 100 & wait", &p[1], 1);
	ck_assert_int_eq(read(p[0], &c, 1), 1);
	daemon_stop(d);
	ck_assert_int_eq(read(p[0], &c, 1), 1);
	ck_assert_int_eq(c, 'T');
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

START_TEST(stop_does_not_wait_for_ever)
{
	uint64_t start;
	int p[2];
	char c;

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	sh("trap '' TERM; echo >&3; sleep 30", &p[1], 1);
	ck_assert_int_eq(read(p[0], &c, 1), 1);
	start = monotonic_ns();
	daemon_stop(d);
	ck_assert_uint_lt(monotonic_ns() - start, 20000000000ULL);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

/* Our death, by a signal that nobody can answer, is its SIGTERM. */
START_TEST(dies_with_us)
{
	int p[2];
	char c;
	pid_t us;

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	us = fork();
	if (us == 0) {
		sh("echo >&3; exec sleep 100", &p[1], 1);
		close(p[1]);
		pause();
	}
	close(p[1]);
	ck_assert_int_eq(read(p[0], &c, 1), 1);
	ck_assert_int_eq(kill(us, SIGKILL), 0);
	ck_assert_int_eq(waitpid(us, NULL, 0), us);
	ck_assert_int_eq(poll(&(struct pollfd){.fd = p[0], .events = POLLIN}, 1, SOON_MS),
			 1);
	ck_assert_int_eq(read(p[0], &c, 1), 0); /* the last holder of the pipe is gone */
}
END_TEST

UNIT_MAIN("daemon", setup, teardown, t)
{
	tcase_add_test(t, missing_program_names_the_cure);
	tcase_add_test(t, program_is_found_in_its_place);
	tcase_add_test(t, current_directory_in_path_is_not_searched);
	tcase_add_test(t, its_words_are_in_the_sentence);
	tcase_add_test(t, its_signal_is_in_the_sentence);
	tcase_add_test(t, endless_words_are_cut_and_made_harmless);
	tcase_add_test(t, what_is_no_program_says_so);
	tcase_add_test(t, one_that_runs_is_not_dead);
	tcase_add_test(t, descriptors_arrive_in_order_and_alone);
	tcase_add_test(t, signals_and_terminal_are_its_own);
	tcase_add_test(t, an_end_that_the_kernel_keeps_for_nobody_is_one);
	tcase_add_test(t, nobody_waits_for_it_who_is_told_to_end);
	tcase_add_test(t, its_end_is_told_once_under_the_lock);
	tcase_add_test(t, stop_asks_first);
	tcase_add_test(t, stop_does_not_wait_for_ever);
	tcase_add_test(t, dies_with_us);
}
