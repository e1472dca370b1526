/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operator's side of a console, on pseudo terminals, pipes, files and closed fds.  The
 * loop runs in a thread, as in a machine; the test plays operator and guest.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "devices/backend/tty.h"
#include "tests/lib/tty_guest.h"
#include "tests/lib/unit.h"
#include "vmm/core/log.h"
#include "vmm/core/thread.h"
#include "vmm/core/util.h"

static struct loop *loop;
static pthread_t loop_thread;
static struct tty *tty;
static struct err err;
static int master, slave, nquit;

static void on_quit(void *ctx)
{
	(*(int *)ctx)++;
}

static void *loop_main(void *arg)
{
	(void)arg;
	ck_assert_int_eq(loop_run(loop), 0);
	return NULL;
}

static void setup(void)
{
	log_threshold = LOG_ERROR;
	loop = loop_create();
	guest_init();
	nquit = 0;
	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(master, 0);
	ck_assert_int_eq(grantpt(master) | unlockpt(master), 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(slave, 0);
}

static void start(int in, int out)
{
	tty = tty_create(loop, in, out, on_quit, &nquit, &err);
	ck_assert_ptr_nonnull(tty);
	ck_assert_int_eq(tty_start(tty, &client, &err), 0);
	pthread_create(&loop_thread, NULL, loop_main, NULL);
}

static void stop(void)
{
	loop_stop(loop);
	pthread_join(loop_thread, NULL);
	tty_destroy(tty);
	tty = NULL;
}

static void teardown(void)
{
	if (tty)
		stop();
	loop_destroy(loop);
	device_fini(&dev);
	close(master);
	close(slave);
}

static void sleep_ms(long ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&ts, NULL);
}

static size_t write_locked(const void *p, size_t n)
{
	size_t k;

	pthread_mutex_lock(&dev.lock);
	k = tty_write(tty, p, n);
	pthread_mutex_unlock(&dev.lock);
	return k;
}

/* What @expr is, looked at with the device's lock held */
#define LOCKED(expr)                                \
	({                                          \
		pthread_mutex_lock(&dev.lock);      \
		__typeof__((expr) + 0) v_ = (expr); \
		pthread_mutex_unlock(&dev.lock);    \
		v_;                                 \
	})

/* Wait up to half a minute for @cond, looked at with the device's lock held */
#define WAIT_FOR(cond)                                       \
	do {                                                 \
		bool ok_ = false;                            \
		for (int i_ = 0; i_ < 30000 && !ok_; i_++) { \
			pthread_mutex_lock(&dev.lock);       \
			ok_ = (cond);                        \
			pthread_mutex_unlock(&dev.lock);     \
			if (!ok_)                            \
				sleep_ms(1);                 \
		}                                            \
		ck_assert_msg(ok_, "never: %s", #cond);      \
	} while (0)

static void expect_read(int fd, const char *s)
{
	char buf[4096];
	size_t n = 0, len = strlen(s);

	while (n < len) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		ck_assert_msg(poll(&p, 1, 30000) == 1, "nothing came after %zu bytes", n);
		ssize_t k = read(fd, buf + n, sizeof(buf) - n);
		ck_assert_int_gt(k, 0);
		n += (size_t)k;
	}
	ck_assert_uint_eq(n, len);
	ck_assert_mem_eq(buf, s, len);
}

static void type(const char *s, size_t n)
{
	ck_assert_int_eq(write(master, s, n), (ssize_t)n);
}

static bool is_raw(void)
{
	struct termios t;

	ck_assert_int_eq(tcgetattr(slave, &t), 0);
	return !(t.c_lflag & (ICANON | ECHO | ISIG)) && !(t.c_oflag & OPOST);
}

/* ---- terminals ---- */

START_TEST(terminal_is_raw_and_then_restored)
{
	struct termios before, after;

	ck_assert_int_eq(tcgetattr(slave, &before), 0);
	start(slave, slave);
	ck_assert(is_raw());
	stop();
	ck_assert_int_eq(tcgetattr(slave, &after), 0);
	ck_assert_uint_eq(before.c_iflag, after.c_iflag);
	ck_assert_uint_eq(before.c_oflag, after.c_oflag);
	ck_assert_uint_eq(before.c_lflag, after.c_lflag);
	ck_assert_uint_eq(before.c_cflag, after.c_cflag);
	ck_assert_mem_eq(before.c_cc, after.c_cc, sizeof(before.c_cc));
}
END_TEST

