/* SPDX-License-Identifier: Apache-2.0 */
/*
 * controls - clients of a machine's control socket, good ones and others.
 *
 * usage: controls PATH pauses COUNT    pause it and let it go on, so often, and say how long that took
 *        controls PATH stalled         clients that say half a word, and one that never reads
 *        controls PATH flood MS        clients that ask, or talk nonsense, as fast as they can
 *        controls PATH vanish COUNT    clients that leave before they have their answer
 *        controls PATH two COUNT       two clients that pause and resume
 *        controls PATH reports COUNT   two that ask for a report at the same time
 *        controls PATH saves FILE FILE a save with descriptors of all kinds; the two files are made
 *
 * After each, and meanwhile, a client that behaves gets its answers within SOON. Exit status: 0, or 1 and
 * a sentence.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/core/unix_socket.h"
#include "vmm/core/util.h"

#define SOON_MS   5000
#define CLIENTS   6 /* that misbehave at a time: with ours fewer than there can be */
#define STATUS    "{\"command\":\"status\"}\n"
#define PAUSE     "{\"command\":\"pause\"}\n"
#define RESUME    "{\"command\":\"resume\"}\n"
#define SAVE      "{\"command\":\"save\"}\n"
#define REPORT    "{\"command\":\"report\"}\n"
#define IS_PAUSED "\"state\":\"paused\""
#define RUNS      "\"state\":\"running\""

static const char *path;

_Noreturn static void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
_Noreturn static void fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)fprintf(stderr, "controls: ");
	(void)vfprintf(stderr, fmt, ap);
	(void)fprintf(stderr, "\n");
	exit(1);
}

static int connected(void)
{
	int fd;

	/* the machine takes so many at a time that all others have to wait */
	for (int i = 0; i < SOON_MS && (fd = unix_connect(path)) == -EAGAIN; i++)
		(void)usleep(1000);
	if (fd < 0)
		fail("cannot connect: %s", strerror(-fd));
	return fd;
}

static void say(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		fail("it does not take %s", text);
}

/* One answer, to @text; it has to have @has in it */
static void hear(int fd, const char *text, const char *has)
{
	static char answer[8192];
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t n = 0;

	do {
		ssize_t got;

		if (poll(&p, 1, SOON_MS) != 1)
			fail("no answer to %s", text);
		got = read(fd, answer + n, sizeof(answer) - 1 - n);
		if (got <= 0)
			fail("it hangs up at %s", text);
		n += (size_t)got;
	} while (answer[n - 1] != '\n' && n < sizeof(answer) - 1);
	answer[n] = '\0';
	if (!strstr(answer, has))
		fail("not %s but %s", has, answer);
}

static void ask(int fd, const char *text, const char *has)
{
	say(fd, text);
	hear(fd, text, has);
}

static void pauses(unsigned long count)
{
	uint64_t start = monotonic_ns(), most = 0;
	int fd = connected();

	for (unsigned long i = 0; i < count; i++) {
		uint64_t at = monotonic_ns();

		ask(fd, PAUSE, IS_PAUSED);
		most = MAX(most, monotonic_ns() - at);
		ask(fd, RESUME, RUNS);
	}
	close(fd);
	(void)printf("pauses=%lu us_each=%llu us_most=%llu\n", count,
		     (unsigned long long)((monotonic_ns() - start) / 1000 / count),
		     (unsigned long long)(most / 1000));
}

static void stalled(void)
{
	int fd = connected(), client[CLIENTS];

	for (int i = 0; i < CLIENTS; i++) {
		client[i] = connected();
		say(client[i], i % 2 ? "{\"command\":" : STATUS "{\"comm");
	}
	/* until neither side takes any more */
	for (int i = 0; i < 200; i++) {
		while (write(client[0], "\n" STATUS, sizeof(STATUS)) > 0)
			;
		(void)usleep(1000);
	}
	for (int i = 0; i < 10; i++)
		ask(fd, STATUS, RUNS);
	for (int i = 0; i < CLIENTS; i++)
		close(client[i]);
	close(fd);
}

/* The client drops each answer, and connects again when the machine closes its connection */
static void flood(unsigned long ms)
{
	static const char *const texts[] = {STATUS, RESUME, "\n\n\n\n\n\n\n",
					    "nonsense\n"};
	static char sink[65536];
	uint64_t end = monotonic_ns() + ms * 1000000, most = 0;
	int fd = connected(), client[CLIENTS];

	for (int i = 0; i < CLIENTS; i++)
		client[i] = connected();
	for (unsigned int n = 0; monotonic_ns() < end; n++) {
		uint64_t at = monotonic_ns();

		for (int i = 0; i < CLIENTS; i++) {
			const char *text = texts[(unsigned int)i % ARRAY_SIZE(texts)];
			ssize_t put = write(client[i], text, strlen(text));
			ssize_t got = read(client[i], sink, sizeof(sink));

			if (got != 0 && (put >= 0 || errno == EAGAIN))
				continue;
			close(client[i]);
			client[i] = connected();
		}
		if (n % 1000)
			continue;
		ask(fd, STATUS, "\"ok\":true");
		most = MAX(most, monotonic_ns() - at);
	}
	for (int i = 0; i < CLIENTS; i++)
		close(client[i]);
	close(fd);
	(void)printf("flood us_most=%llu\n", (unsigned long long)(most / 1000));
}

