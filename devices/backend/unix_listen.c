/* SPDX-License-Identifier: Apache-2.0 */
/* unix_listen - listen at a path, replacing a dead process's socket; a failure is a sentence. */
#include "devices/backend/unix_listen.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/core/outside.h"
#include "vmm/core/signals.h"
#include "vmm/core/unix_socket.h"
#include "vmm/core/util.h"

#define UNIX_BACKLOG 128

static int unix_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

static int unix_error(const char *what, const char *path, int code, struct err *e)
{
	switch (code) {
	case ENAMETOOLONG:
		return err_set(e, code,
			       "%s: the path %s is too long for a socket; give a "
			       "shorter one",
			       what, path);
	case ENOENT:
	case ENOTDIR:
		return err_set(e, code,
			       "%s: cannot make the socket %s: its directory does not "
			       "exist; make it, or give another path",
			       what, path);
	case EACCES:
	case EPERM:
	case EROFS:
		return err_set(e, code,
			       "%s: cannot make the socket %s: this user may not write "
			       "to its directory; give another path",
			       what, path);
	default:
		return err_set(e, code, "%s: cannot make the socket %s: %s", what, path,
			       strerror(code));
	}
}

/* Does another process listen at @path?  It gets some time, if it is ending (signals_outwait()),
 * but few connections: they look like clients to it.  Return: 0, it does; -errno of the attempt
 */
static int unix_listens(const char *path)
{
	struct pollfd nothing = {.fd = -1};

	for (int nap = 25;; nap *= 2) {
		int fd = unix_connect(path);

		if (fd < 0 && fd != -EAGAIN)
			return fd;
		cleanup_close_fd(&fd);
		if (nap >= SIGNALS_OUTWAIT_MS || signals_ending())
			return 0;
		(void)signals_poll(&nothing, nap);
	}
}

/* May the file at @path be replaced? Return: 0, it is gone; -errno in @e */
static int unix_replace(const char *what, const char *path, struct err *e)
{
	struct stat st;
	int rc;

	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return err_set(e, EEXIST,
			       "%s: %s exists and is no socket; remove it, or give "
			       "another path",
			       what, path);
	rc = unix_listens(path);
	if (rc == 0)
		return err_set(e, EADDRINUSE,
			       "%s: %s is taken: another process listens there, or it "
			       "is given here twice; stop that one, or give another "
			       "path",
			       what, path);
	if (rc != -ECONNREFUSED && rc != -ENOENT)
		return unix_error(what, path, -rc, e);
	if (unlink(path) < 0 && errno != ENOENT)
		return unix_error(what, path, errno, e);
	return 0;
}

static int unix_bind(int fd, const char *path)
{
	struct sockaddr_un a;
	int rc = unix_address(&a, path);

	if (rc < 0)
		return rc;
	return bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
}

int unix_listen(struct unix_listener *l, const char *what, const char *path,
		struct err *e)
{
	bool bound;
	int rc;

	*l = (struct unix_listener){.fd = unix_socket(), .path = path};
	if (l->fd < 0)
		return unix_error(what, path, -l->fd, e);
	/* before it has a name: the file gets this mode, and is never open to other users */
	rc = fchmod(l->fd, 0600) < 0 ? -errno : unix_bind(l->fd, path);
	if (rc == -EADDRINUSE) {
		rc = unix_replace(what, path, e);
		if (rc < 0)
			goto fail;
		rc = unix_bind(l->fd, path);
	}
	bound = rc == 0;
	if (rc == 0)
		rc = listen(l->fd, UNIX_BACKLOG) < 0 ? -errno : 0;
	if (rc == 0) {
		l->slot = outside_ours(path);
		rc = l->slot < 0 ? l->slot : 0;
	}
	if (rc == 0)
		return 0;
	(void)unix_error(what, path, -rc, e);
	if (bound)
		(void)unlink(path);
fail:
	close(l->fd);
	l->fd = -1;
	return rc;
}

void unix_unlisten(struct unix_listener *l)
{
	if (l->fd < 0)
		return;
	outside_drop(l->slot);
	close(l->fd);
	l->fd = -1;
}
