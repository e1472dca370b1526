/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tty_pty - a console on a pseudo terminal of our own.
 *
 * We keep the far side open ourselves: otherwise the near side reports a hang-up whenever no
 * process has it open, and no event when one has. The price is that we cannot see whether there
 * is a reader; tty_out.c infers it from whether bytes are read.
 */
#include "devices/backend/tty_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "vmm/core/fds.h"

/* Raw: with the kernel's echo, what the guest prints would come back as its input.
 * Mode 0600: most hosts let the group tty write to terminals (wall, write), and here that
 * would be typing into the guest's console.
 */
static int tty_pty_open_slave(struct tty *t)
{
	struct termios raw;
	char path[sizeof(t->pty_path)] = "";

	if (grantpt(t->in.fd) < 0 || unlockpt(t->in.fd) < 0 ||
	    ptsname_r(t->in.fd, path, sizeof(path)) != 0)
		return -errno;
	memcpy(t->pty_path, path, sizeof(path));
	t->slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (t->slave < 0 || fchmod(t->slave, 0600) < 0 || tcgetattr(t->slave, &raw) < 0)
		return -errno;
	cfmakeraw(&raw);
	return tcsetattr(t->slave, TCSANOW, &raw) < 0 ? -errno : 0;
}

static int tty_pty_open(struct tty *t)
{
	t->in = (struct tty_fd){.fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC),
				.kind = TTY_FD_NONBLOCK,
				.own = true};
	if (t->in.fd < 0 || fcntl(t->in.fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return -errno;
	/* epoll accepts a descriptor once: one for each direction */
	t->out = t->in;
	t->out.fd = fd_place(fcntl(t->in.fd, F_DUPFD_CLOEXEC, 0), FD_CONSOLE);
	return t->out.fd < 0 ? -errno : tty_pty_open_slave(t);
}

struct tty *tty_create_pty(struct loop *l, const char *label, struct err *e)
{
	struct tty *t = tty_alloc(l, TTY_PTY, label, e);
	int rc;

	if (!t)
		return NULL;
	rc = tty_pty_open(t);
	if (rc == 0)
		return t;
	err_set(e, -rc,
		"%s: no pseudo terminal: %s; is /dev/pts mounted, and does "
		"/proc/sys/kernel/pty/max allow one more?",
		label, strerror(-rc));
	tty_destroy(t);
	return NULL;
}
