/* SPDX-License-Identifier: Apache-2.0 */
/* test_tty_inherited - consoles on descriptors that another process left us: sockets, pipes and
 * terminals, and all that none can be made of
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "devices/backend/tty.h"
#include "tests/lib/driver.h"
#include "tests/lib/inherited.h"
#include "tests/lib/tty_guest.h"
#include "tests/lib/unit.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

static struct driver d; /* for its loop */
static struct tty *tty;
static struct err err;

static void setup(void)
{
	log_threshold = LOG_ERROR;
	driver_init(&d, MIB);
	guest_init();
}

static void stop(void)
{
	tty_destroy(tty);
	tty = NULL;
}

static void teardown(void)
{
	stop();
	device_fini(&dev);
	driver_fini(&d);
}

/* A console on @fd */
static void start(int fd)
{
	tty = tty_create_inherited(d.loop, "--port p", fd, &err);
	ck_assert_msg(tty != NULL, "%s", err.msg);
	ck_assert_int_eq(tty_start(tty, &client, &err), 0);
}

/* @fd is refused, with a sentence that has @says, and left as it was */
static void refused(int fd, const char *says)
{
	int before = fcntl(fd, F_GETFD);

	ck_assert_ptr_null(tty_create_inherited(d.loop, "--port p", fd, &err));
	ck_assert_msg(strncmp(err.msg, "--port p: fd=", 13) == 0, "%s", err.msg);
	ck_assert_msg(strstr(err.msg, says) != NULL, "no \"%s\": %s", says, err.msg);
	ck_assert_int_eq(fcntl(fd, F_GETFD), before);
}

static void say(const char *s)
{
	ck_assert_uint_eq(tty_write(tty, (const uint8_t *)s, strlen(s)), strlen(s));
}

static void expect(int fd, const char *s)
{
	char buf[256] = "";
	size_t n = 0;

	for (int i = 0; i < 2000 && n < strlen(s); i++) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t k = poll(&p, 1, 0) > 0 ? read(fd, buf + n, strlen(s) - n) : 0;

		n += k > 0 ? (size_t)k : 0;
		driver_run(&d, 5);
	}
	ck_assert_str_eq(buf, s);
}

static void hear(const char *s)
{
	(void)driver_until(&d, ngot >= strlen(s));
	ck_assert_uint_eq(ngot, strlen(s));
	ck_assert_mem_eq(got, s, ngot);
	ngot = 0;
}

static long cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + u.ru_utime.tv_usec +
	       u.ru_stime.tv_usec;
}

/* The loop sleeps: a source that is ready and nobody serves would spin it */
static void run_idle(void)
{
	long before = cpu_us();

	driver_run(&d, 200);
	ck_assert_int_lt(cpu_us() - before, 60000);
}

static void talk(int fd)
{
	say("hello\n");
	expect(fd, "hello\n");
	ck_assert_int_eq(write(fd, "ls\n", 3), 3);
	hear("ls\n");
	run_idle();
}