/* microvm | tee log, typed at a terminal: the lines come back with no CR */
START_TEST(line_ends_are_the_terminals_if_output_goes_elsewhere)
{
	struct termios t;
	int out[2];

	ck_assert_int_eq(pipe(out), 0);
	start(slave, out[1]);
	ck_assert_int_eq(tcgetattr(slave, &t), 0);
	ck_assert(!(t.c_lflag & (ICANON | ECHO | ISIG)));
	ck_assert(t.c_oflag & OPOST && t.c_oflag & ONLCR);
	stop();
	close(out[0]);
	close(out[1]);
}
END_TEST

START_TEST(terminal_is_restored_by_restore_now_twice)
{
	start(slave, slave);
	tty_restore_now();
	ck_assert(!is_raw());
	tty_restore_now();
	ck_assert(!is_raw());
}
END_TEST

/* In a child, which dies of @sig with the terminal raw */
static void die_of(int sig)
{
	struct rlimit none = {0, 0};
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &none);
		signal(sig, SIG_DFL); /* no sanitizer's report */
		tty = tty_create(loop, slave, slave, on_quit, &nquit, &err);
		ck_assert_int_eq(tty_start(tty, &client, &err), 0);
		if (is_raw())
			raise(sig);
		_exit(1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), sig);
	ck_assert(!is_raw());
}

START_TEST(terminal_is_restored_after_a_crash)
{
	die_of(SIGSEGV);
	die_of(SIGABRT);
	die_of(SIGBUS);
}
END_TEST

static void on_suspend(int sig)
{
	(void)sig;
	tty_stop_process();
}

static void child_with_terminal(void)
{
	(void)signal(SIGTSTP, on_suspend);
	setsid();
	ioctl(slave, TIOCSCTTY, 0);
	tty = tty_create(loop, slave, slave, on_quit, &nquit, &err);
	ck_assert_int_eq(tty_start(tty, &client, &err), 0);
	loop_run(loop);
}

START_TEST(terminal_is_restored_while_stopped_and_raw_again_after)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		child_with_terminal();
		_exit(1);
	}
	for (int i = 0; i < 30000 && !is_raw(); i++)
		sleep_ms(1);
	ck_assert(is_raw());
	kill(pid, SIGTSTP);
	ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
	ck_assert(WIFSTOPPED(status));
	ck_assert(!is_raw());
	kill(pid, SIGCONT);
	for (int i = 0; i < 30000 && !is_raw(); i++)
		sleep_ms(1);
	ck_assert(is_raw());
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}
END_TEST

START_TEST(typed_bytes_reach_the_guest)
{
	start(slave, slave);
	type("ls\r\x03\x04", 5);
	WAIT_FOR(ngot == 5);
	ck_assert_mem_eq(got, "ls\r\x03\x04", 5);
}
END_TEST

START_TEST(escape_x_quits)
{
	start(slave, slave);
	type("a\x01x", 3);
	WAIT_FOR(nquit == 1);
	ck_assert_uint_eq(LOCKED(ngot), 1);
}
END_TEST

START_TEST(escape_split_over_two_reads_quits)
{
	start(slave, slave);
	type("\x01", 1);
	sleep_ms(20);
	ck_assert_int_eq(LOCKED(nquit), 0);
	type("x", 1);
	WAIT_FOR(nquit == 1);
	ck_assert_uint_eq(LOCKED(ngot), 0);
}
END_TEST

START_TEST(escape_twice_sends_one_and_others_send_nothing)
{
	start(slave, slave);
	type("\x01\x01x\x01zb", 6);
	WAIT_FOR(ngot == 3);
	ck_assert_mem_eq(got, "\x01xb", 3);
	ck_assert_int_eq(LOCKED(nquit), 0);
}
END_TEST

