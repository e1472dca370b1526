/* SPDX-License-Identifier: Apache-2.0 */
/* tty_file - console output to a file, appended: a restart keeps what a crash said. */
#include "devices/backend/tty_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/fds.h"
#include "vmm/core/outside.h"

static int tty_file_explain(const char *label, const char *path, int error, struct err *e)
{
	const char *cure = "give a file that can be written";

	if (error == ENOENT || error == ENOTDIR)
		cure = "make its directory first";
	else if (error == ENXIO)
		cure = "it is a pipe that nobody reads; start its reader first";
	return err_set(e, error, "%s: cannot write %.150s: %s; %s", label, path,
		       strerror(error), cure);
}

struct tty *tty_create_file(struct loop *l, const char *label, const char *path,
			    struct err *e)
{
	const int flags = O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	struct tty *t = tty_alloc(l, TTY_FILE, label, e);
	int fd;

	if (!t)
		return NULL;
	fd = open(path, flags);
	if (fd < 0 && errno == ENOENT) {
		fd = open(path, flags | O_CREAT | O_EXCL, 0600);
		t->made = fd < 0 ? -1 : outside_made(path, fd);
		if (fd >= 0 && t->made < 0) { /* else nobody would remove it */
			(void)unlink(path);
			close(fd);
			errno = -t->made;
			fd = t->made;
		}
	}
	if (fd < 0 && errno == EEXIST) /* a dangling link; or made at this moment */
		fd = open(path, flags | O_CREAT, 0600);
	fd = fd_place(fd, FD_CONSOLE);
	if (fd < 0) {
		tty_file_explain(label, path, errno, e);
		tty_destroy(t);
		return NULL;
	}
	tty_fd_open(&t->out, fd, O_WRONLY);
	t->out.own = true;
	return t;
}

void tty_file_destroy(struct tty *t)
{
	struct stat st;

	/* Another process may have begun to write to it meanwhile, or put another file there */
	if (t->made >= 0 && !t->started && fstat(t->out.fd, &st) == 0 && st.st_size == 0)
		(void)outside_do(OUTSIDE_REMOVE, t->made, 0);
	outside_drop(t->made);
	outside_drop(t->file.slot);
}
