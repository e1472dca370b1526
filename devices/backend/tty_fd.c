/* SPDX-License-Identifier: Apache-2.0 */
/* tty_fd - read and write another process's file descriptor without ever blocking. */
#include "devices/backend/tty_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/fds.h"
#include "vmm/core/util.h"

#define TTY_FD_POLL_MAX \
	256 /* a terminal or pipe that polls writable takes so much at once */

/* The far side of a pty: opening it again would make a new pair */
static bool tty_fd_is_ptmx(int fd)
{
	unsigned int n;

	return ioctl(fd, TIOCGPTN, &n) == 0;
}

static int tty_fd_reopen(int fd, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	flags |= O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	return fd_place(open(path, flags), FD_CONSOLE);
}

void tty_fd_open(struct tty_fd *t, int fd, int flags)
{
	struct stat st;
	int fl, ours;

	*t = (struct tty_fd){.fd = -1};
	fl = fd >= 0 ? fcntl(fd, F_GETFL) : -1;
	if (fl < 0 || (fl & O_PATH) || fstat(fd, &st) < 0)
		return;
	t->fd = fd;
	t->terminal = S_ISCHR(st.st_mode) && isatty(fd);
	if (S_ISSOCK(st.st_mode)) {
		t->kind = TTY_FD_SOCKET;
	} else if (!t->terminal && !S_ISFIFO(st.st_mode)) {
		t->kind = TTY_FD_FILE;
	} else if (fl & O_NONBLOCK) {
		t->kind = TTY_FD_NONBLOCK;
	} else {
		t->kind = TTY_FD_POLL;
		ours = tty_fd_is_ptmx(fd) ? -1 : tty_fd_reopen(fd, flags);
		if (ours >= 0)
			*t = (struct tty_fd){ours, TTY_FD_NONBLOCK, true, t->terminal};
	}
}

void tty_fd_close(struct tty_fd *t)
{
	if (t->own)
		close(t->fd);
	*t = (struct tty_fd){.fd = -1};
}

static bool tty_fd_poll(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	return poll(&p, 1, 0) > 0;
}

static ssize_t tty_fd_result(ssize_t n)
{
	if (n >= 0)
		return n;
	return errno == EINTR ? -EAGAIN : -errno;
}

ssize_t tty_fd_read(const struct tty_fd *t, uint8_t *p, size_t n)
{
	switch (t->kind) {
	case TTY_FD_SOCKET:
		return tty_fd_result(recv(t->fd, p, n, MSG_DONTWAIT));
	case TTY_FD_POLL:
		if (!tty_fd_poll(t->fd, POLLIN))
			return -EAGAIN;
		return tty_fd_result(read(t->fd, p, n));
	case TTY_FD_NONBLOCK:
	case TTY_FD_FILE:
		return tty_fd_result(read(t->fd, p, n));
	case TTY_FD_NONE:
		break;
	}
	return 0;
}

ssize_t tty_fd_write(const struct tty_fd *t, const uint8_t *p, size_t n)
{
	switch (t->kind) {
	case TTY_FD_SOCKET:
		return tty_fd_result(send(t->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL));
	case TTY_FD_POLL:
		if (!tty_fd_poll(t->fd, POLLOUT))
			return -EAGAIN;
		return tty_fd_result(write(t->fd, p, MIN(n, TTY_FD_POLL_MAX)));
	case TTY_FD_NONBLOCK:
	case TTY_FD_FILE:
		return tty_fd_result(write(t->fd, p, n));
	case TTY_FD_NONE:
		break;
	}
	return (ssize_t)n;
}