START_TEST(escape_h_helps)
{
	char buf[256] = {0};

	start(slave, slave);
	type("\x01h", 2);
	ck_assert_int_gt(read(master, buf, sizeof(buf) - 1), 0);
	ck_assert_ptr_nonnull(strstr(buf, "Ctrl-A x"));
}
END_TEST

START_TEST(guest_that_takes_nothing_can_be_quit)
{
	static char many[TTY_OUT_MAX];

	memset(many, 'y', sizeof(many));
	room = 0;
	start(slave, slave);
	fcntl(master, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 100; i++)
		(void)!write(master, many, sizeof(many)); /* till nothing more goes in */
	for (int i = 0; i < 100 && !LOCKED(nquit); i++) {
		(void)!write(master, "\x01x", 2);
		sleep_ms(20);
	}
	WAIT_FOR(nquit > 0);
	/* and what was typed first is still there, in order and bounded */
	pthread_mutex_lock(&dev.lock);
	room = sizeof(got);
	tty_input_wanted(tty);
	pthread_mutex_unlock(&dev.lock);
	WAIT_FOR(ngot >= 4096);
	ck_assert_int_eq(got[4095], 'y');
	ck_assert_uint_le(LOCKED(ngot), 4096 + 512);
}
END_TEST

START_TEST(window_size_follows_the_terminal)
{
	struct winsize ws = {.ws_col = 132, .ws_row = 43};
	uint16_t c, r;

	start(slave, slave);
	ck_assert_int_eq(ioctl(master, TIOCSWINSZ, &ws), 0);
	kill(getpid(), SIGWINCH); /* the slave is not our controlling terminal */
	WAIT_FOR(cols == 132 && rows == 43);
	tty_winsize(tty, &c, &r);
	ck_assert_uint_eq(c, 132);
	ck_assert_uint_eq(r, 43);
}
END_TEST

START_TEST(terminal_that_hangs_up_is_end_of_input)
{
	struct rusage a, b;

	start(slave, slave);
	close(master);
	sleep_ms(50);
	getrusage(RUSAGE_SELF, &a);
	sleep_ms(100);
	getrusage(RUSAGE_SELF, &b); /* and nobody spins */
	ck_assert_int_lt((b.ru_utime.tv_usec + b.ru_stime.tv_usec) -
				 (a.ru_utime.tv_usec + a.ru_stime.tv_usec),
			 50000);
	write_locked("x\n", 2);
	master = open("/dev/null", O_RDWR | O_CLOEXEC);
}
END_TEST

/* ---- pipes, files, sockets, nothing ---- */

START_TEST(output_without_a_newline_comes_soon)
{
	int p[2];

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	start(-1, p[1]);
	ck_assert_uint_eq(write_locked("login: ", 7), 7);
	expect_read(p[0], "login: ");
	close(p[0]);
	close(p[1]);
}
END_TEST

