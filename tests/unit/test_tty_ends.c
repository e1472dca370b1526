/* SPDX-License-Identifier: Apache-2.0 */
/* test_tty_ends - consoles on pseudo terminals, unix sockets and files, with a guest that
 * takes and gives what the test says.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
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
static char dir[] = "/tmp/tty_ends_XXXXXX", path[64];

static void setup(void)
{
	log_threshold = LOG_ERROR;
	driver_init(&d, MIB);
	guest_init();
	memcpy(strrchr(dir, '_') + 1, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/end", dir);
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
	(void)unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void start(struct tty *t)
{
	ck_assert_msg(t != NULL, "%s", err.msg);
	tty = t;
	ck_assert_int_eq(tty_start(tty, &client, &err), 0);
}

static int dial(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(sa.sun_path, path, strlen(path));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static void say(const char *s)
{
	ck_assert_uint_eq(tty_write(tty, (const uint8_t *)s, strlen(s)), strlen(s));
}

static void run_until(unsigned int *count, unsigned int want)
{
	(void)driver_until(&d, *count >= want);
	ck_assert_uint_eq(*count, want);
}

static void run_until_got(size_t n)
{
	(void)driver_until(&d, ngot >= n);
	ck_assert_uint_eq(ngot, n);
}

/* All that comes from @fd within a tenth of a second of silence */
static size_t hear(int fd, char *buf, size_t len)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int quiet = 0;
	size_t n = 0;

	while (n < len && quiet < 20) {
		ssize_t k = poll(&p, 1, 0) > 0 ? read(fd, buf + n, len - n) : 0;

		if (k > 0)
			n += (size_t)k;
		quiet = k > 0 ? 0 : quiet + 1;
		driver_run(&d, 5);
	}
	return n;
}

static void expect(int fd, const char *s)
{
	char buf[256] = "";

	ck_assert_uint_eq(hear(fd, buf, strlen(s)), strlen(s));
	ck_assert_str_eq(buf, s);
}

/* The loop sleeps: a source that is ready and nobody serves would spin it */
static void run_idle(void)
{
	struct rusage a, b;

	getrusage(RUSAGE_SELF, &a);
	driver_run(&d, 200);
	getrusage(RUSAGE_SELF, &b);
	ck_assert_int_lt((b.ru_utime.tv_sec + b.ru_stime.tv_sec - a.ru_utime.tv_sec -
			  a.ru_stime.tv_sec) *
					 1000000 +
				 b.ru_utime.tv_usec + b.ru_stime.tv_usec -
				 a.ru_utime.tv_usec - a.ru_stime.tv_usec,
			 60000);
}

/* Numbered lines, @n of them, as a guest that waits when it must.  Return: how many
 * milliseconds it waited, and more on a busy host
 */
static unsigned int flood(unsigned int first, unsigned int n)
{
	unsigned int waits = 0;
	char line[16];

	for (unsigned int i = first; i < first + n; i++) {
		(void)snprintf(line, sizeof(line), "%08u", i);
		line[8] = '\n';
		if (tty_write(tty, (const uint8_t *)line, 9) == 9)
			continue;
		driver_run(&d, 1);
		waits++;
	}
	return waits;
}

/* ---- unix ---- */

START_TEST(peer_talks_both_ways)
{
	int fd;

	start(tty_create_unix(d.loop, "console", path, &err));
	ck_assert(!tty_connected(tty));
	fd = dial();
	run_until(&ncame, 1);
	ck_assert(tty_connected(tty));
	say("hello\n");
	expect(fd, "hello\n");
	ck_assert_int_eq(write(fd, "ls\n", 3), 3);
	run_until_got(3);
	ck_assert_mem_eq(got, "ls\n", 3);
	run_idle();
	close(fd);
	run_until(&nleft, 1);
	ck_assert(!tty_connected(tty));
	run_idle();
}
END_TEST

START_TEST(peer_that_comes_late_gets_the_newest)
{
	static char buf[2 * TTY_OUT_MAX];
	size_t n;
	int fd;

	start(tty_create_unix(d.loop, "console", path, &err));
	flood(0, 100000); /* nobody there: it does not wait */
	ck_assert_uint_eq(nroom, 0);
	fd = dial();
	n = hear(fd, buf, sizeof(buf));
	ck_assert_uint_eq(n, TTY_OUT_MAX);
	ck_assert_mem_eq(buf + n - 9, "00099999\n", 9);
	for (size_t i = n - 9; i > n - 9 * 7000; i -= 9) /* whole and in order */
		ck_assert_int_eq(atoi(buf + i), atoi(buf + i - 9) + 1);
	close(fd);
}
END_TEST

