/* SPDX-License-Identifier: Apache-2.0 */
/* vhost_socket - connect to a back end's socket, or make one for a daemon of ours. */
#include "devices/backend/vhost_socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/core/unix_socket.h"
#include "vmm/core/util.h"

static int vhost_socket_explain(const char *path, int code, struct err *e)
{
	switch (code) {
	case ENAMETOOLONG:
		return err_set(e, code,
			       "%s: a socket's path has at most %zu bytes; use a shorter "
			       "one",
			       path, sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
	case ENOENT:
		return err_set(e, code,
			       "%s: there is no such socket; start the vhost-user back "
			       "end first",
			       path);
	case ECONNREFUSED:
		return err_set(e, code,
			       "%s: nobody listens there (or it is no socket); start the "
			       "vhost-user back end again",
			       path);
	case EAGAIN:
		return err_set(e, code,
			       "%s: the back end is busy with another front end; each "
			       "needs a socket of its own",
			       path);
	case EACCES:
	case EPERM:
		return err_set(e, code,
			       "%s: this user may not connect to it; see its owner and "
			       "mode",
			       path);
	default:
		return err_set(e, code, "%s: cannot connect: %s", path, strerror(code));
	}
}

int vhost_socket_connect(const char *path, struct err *e)
{
	int fd = unix_connect(path);

	return fd < 0 ? vhost_socket_explain(path, -fd, e) : fd;
}

/* A listening socket in @dir, connected to, and its name removed again */
static int vhost_socket_make(const char *dir, int *listener, int *connected)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int rc = 0;

	*connected = -1;
	*listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s/s", dir);
	if (*listener < 0)
		return -errno;
	if (bind(*listener, (struct sockaddr *)&a, sizeof(a)) < 0)
		return -errno;
	*connected = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*connected < 0 || listen(*listener, 1) < 0 ||
	    connect(*connected, (struct sockaddr *)&a, sizeof(a)) < 0)
		rc = -errno;
	(void)unlink(a.sun_path);
	return rc;
}

int vhost_socket_pair(int *listener, int *connected, struct err *e)
{
	const char *tmp = getenv("TMPDIR");
	char dir[80]; /* a socket's name is short */
	int rc = -ENAMETOOLONG;

	*listener = *connected = -1;
	if (!tmp || strlen(tmp) > sizeof(dir) - sizeof("/microvm-XXXXXX"))
		tmp = "/tmp";
	(void)snprintf(dir, sizeof(dir), "%s/microvm-XXXXXX", tmp);
	if (!mkdtemp(dir))
		return err_set(e, errno,
			       "%s: no directory can be made there for a socket: %s; set "
			       "TMPDIR to one that is writable",
			       tmp, strerror(errno));
	rc = vhost_socket_make(dir, listener, connected);
	(void)rmdir(dir);
	if (rc == 0)
		return 0;
	cleanup_close_fd(listener);
	cleanup_close_fd(connected);
	*listener = *connected = -1;
	return err_set(e, -rc, "%s: no socket can be made there: %s", tmp, strerror(-rc));
}