START_TEST(shared_flags_of_the_operators_fd_stay_as_they_are)
{
	int p[2], sv[2];

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	start(slave, p[1]);
	ck_assert_int_eq(fcntl(slave, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(fcntl(p[1], F_GETFL) & O_NONBLOCK, 0);
	stop();
	start(sv[0], sv[0]);
	ck_assert_int_eq(fcntl(sv[0], F_GETFL) & O_NONBLOCK, 0);
	stop();
	close(p[0]), close(p[1]), close(sv[0]), close(sv[1]);
}
END_TEST

START_TEST(pipe_is_not_searched_for_escapes)
{
	int p[2];

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	start(p[0], -1);
	ck_assert_int_eq(write(p[1], "\x01x", 2), 2);
	WAIT_FOR(ngot == 2);
	ck_assert_int_eq(LOCKED(nquit), 0);
	close(p[0]), close(p[1]);
}
END_TEST

START_TEST(end_of_input_is_not_the_end)
{
	int p[2], q[2];

	ck_assert_int_eq(pipe2(p, O_CLOEXEC) | pipe2(q, O_CLOEXEC), 0);
	start(p[0], q[1]);
	ck_assert_int_eq(write(p[1], "bye", 3), 3);
	close(p[1]);
	WAIT_FOR(ngot == 3);
	sleep_ms(10);
	write_locked("still here\n", 11);
	expect_read(q[0], "still here\n");
	close(p[0]), close(q[0]), close(q[1]);
}
END_TEST

/* 100 MB in for a guest that takes little: we read no more than it has room for */
START_TEST(pipe_is_read_only_as_far_as_the_guest_has_room)
{
	static char chunk[65536];
	int p[2];
	size_t in = 0;

	ck_assert_int_eq(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	room = 10;
	start(p[0], -1);
	for (int i = 0; i < 1600; i++) {
		ssize_t n = write(p[1], chunk, sizeof(chunk));

		in += n > 0 ? (size_t)n : 0;
	}
	WAIT_FOR(ngot == 10);
	sleep_ms(20);
	ck_assert_uint_eq(LOCKED(ngot), 10);
	ck_assert_uint_le(in, 65536 + 4096);
	pthread_mutex_lock(&dev.lock);
	room = 1000;
	tty_input_wanted(tty);
	pthread_mutex_unlock(&dev.lock);
	WAIT_FOR(ngot == 1010);
	close(p[0]), close(p[1]);
}
END_TEST

START_TEST(file_is_read_to_its_end_as_the_guest_takes_it)
{
	FILE *f = tmpfile();
	size_t size = 100000;

	for (size_t i = 0; i < size; i++)
		fputc((int)(i * 7 % 251), f);
	fflush(f);
	rewind(f);
	room = 5000;
	start(fileno(f), -1);
	for (size_t want = 5000; want <= size; want += 5000) {
		WAIT_FOR(ngot == want);
		pthread_mutex_lock(&dev.lock);
		room = 5000;
		tty_input_wanted(tty);
		pthread_mutex_unlock(&dev.lock);
	}
	for (size_t i = 0; i < size; i++)
		ck_assert_int_eq(got[i], (int)(i * 7 % 251));
	stop();
	fclose(f);
}
END_TEST

START_TEST(output_to_a_file_keeps_its_order_and_offset)
{
	FILE *f = tmpfile();
	char buf[64] = {0};

	fputs("before\n", f);
	fflush(f);
	start(-1, fileno(f));
	write_locked("a", 1);
	write_locked("b\n", 2);
	write_locked("c", 1);
	stop();
	rewind(f);
	ck_assert_uint_eq(fread(buf, 1, sizeof(buf), f), 11);
	ck_assert_str_eq(buf, "before\nab\nc");
	fclose(f);
}
END_TEST

START_TEST(closed_and_null_fds_are_fine)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int closed = dup(null);

	close(closed);
	start(closed, closed);
	ck_assert_uint_eq(write_locked("x\n", 2), 2);
	stop();
	start(null, null);
	ck_assert_uint_eq(write_locked("x\n", 2), 2);
	stop();
	close(null);
}
END_TEST

/* ---- a reader that does not read ---- */

START_TEST(stuck_reader_holds_back_the_guest_only)
{
	static char line[1000], out[4096];
	size_t in = 0, back = 0;
	int p[2];

	memset(line, 'z', sizeof(line));
	line[999] = '\n';
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	start(-1, p[1]);
	for (int i = 0; i < 1000; i++) /* never blocks */
		in += write_locked(line, sizeof(line));
	ck_assert_uint_le(in, TTY_OUT_MAX + 65536 + 4096);
	ck_assert_uint_ge(in, TTY_OUT_MAX);
	ck_assert_uint_eq(LOCKED(tty_write_room(tty)), 0);
	ck_assert_uint_eq(LOCKED(nroom), 0);
	while (back < in) {
		ssize_t n = read(p[0], out, sizeof(out));

		ck_assert_int_gt(n, 0);
		back += (size_t)n;
	}
	WAIT_FOR(nroom == 1);
	ck_assert_uint_eq(LOCKED(tty_write_room(tty)), TTY_OUT_MAX);
	close(p[0]), close(p[1]);
}
END_TEST

START_TEST(reader_that_leaves_is_forgotten)
{
	static uint8_t big[TTY_OUT_MAX];
	int p[2];

	memset(big, 'b', sizeof(big));
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	start(-1, p[1]);
	while (write_locked(big, sizeof(big)) == sizeof(big))
		;
	close(p[0]);
	WAIT_FOR(nroom == 1); /* the guest may go on */
	for (int i = 0; i < 100; i++)
		ck_assert_uint_eq(write_locked(big, sizeof(big)), sizeof(big));
	close(p[1]);
}
END_TEST

START_TEST(stuck_reader_delays_the_end_by_two_seconds_at_most)
{
	static uint8_t big[TTY_OUT_MAX];
	uint64_t before;
	int p[2];

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	start(-1, p[1]);
	while (write_locked(big, sizeof(big)) == sizeof(big))
		;
	before = monotonic_ns();
	stop();
	ck_assert_uint_lt(monotonic_ns() - before, UINT64_C(15000000000));
	close(p[0]), close(p[1]);
}
END_TEST

/* The guest's side is a vCPU's thread: it writes, the loop does the rest */
static void setup_vcpu(void)
{
	setup();
	thread_begins(THREAD_VCPU, 0);
}

/* What a vCPU's thread cannot write by write(): a socket, a pipe without O_NONBLOCK */
START_TEST(output_that_takes_more_than_a_write_arrives)
{
	char got_back[1000];
	int end[2];

	if (_i)
		ck_assert_int_eq(pipe2(end, O_CLOEXEC), 0);
	else
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, end),
				 0);
	start(-1, end[1]);
	for (unsigned int i = 0; i < sizeof(got_back) / 10; i++)
		ck_assert_uint_eq(write_locked("123456789\n", 10), 10);
	for (size_t n = 0; n < sizeof(got_back);) {
		ssize_t k = read(end[0], got_back + n, sizeof(got_back) - n);

		ck_assert_int_gt(k, 0);
		n += (size_t)k;
	}
	for (unsigned int i = 0; i < sizeof(got_back); i += 10)
		ck_assert_mem_eq(got_back + i, "123456789\n", 10);
	stop();
	close(end[0]), close(end[1]);
}
END_TEST

