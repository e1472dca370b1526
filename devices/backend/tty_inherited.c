/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tty_inherited - a console on a descriptor that the process which started us had open.
 *
 * A stream socket is a peer that is there from the start and is the last one; a pipe carries one
 * direction; a terminal keeps the mode that it has. A descriptor that cannot be waited for is
 * refused, and so is one that is not inherited: all that we open ourselves are close-on-exec.
 */
#include "devices/backend/tty_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/fds.h"

static int tty_refuse_fd(const struct tty *t, int fd, const char *why, struct err *e)
{
	return err_set(e, EBADF, "%s: fd=%d %s", t->label, fd, why);
}

/* A stream socket with a peer at its other end? NULL: it is one */
static const char *tty_socket_lacks(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(int), peer_len = sizeof(peer);
	int type = 0, listens = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM)
		return "is a socket for packets; pass a stream socket";
	len = sizeof(listens);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens)
		return "is a socket that listens; pass a connection, or give unix=PATH";
	if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) < 0)
		return "is a socket that is not connected; connect it first";
	return NULL;
}

/* The kernel's side of a terminal, not the one that we make or are run from */
static const char *tty_terminal_lacks(int fd)
{
	unsigned int n;

	if (ioctl(fd, TIOCGPTN, &n) == 0)
		return "is the near side of a pseudo terminal; pass the far side, or give "
		       "pty";
	if (tcgetpgrp(fd) >= 0)
		return "is the terminal that microvm runs on; give stdio";
	return NULL;
}

/* Return: why @fd cannot be a console, with the cure; NULL: it can */
static const char *tty_fd_lacks(int fd, const struct stat *st)
{
	bool both = (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR;

	if (S_ISSOCK(st->st_mode))
		return tty_socket_lacks(fd);
	if (S_ISFIFO(st->st_mode))
		return both ? "is a pipe that is open for both directions, so that output "
			      "would come back as input; open it for one"
			    : NULL;
	if (S_ISCHR(st->st_mode) && isatty(fd))
		return tty_terminal_lacks(fd);
	if (S_ISREG(st->st_mode))
		return "is a file; give file=/dev/fd/N";
	return "is neither a stream socket, a pipe nor a terminal; pass one of them";
}

/* One direction.  Always a descriptor of our own: epoll takes each once */
static int tty_take_fd(struct tty_fd *t, int fd, int flags)
{
	tty_fd_open(t, fd, flags);
	if (t->own)
		return 0;
	t->fd = fd_place(fcntl(fd, F_DUPFD_CLOEXEC, 0), FD_CONSOLE);
	t->own = t->fd >= 0;
	return t->own ? 0 : -errno;
}

static int tty_take(struct tty *t, int fd, bool socket, struct err *e)
{
	int mode = socket ? O_RDWR : fcntl(fd, F_GETFL) & O_ACCMODE, rc = 0;

	if (mode != O_WRONLY)
		rc = tty_take_fd(&t->in, fd, O_RDONLY);
	if (rc == 0 && mode != O_RDONLY)
		rc = tty_take_fd(&t->out, fd, O_WRONLY);
	if (rc < 0)
		return err_set(e, -rc, "%s: fd=%d: %s", t->label, fd, strerror(-rc));
	if (socket) {
		t->end = TTY_UNIX; /* all of it but the listener */
		t->listener.peer = true;
	}
	close(fd);
	return 0;
}

static int tty_inherit(struct tty *t, int fd, struct err *e)
{
	int flags = fcntl(fd, F_GETFD), fl = fcntl(fd, F_GETFL);
	const char *lacks;
	struct stat st;

	if (flags < 0 || (flags & FD_CLOEXEC) || (fl & O_PATH) || fstat(fd, &st) < 0)
		return tty_refuse_fd(t, fd,
				     "is not open; start microvm with it open, as in "
				     "microvm ... 3<>/dev/ttyS0 for fd=3",
				     e);
	lacks = tty_fd_lacks(fd, &st);
	return lacks ? tty_refuse_fd(t, fd, lacks, e)
		     : tty_take(t, fd, S_ISSOCK(st.st_mode), e);
}

struct tty *tty_create_inherited(struct loop *l, const char *label, int fd, struct err *e)
{
	struct tty *t = tty_alloc(l, TTY_INHERITED, label, e);

	if (!t || tty_inherit(t, fd, e) == 0)
		return t;
	tty_destroy(t);
	return NULL;
}