START_TEST(next_peer_waits_for_the_first_to_leave)
{
	int a, b;

	start(tty_create_unix(d.loop, "console", path, &err));
	a = dial();
	run_until(&ncame, 1);
	b = dial();
	ck_assert_int_eq(write(b, "b", 1), 1);
	run_idle();
	ck_assert_uint_eq(ncame, 1);
	ck_assert_uint_eq(ngot, 0);
	close(a);
	run_until(&ncame, 2);
	run_until_got(1);
	say("for b\n");
	expect(b, "for b\n");
	close(b);
}
END_TEST

START_TEST(what_a_peer_sent_before_it_left_arrives)
{
	int fd;

	room = 0;
	start(tty_create_unix(d.loop, "console", path, &err));
	fd = dial();
	run_until(&ncame, 1);
	ck_assert_int_eq(write(fd, "last words\n", 11), 11);
	close(fd);
	run_idle();
	ck_assert_uint_eq(nleft, 0);
	for (int i = 0; i < 11; i++) {
		room = 1;
		tty_input_wanted(tty);
		driver_run(&d, 2);
	}
	ck_assert_uint_eq(ngot, 11);
	room = 1;
	tty_input_wanted(tty);
	run_until(&nleft, 1);
}
END_TEST

START_TEST(peer_that_left_unread_makes_way)
{
	int fd;

	room = 0;
	start(tty_create_unix(d.loop, "console", path, &err));
	fd = dial();
	run_until(&ncame, 1);
	ck_assert_int_eq(write(fd, "old", 3), 3);
	close(fd);
	driver_run(&d, 10);
	fd = dial();
	run_until(&ncame, 2);
	ck_assert_int_eq(write(fd, "new", 3), 3);
	room = 100;
	tty_input_wanted(tty);
	run_until_got(3);
	ck_assert_mem_eq(got, "new", 3);
	close(fd);
}
END_TEST

START_TEST(peer_that_sends_no_more_still_hears)
{
	int fd;

	for (size_t first = 0; first < 2;
	     first++) { /* with room for input, and without */
		room = first ? 0 : 100;
		if (!tty)
			start(tty_create_unix(d.loop, "console", path, &err));
		fd = dial();
		run_until(&ncame, (unsigned int)first + 1);
		ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
		run_idle();
		say("answer\n");
		expect(fd, "answer\n");
		ck_assert_uint_eq(nleft, (unsigned int)first);
		close(fd);
		driver_run(&d, 5);
		room = 100;
		tty_input_wanted(tty);
		run_until(&nleft, (unsigned int)first + 1);
	}
}
END_TEST

START_TEST(stuck_peer_holds_the_guest_until_it_leaves)
{
	static uint8_t big[4 * TTY_OUT_MAX];
	size_t taken = 0;
	int fd;

	start(tty_create_unix(d.loop, "console", path, &err));
	fd = dial();
	run_until(&ncame, 1);
	for (int i = 0; i < 100; i++) {
		taken += tty_write(tty, big, sizeof(big));
		driver_run(&d, 1);
	}
	ck_assert_uint_lt(taken, MIB);
	ck_assert_uint_eq(tty_write(tty, big, sizeof(big)), 0);
	run_idle();
	nroom = 0;
	close(fd);
	run_until(&nleft, 1);
	ck_assert_uint_eq(nroom, 1);
	ck_assert_uint_eq(tty_write(tty, big, sizeof(big)), sizeof(big));
	fd = dial();
	run_until(&ncame, 2);
	close(fd);
}
END_TEST

START_TEST(dead_socket_is_replaced_and_ours_is_removed)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;

	memcpy(sa.sun_path, path, strlen(path));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(fd);
	start(tty_create_unix(d.loop, "console", path, &err));
	fd = dial();
	run_until(&ncame, 1);
	ck_assert_ptr_null(tty_create_unix(d.loop, "--port x", path, &err));
	ck_assert_ptr_nonnull(strstr(err.msg, "is taken: another process listens there"));
	close(fd);
	stop();
	ck_assert_int_eq(stat(path, &st), -1);
}
END_TEST

START_TEST(socket_where_none_can_be_is_refused)
{
	char absent[80];
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	close(fd);
	ck_assert_ptr_null(tty_create_unix(d.loop, "console", path, &err));
	ck_assert_ptr_nonnull(strstr(err.msg, "is no socket"));
	(void)snprintf(absent, sizeof(absent), "%s/absent/x", dir);
	ck_assert_ptr_null(tty_create_unix(d.loop, "console", absent, &err));
	ck_assert_ptr_nonnull(strstr(err.msg, "directory does not exist"));
}
END_TEST