static void add_all(TCase *t)
{
	tcase_add_test(t, terminal_is_raw_and_then_restored);
	tcase_add_test(t, line_ends_are_the_terminals_if_output_goes_elsewhere);
	tcase_add_test(t, terminal_is_restored_by_restore_now_twice);
	tcase_add_test(t, terminal_is_restored_after_a_crash);
	tcase_add_test(t, terminal_is_restored_while_stopped_and_raw_again_after);
	tcase_add_test(t, typed_bytes_reach_the_guest);
	tcase_add_test(t, escape_x_quits);
	tcase_add_test(t, escape_split_over_two_reads_quits);
	tcase_add_test(t, escape_twice_sends_one_and_others_send_nothing);
	tcase_add_test(t, escape_h_helps);
	tcase_add_test(t, guest_that_takes_nothing_can_be_quit);
	tcase_add_test(t, window_size_follows_the_terminal);
	tcase_add_test(t, terminal_that_hangs_up_is_end_of_input);
	tcase_add_test(t, output_without_a_newline_comes_soon);
	tcase_add_test(t, shared_flags_of_the_operators_fd_stay_as_they_are);
	tcase_add_test(t, pipe_is_not_searched_for_escapes);
	tcase_add_test(t, end_of_input_is_not_the_end);
	tcase_add_test(t, pipe_is_read_only_as_far_as_the_guest_has_room);
	tcase_add_test(t, file_is_read_to_its_end_as_the_guest_takes_it);
	tcase_add_test(t, output_to_a_file_keeps_its_order_and_offset);
	tcase_add_test(t, closed_and_null_fds_are_fine);
	tcase_add_test(t, stuck_reader_holds_back_the_guest_only);
	tcase_add_test(t, reader_that_leaves_is_forgotten);
	tcase_add_test(t, stuck_reader_delays_the_end_by_two_seconds_at_most);
}

UNIT_MAIN("tty", setup, teardown, t)
{
	add_all(t);
	t = unit_case(suite, "tty of a vCPU", setup_vcpu, teardown);
	add_all(t);
	tcase_add_loop_test(t, output_that_takes_more_than_a_write_arrives, 0, 2);
}