static void vanish(unsigned long count)
{
	static const char *const texts[] = {PAUSE, REPORT, PAUSE RESUME PAUSE,
					    STATUS STATUS "{\"co"};
	int fd;

	for (unsigned long i = 0; i < count; i++) {
		fd = connected();
		say(fd, texts[i % ARRAY_SIZE(texts)]);
		close(fd);
	}
	fd = connected();
	for (int i = 0; i < SOON_MS / 10; i++) /* those before us have their turn first */
		ask(fd, RESUME, "\"ok\":true");
	ask(fd, STATUS, RUNS);
	close(fd);
}

static void two(unsigned long count)
{
	int one = connected(), other = connected();

	for (unsigned long i = 0; i < count; i++) {
		ask(one, PAUSE, IS_PAUSED);
		ask(other, STATUS, IS_PAUSED);
		ask(other, PAUSE, IS_PAUSED);
		ask(one, STATUS, IS_PAUSED);
		ask(other, RESUME, RUNS);
		ask(one, RESUME, RUNS);
		ask(one, STATUS, RUNS);
	}
	close(one);
	close(other);
}

static void reports(unsigned long count)
{
	int one = connected(), other = connected();

	for (unsigned long i = 0; i < count; i++) {
		say(one, REPORT);
		say(other, REPORT);
		hear(one, REPORT, "\"cause\":\"running\"");
		hear(other, REPORT, "\"cause\":\"running\"");
	}
	close(one);
	close(other);
}

/* ---- a save, with descriptors that are none of two files to write to ---- */

static void say_fds(int fd, const char *text, const int *files, size_t n)
{
	_Alignas(struct cmsghdr) char space[CMSG_SPACE(16 * sizeof(int))] = {0};
	struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};
	struct msghdr h = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = n ? space : NULL,
			   .msg_controllen = n ? CMSG_SPACE(n * sizeof(int)) : 0};
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);

	if (c) {
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), files, n * sizeof(int));
	}
	if (sendmsg(fd, &h, 0) != (ssize_t)strlen(text))
		fail("it does not take descriptors: %s", strerror(errno));
}

static int opened(const char *name, int flags)
{
	int fd = open(name, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		fail("%s: %s", name, strerror(errno));
	return fd;
}

/* @n descriptors; the answer has @has */
static void save_with(const int *fd, size_t n, const char *has)
{
	int to = connected();

	say_fds(to, SAVE, fd, n);
	hear(to, SAVE, has);
	ask(to, STATUS, RUNS); /* whatever was wrong, it goes on */
	close(to);
}

/* Two files that are as they should be, but for an earlier content, are made at @a and @b */
static void saves(const char *a, const char *b)
{
	int two[2] = {opened(a, O_RDWR | O_CREAT), opened(b, O_RDWR | O_CREAT)};
	int ends[2], bad[16], to;

	if (pipe(ends) < 0 || ftruncate(two[0], 1 << 20) < 0 ||
	    ftruncate(two[1], INT64_C(1) << 40) < 0)
		fail("%s", strerror(errno));
	save_with(NULL, 0, "two descriptors");
	save_with(two, 1, "two descriptors");
	save_with((int[]){two[0], two[0]}, 2, "two files");
	save_with(ends, 2, "two files");
	save_with((int[]){opened(".", O_RDONLY), two[1]}, 2, "two files");
	save_with((int[]){opened("/dev/null", O_RDWR), two[1]}, 2, "two files");
	to = connected();
	save_with((int[]){two[0], to}, 2, "two files");
	close(to);
	save_with((int[]){two[0], opened(b, O_RDONLY)}, 2, "cannot be written: Invalid");
	save_with((int[]){opened(a, O_RDONLY), two[1]}, 2, "cannot be written: Invalid");
	save_with((int[]){two[0], opened(b, O_RDWR | O_APPEND)}, 2, "cannot be written");
	for (size_t i = 0; i < 16; i++)
		bad[i] = two[i % 2];
	save_with(bad, 10, "\"ok\":true");
	save_with(two, 2, "\"ok\":true");
	/* one leaves, and another finds that a save is under way, or none any more */
	for (int i = 0; i < 20; i++) {
		int one = connected(), other = connected();

		say_fds(one, SAVE, two, 2);
		say_fds(other, SAVE, two, 2);
		if (i % 2)
			close(one);
		else
			hear(one, SAVE, "\"ok\":");
		hear(other, SAVE, "\"ok\":");
		close(other);
		if (i % 2 == 0)
			close(one);
	}
	for (int i = 0; i < 1000; i++) { /* what one left behind comes to its end */
		struct pollfd p = {.fd = connected(), .events = POLLIN};
		char answer[512] = "";

		say_fds(p.fd, SAVE, two, 2);
		if (poll(&p, 1, SOON_MS) != 1 ||
		    read(p.fd, answer, sizeof(answer) - 1) < 0)
			fail("no answer to the last save");
		close(p.fd);
		if (strstr(answer, "\"ok\":true"))
			return;
	}
	fail("it stays busy with a save");
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[2] : "";
	unsigned long n = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;

	(void)signal(SIGPIPE, SIG_IGN);
	path = argv[1];
	if (strcmp(what, "pauses") == 0 && n)
		pauses(n);
	else if (strcmp(what, "stalled") == 0)
		stalled();
	else if (strcmp(what, "flood") == 0 && n)
		flood(n);
	else if (strcmp(what, "vanish") == 0 && n)
		vanish(n);
	else if (strcmp(what, "two") == 0 && n)
		two(n);
	else if (strcmp(what, "reports") == 0 && n)
		reports(n);
	else if (strcmp(what, "saves") == 0 && argc == 5)
		saves(argv[3], argv[4]);
	else
		fail("usage: controls PATH saves|pauses|stalled|flood|vanish|two|reports [N]");
	return fflush(stdout) ? 1 : 0;
}