START_TEST(socket_talks_both_ways_until_it_is_closed)
{
	unsigned int before = inherited();
	int s[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	start(s[0]);
	ck_assert_uint_eq(inherited(), before + 1); /* ours is no program's of ours */
	ck_assert(tty_connected(tty));
	ck_assert_uint_eq(ncame, 0); /* it was there from the start */
	talk(s[1]);
	close(s[1]);
	(void)driver_until(&d, nleft);
	ck_assert_uint_eq(nleft, 1);
	ck_assert(!tty_connected(tty));
	run_idle();
	for (int i = 0; i < 50000; i++) /* nobody there: the guest does not wait */
		say("lost\n");
	run_idle();
}
END_TEST

START_TEST(flags_of_the_shared_description_change)
{
	int s[2], copy;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	copy = dup(s[0]);
	start(s[0]);
	talk(s[1]);
	ck_assert_int_eq(fcntl(copy, F_GETFL) & O_NONBLOCK, 0);
	close(copy);
	close(s[1]);
}
END_TEST

START_TEST(tcp_connection_does_not_talk)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	int l = socket(AF_INET, SOCK_STREAM, 0), a = socket(AF_INET, SOCK_STREAM, 0), b;

	ck_assert_int_eq(bind(l, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(l, 1), 0);
	ck_assert_int_eq(getsockname(l, (struct sockaddr *)&sa, &len), 0);
	refused(l, "is a socket that listens");
	refused(a, "is a socket that is not connected");
	ck_assert_int_eq(connect(a, (struct sockaddr *)&sa, len), 0);
	b = accept(l, NULL, NULL);
	start(a);
	talk(b);
	close(b);
	close(l);
}
END_TEST

START_TEST(what_a_peer_sent_before_it_left_is_lost)
{
	int s[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	room = 0;
	start(s[0]);
	ck_assert_int_eq(write(s[1], "last", 4), 4);
	close(s[1]);
	run_idle();
	ck_assert_uint_eq(nleft, 0);
	room = 100;
	tty_input_wanted(tty);
	hear("last");
	(void)driver_until(&d, nleft);
	ck_assert_uint_eq(nleft, 1);
}
END_TEST

START_TEST(pipe_carries_the_other_direction)
{
	int p[2];

	ck_assert_int_eq(pipe(p), 0); /* input alone */
	start(p[0]);
	ck_assert_int_eq(write(p[1], "in\n", 3), 3);
	hear("in\n");
	say("nowhere\n");
	close(p[1]);
	run_idle();
	stop();
	ck_assert_int_eq(pipe(p), 0); /* output alone */
	start(p[1]);
	say("out\n");
	expect(p[0], "out\n");
	run_idle();
	close(p[0]);
	say("nobody\n");
	run_idle();
	refused(-1, "is not open");
}
END_TEST

START_TEST(pipe_that_is_read_slowly_loses_output)
{
	static char line[] = "0123456789\n", buf[4096];
	size_t said = 0, heard = 0;
	int p[2];

	ck_assert_int_eq(pipe(p), 0);
	start(p[1]);
	for (int i = 0; i < 30000; i++) {
		said += tty_write(tty, (uint8_t *)line, sizeof(line) - 1);
		if (i % 1000 == 0)
			driver_run(&d, 1);
	}
	ck_assert_uint_lt(said, 30000 * (sizeof(line) - 1)); /* the guest had to wait */
	for (int quiet = 0; quiet < 20;) {
		struct pollfd f = {.fd = p[0], .events = POLLIN};
		ssize_t n = poll(&f, 1, 0) > 0 ? read(p[0], buf, sizeof(buf)) : 0;

		heard += n > 0 ? (size_t)n : 0;
		quiet = n > 0 ? 0 : quiet + 1;
		driver_run(&d, 5);
	}
	ck_assert_uint_eq(heard, said);
	ck_assert_uint_ge(nroom, 1);
	close(p[0]);
}
END_TEST

/* The far side of a terminal whose near side is @near, in raw mode as its user has set it */
static int terminal(int *near)
{
	struct termios raw;
	int far;

	*near = posix_openpt(O_RDWR | O_NOCTTY);
	ck_assert_int_ge(*near, 0);
	ck_assert_int_eq(unlockpt(*near), 0);
	far = open(ptsname(*near), O_RDWR | O_NOCTTY);
	ck_assert_int_ge(far, 0);
	ck_assert_int_eq(tcgetattr(far, &raw), 0);
	cfmakeraw(&raw);
	ck_assert_int_eq(tcsetattr(far, TCSANOW, &raw), 0);
	return far;
}

START_TEST(terminal_is_changed_or_does_not_talk)
{
	struct termios before, after;
	int near, far = terminal(&near), copy = dup(far);

	/* they are compared with what lies between their fields */
	memset(&before, 0, sizeof(before));
	memset(&after, 0, sizeof(after));
	ck_assert_int_eq(tcgetattr(copy, &before), 0);
	refused(near, "is the near side of a pseudo terminal");
	start(far);
	talk(near);
	ck_assert_int_eq(write(near, "\1x", 2), 2); /* Ctrl-A x is for the guest */
	hear("\1x");
	ck_assert_int_eq(tcgetattr(copy, &after), 0);
	ck_assert_mem_eq(&after, &before, sizeof(before));
	stop();
	ck_assert_int_eq(tcgetattr(copy, &after), 0);
	ck_assert_mem_eq(&after, &before, sizeof(before));
	close(copy);
	close(near);
}
END_TEST

START_TEST(terminal_that_hangs_up_spins)
{
	int near, far = terminal(&near);

	start(far);
	close(near);
	run_idle();
	say("nobody\n");
	run_idle();
}
END_TEST

START_TEST(our_own_terminal_is_taken)
{
	int near, far = terminal(&near), status;
	pid_t pid = fork();

	if (pid ==
	    0) { /* no leader of a group, so it can have a session, whose terminal it is */
		if (setsid() < 0 || ioctl(far, TIOCSCTTY, 0) < 0)
			_exit(1);
		tty = tty_create_inherited(d.loop, "console", far, &err);
		_exit(!tty && strstr(err.msg, "microvm runs on; give stdio") ? 0 : 2);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(what_is_no_stream_is_taken)
{
	char name[40];
	int s[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, s), 0);
	refused(s[0], "is a socket for packets");
	refused(eventfd(0, 0), "is neither a stream socket, a pipe nor a terminal");
	refused(open("/dev/null", O_RDWR), "is neither");
	refused(open("/proc/self/exe", O_RDONLY), "is a file; give file=/dev/fd/N");
	refused(open("/", O_RDONLY), "is neither");
	refused(open("/dev/null", O_PATH), "is not open");
	refused(999, "is not open");
	ck_assert_int_eq(pipe(s), 0);
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", s[0]);
	refused(open(name, O_RDWR), "is a pipe that is open for both directions");
}
END_TEST

/* What is close-on-exec cannot have been inherited: it is one of our own */
START_TEST(descriptor_of_our_own_is_taken)
{
	int s[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	refused(s[0], "is not open; start microvm with it open");
}
END_TEST

UNIT_MAIN("tty_inherited", setup, teardown, t)
{
	tcase_add_test(t, socket_talks_both_ways_until_it_is_closed);
	tcase_add_test(t, flags_of_the_shared_description_change);
	tcase_add_test(t, tcp_connection_does_not_talk);
	tcase_add_test(t, what_a_peer_sent_before_it_left_is_lost);
	tcase_add_test(t, pipe_carries_the_other_direction);
	tcase_add_test(t, pipe_that_is_read_slowly_loses_output);
	tcase_add_test(t, terminal_is_changed_or_does_not_talk);
	tcase_add_test(t, terminal_that_hangs_up_spins);
	tcase_add_test(t, our_own_terminal_is_taken);
	tcase_add_test(t, what_is_no_stream_is_taken);
	tcase_add_test(t, descriptor_of_our_own_is_taken);
}