/* ---- pty ---- */

START_TEST(pty_talks_both_ways_and_does_not_echo)
{
	int fd;

	start(tty_create_pty(d.loop, "console", &err));
	say("boot\n");
	driver_run(&d, 20);
	fd = open(tty_path(tty), O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	expect(fd, "boot\n"); /* no CR: it is raw */
	ck_assert_int_eq(write(fd, "\x03\x01x", 3), 3);
	run_until_got(3); /* Ctrl-A is the guest's */
	close(fd);
	run_idle();
	fd = open(tty_path(tty), O_RDWR | O_NOCTTY | O_CLOEXEC);
	say("again\n");
	expect(fd, "again\n");
	close(fd);
	ck_assert_uint_eq(ngot, 3);
}
END_TEST

/* The group tty may write to terminals as most hosts have them; here that would be typing */
START_TEST(pty_is_private_to_its_owner)
{
	struct stat st;

	(void)umask(0);
	if (geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
		(void)mount("none", "/dev/pts", "devpts", 0,
			    "gid=5,mode=0620,ptmxmode=0666");
	start(tty_create_pty(d.loop, "console", &err));
	ck_assert_int_eq(stat(tty_path(tty), &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

START_TEST(pty_without_a_reader_does_not_hold_the_guest_for_long)
{
	static char buf[4 * TTY_OUT_MAX];
	uint64_t before;
	size_t n;
	int fd;

	start(tty_create_pty(d.loop, "console", &err));
	ck_assert_uint_lt(flood(0, 200000), 5000);
	ck_assert_uint_ge(nroom, 1);
	run_idle();
	fd = open(tty_path(tty), O_RDWR | O_NOCTTY | O_CLOEXEC);
	n = hear(fd, buf, sizeof(buf));
	ck_assert_uint_ge(n, TTY_OUT_MAX);
	ck_assert_mem_eq(buf + n - 9, "00199999\n", 9);
	say("live\n");
	expect(fd, "live\n");
	close(fd);
	ck_assert_uint_lt(flood(0, 200000), 5000);
	before = monotonic_ns();
	stop(); /* nobody reads: the end does not wait for it, which would be two seconds */
	ck_assert_uint_lt(monotonic_ns() - before, UINT64_C(2000000000));
}
END_TEST

/* ---- file ---- */

START_TEST(file_is_appended_to)
{
	char buf[64] = "";
	int fd;

	for (int i = 0; i < 2; i++) {
		start(tty_create_file(d.loop, "console", path, &err));
		say("one run\n");
		stop();
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(read(fd, buf, sizeof(buf) - 1), 16);
	ck_assert_str_eq(buf, "one run\none run\n");
	close(fd);
}
END_TEST

START_TEST(file_is_private_to_its_owner)
{
	struct stat st;

	(void)umask(0);
	start(tty_create_file(d.loop, "console", path, &err));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

START_TEST(no_end_is_inherited)
{
	unsigned int before = inherited();
	int fd;

	start(tty_create_file(d.loop, "console", path, &err));
	ck_assert_uint_eq(inherited(), before);
	stop();
	(void)unlink(path);
	start(tty_create_pty(d.loop, "console", &err));
	ck_assert_uint_eq(inherited(), before);
	stop();
	start(tty_create_unix(d.loop, "console", path, &err));
	fd = dial();
	ck_assert(driver_until(&d, ncame));
	ck_assert_uint_eq(inherited(), before);
	close(fd);
}
END_TEST

START_TEST(file_is_left_behind_by_a_machine_that_never_ran)
{
	tty_destroy(tty_create_file(d.loop, "console", path, &err));
	ck_assert_int_eq(access(path, F_OK), -1);
	start(tty_create_file(d.loop, "console", path, &err));
	stop();
	ck_assert_int_eq(access(path, F_OK), 0); /* also an empty one says something */
	tty_destroy(tty_create_file(d.loop, "console", path, &err));
	ck_assert_int_eq(access(path, F_OK), 0); /* it was there before */
}
END_TEST

START_TEST(file_that_is_not_ours_stays)
{
	char target[sizeof(path) + 8];
	struct stat st;
	struct tty *t;

	(void)snprintf(target, sizeof(target), "%s.target", path);
	ck_assert_int_eq(symlink(target, path), 0);
	tty_destroy(tty_create_file(d.loop, "console", path, &err));
	ck_assert_int_eq(lstat(path, &st), 0); /* the link is the operator's */
	ck_assert_int_eq(unlink(path), 0);
	t = tty_create_file(d.loop, "console", path, &err);
	ck_assert_int_eq(rename(path, target), 0);
	close(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	tty_destroy(t);
	ck_assert_int_eq(access(path, F_OK), 0);
	ck_assert_int_eq(unlink(target), 0);
}
END_TEST

START_TEST(full_file_does_not_stop_the_guest)
{
	struct rlimit limit = {4096, 4096};
	struct stat st;

	(void)signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	start(tty_create_file(d.loop, "console", path, &err));
	flood(0, 100000);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_size, 4096);
	ck_assert_int_eq(truncate(path, 0), 0);
	say("space again\n");
	driver_run(&d, 20);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_gt(st.st_size, 0);
}
END_TEST

/* ---- a file with a limit ---- */

#define LIMIT 1000

static char aside[sizeof(path) + 8];

static void start_limited(void)
{
	struct tty *t = tty_create_file(d.loop, "console", path, &err);

	(void)snprintf(aside, sizeof(aside), "%s.1", path);
	ck_assert_ptr_nonnull(t);
	ck_assert_int_eq(tty_file_limit(t, path, LIMIT, &err), 0);
	start(t);
}

static size_t length(const char *name)
{
	struct stat st;

	return stat(name, &st) < 0 ? 0 : (size_t)st.st_size;
}

/* What @name has is 9 bytes a line, counted.  Return: the number in the last whole one */
static unsigned int last_line(const char *name)
{
	char text[LIMIT + 1] = "";
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, LIMIT);
	char *end;

	close(fd);
	ck_assert_int_gt(n, 9);
	end = memrchr(text, '\n', (size_t)n);
	return (unsigned int)strtoul(end - 8, NULL, 10);
}

START_TEST(full_file_is_put_aside)
{
	char first[10] = "", last[10] = "";
	int fd;

	start_limited();
	flood(0, 150);
	driver_run(&d, 20);
	ck_assert_uint_eq(length(aside), LIMIT);
	ck_assert_uint_eq(length(path), 9 * 150 - LIMIT);
	/* not a byte is lost between the two */
	fd = open(aside, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(pread(fd, last, LIMIT % 9, LIMIT - LIMIT % 9), LIMIT % 9);
	close(fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(read(fd, first, 9 - LIMIT % 9), 9 - LIMIT % 9);
	close(fd);
	strcat(last, first);
	ck_assert_str_eq(last, "00000111\n");
	/* for as long as it goes on, it is twice the limit and not more */
	flood(150, 10000);
	driver_run(&d, 20);
	ck_assert_uint_eq(length(aside), LIMIT);
	ck_assert_uint_le(length(path), LIMIT);
	ck_assert_uint_eq(last_line(path), 150 + 9999);
	ck_assert_int_eq(unlink(aside), 0);
}
END_TEST

START_TEST(file_of_an_earlier_run_counts)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
	struct stat st;

	ck_assert_int_eq(ftruncate(fd, 5 * LIMIT), 0);
	close(fd);
	start_limited();
	say("new\n");
	driver_run(&d, 20);
	ck_assert_uint_eq(length(aside), 5 * LIMIT);
	ck_assert_uint_eq(length(path), 4);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0640);
	ck_assert_int_eq(unlink(aside), 0);
}
END_TEST

/* As logrotate does it: copytruncate, and rename */
START_TEST(file_that_another_rotates_is_left_to_him)
{
	char moved[sizeof(path) + 8];

	(void)snprintf(moved, sizeof(moved), "%s.old", path);
	start_limited();
	flood(0, 100);
	ck_assert_int_eq(truncate(path, 0), 0);
	flood(100, 100);
	driver_run(&d, 20);
	ck_assert_uint_eq(length(path), 900);
	ck_assert_int_eq(access(aside, F_OK), -1);
	ck_assert_int_eq(rename(path, moved), 0);
	close(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	flood(200, 100);
	driver_run(&d, 20);
	ck_assert_uint_eq(length(moved), LIMIT); /* ours until it is full */
	ck_assert_uint_eq(length(path), 800);
	ck_assert_int_eq(access(aside, F_OK), -1);
	ck_assert_int_eq(unlink(moved), 0);
}
END_TEST

START_TEST(file_that_cannot_be_put_aside_does_not_stop_the_guest)
{
	start_limited();
	ck_assert_int_eq(mkdir(aside, 0700), 0); /* in the way */
	flood(0, 10000);
	driver_run(&d, 20);
	ck_assert_uint_eq(length(path), LIMIT);
	ck_assert_int_eq(rmdir(aside), 0);
	say("again\n");
	driver_run(&d, 20);
	ck_assert_uint_eq(length(path), 6);
	ck_assert_uint_eq(length(aside), LIMIT);
	ck_assert_int_eq(unlink(aside), 0);
}
END_TEST

START_TEST(device_has_no_limit)
{
	struct tty *t = tty_create_file(d.loop, "console", "/dev/null", &err);

	ck_assert_int_eq(tty_file_limit(t, "/dev/null", LIMIT, &err), 0);
	start(t);
	flood(0, 1000);
	driver_run(&d, 20);
	ck_assert_int_eq(access("/dev/null.1", F_OK), -1);
}
END_TEST

START_TEST(file_without_a_name_has_no_limit)
{
	struct tty *t;

	ck_assert_int_eq(dup2(memfd_create("console", MFD_CLOEXEC), 99), 99);
	t = tty_create_file(d.loop, "console", "/dev/fd/99", &err);
	ck_assert_int_eq(tty_file_limit(t, "/dev/fd/99", LIMIT, &err), 0);
	tty_destroy(t);
}
END_TEST

START_TEST(file_that_cannot_be_written_is_refused)
{
	char absent[80];

	ck_assert_ptr_null(tty_create_file(d.loop, "--port log", dir, &err));
	ck_assert_ptr_nonnull(strstr(err.msg, "--port log: cannot write"));
	(void)snprintf(absent, sizeof(absent), "%s/absent/x", dir);
	ck_assert_ptr_null(tty_create_file(d.loop, "console", absent, &err));
	ck_assert_ptr_nonnull(strstr(err.msg, "make its directory first"));
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_ptr_null(tty_create_file(d.loop, "console", path, &err));
	ck_assert_ptr_nonnull(strstr(err.msg, "start its reader first"));
}
END_TEST

/* An epoll that takes no more, as over max_user_watches: it is none any more */
START_TEST(loop_that_cannot_watch_is_said)
{
	struct loop *l = loop_create();
	int epfd = -1, null;

	for (int fd = 3; fd < 64; fd++) { /* the newest epoll: the loop's */
		char link[32], name[40] = "";

		(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		if (readlink(link, name, sizeof(name) - 1) > 0 &&
		    strstr(name, "eventpoll"))
			epfd = fd;
	}
	tty = tty_create_unix(l, "--port p", path, &err);
	ck_assert_ptr_nonnull(tty);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(dup3(null, epfd, O_CLOEXEC), epfd);
	close(null);
	ck_assert_int_lt(tty_start(tty, &client, &err), 0);
	ck_assert_ptr_nonnull(
		strstr(err.msg, "--port p: the event loop cannot watch it"));
	stop();
	loop_destroy(l);
}
END_TEST

UNIT_MAIN("tty_ends", setup, teardown, t)
{
	tcase_add_test(t, peer_talks_both_ways);
	tcase_add_test(t, peer_that_comes_late_gets_the_newest);
	tcase_add_test(t, next_peer_waits_for_the_first_to_leave);
	tcase_add_test(t, what_a_peer_sent_before_it_left_arrives);
	tcase_add_test(t, peer_that_left_unread_makes_way);
	tcase_add_test(t, peer_that_sends_no_more_still_hears);
	tcase_add_test(t, stuck_peer_holds_the_guest_until_it_leaves);
	tcase_add_test(t, dead_socket_is_replaced_and_ours_is_removed);
	tcase_add_test(t, socket_where_none_can_be_is_refused);
	tcase_add_test(t, pty_talks_both_ways_and_does_not_echo);
	tcase_add_test(t, pty_is_private_to_its_owner);
	tcase_add_test(t, pty_without_a_reader_does_not_hold_the_guest_for_long);
	tcase_add_test(t, file_is_appended_to);
	tcase_add_test(t, file_is_private_to_its_owner);
	tcase_add_test(t, no_end_is_inherited);
	tcase_add_test(t, file_is_left_behind_by_a_machine_that_never_ran);
	tcase_add_test(t, file_that_is_not_ours_stays);
	tcase_add_test(t, full_file_does_not_stop_the_guest);
	tcase_add_test(t, full_file_is_put_aside);
	tcase_add_test(t, file_of_an_earlier_run_counts);
	tcase_add_test(t, file_that_another_rotates_is_left_to_him);
	tcase_add_test(t, file_that_cannot_be_put_aside_does_not_stop_the_guest);
	tcase_add_test(t, device_has_no_limit);
	tcase_add_test(t, file_without_a_name_has_no_limit);
	tcase_add_test(t, file_that_cannot_be_written_is_refused);
	tcase_add_test(t, loop_that_cannot_watch_is_said);
}
