/* SPDX-License-Identifier: Apache-2.0 */
/* util - the few helpers that every room uses. */
#include "vmm/core/util.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

_Noreturn void bug(const char *what, const char *file, int line)
{
	(void)dprintf(STDERR_FILENO, "microvm: bug: %s (%s:%d)\n", what, file, line);
	abort();
}

void cleanup_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

void cleanup_free_ptr(void *pp)
{
	void *p;

	memcpy(&p, pp, sizeof(p));
	free(p);
}

long read_full(int fd, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, (char *)buf + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (long)done;
}

long pread_full(int fd, void *buf, size_t len, uint64_t off)
{
	size_t done = 0;

	while (done < len) {
		/* not pread(): a jail has one call for this */
		struct iovec v = {(char *)buf + done, len - done};
		ssize_t n = preadv2(fd, &v, 1, (off_t)(off + done), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (long)done;
}

long write_full(int fd, const void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, (const char *)buf + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return (long)done;
}

/* A pipe that polls writable takes PIPE_BUF bytes, so one line never waits. */
long write_unless_stuck(int fd, const void *buf, size_t len, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	ssize_t n;

	if (poll(&p, 1, ms) < 0 || !(p.revents & POLLOUT))
		return p.revents & (POLLNVAL | POLLERR) ? -EIO : -EAGAIN;
	n = write(fd, buf, len);
	return n < 0 ? -errno : n;
}

void signals_block(sigset_t *old)
{
	static const int crashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};
	sigset_t set;

	sigfillset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(crashes); i++)
		sigdelset(&set, crashes[i]);
	pthread_sigmask(SIG_SETMASK, &set, old);
}

void *copied_grown(void *old, size_t old_len, size_t new_len)
{
	void *p = malloc(new_len);

	if (!p)
		return NULL;
	if (old_len)
		memcpy(p, old, old_len);
	free(old);
	return p;
}

unsigned int text_control(const char *text)
{
	unsigned char first = (unsigned char)text[0];

	if (first == 0xc2 && ((unsigned char)text[1] & 0xe0) == 0x80)
		return 2; /* U+0080 to U+009F: one of them is ESC and '[' at once */
	return (first && first < ' ') || first == 0x7f;
}

void text_printable(char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text[i] < ' ' || text[i] > '~')
			text[i] = '?';
}

uint64_t monotonic_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

unsigned int edit_distance(const char *a, const char *b)
{
	unsigned int row[64];
	size_t la = strlen(a), lb = strlen(b);

	if (la >= ARRAY_SIZE(row) || lb >= ARRAY_SIZE(row))
		return ARRAY_SIZE(row);
	for (unsigned int j = 0; j <= lb; j++)
		row[j] = j;
	for (unsigned int i = 1; i <= la; i++) {
		unsigned int diag = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned int sub = diag + (a[i - 1] != b[j - 1]);

			diag = row[j];
			row[j] = MIN(sub, MIN(row[j], row[j - 1]) + 1);
		}
	}
	return row[lb];
}
