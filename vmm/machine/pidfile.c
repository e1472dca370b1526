/* SPDX-License-Identifier: Apache-2.0 */
/* pidfile - the number of our process in a file that is locked while we live. */
#include "vmm/machine/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/outside.h"
#include "vmm/core/util.h"

#define PIDFILE_MODE  0600 /* a user that may read it may lock it */
#define PIDFILE_MAX   24   /* bytes: a number and a line feed */
#define PIDFILE_TRIES 100  /* for a file that its owner removes meanwhile */

static int pidfile_explain(const char *path, int code, struct err *e)
{
	const char *cure = code == ELOOP ? "it is a symbolic link; give the file itself"
			   : code == EACCES || code == EPERM || code == EROFS
				   ? "give a path that you may write"
				   : "give a path that can be written";

	return err_set(e, code, "--pidfile: cannot write %.200s: %s; %s", path,
		       strerror(code), cure);
}

/* Is @path still the file that @fd is? */
static bool pidfile_is(int fd, const char *path)
{
	struct stat ours, there;

	return fstat(fd, &ours) == 0 && lstat(path, &there) == 0 &&
	       ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

/* What @fd holds, as text.  Return: false, it is no number of a process */
static bool pidfile_read(int fd, char text[PIDFILE_MAX + 1])
{
	long n = pread_full(fd, text, PIDFILE_MAX, 0);
	size_t digits;

	text[n > 0 ? n : 0] = '\0';
	digits = strspn(text, "0123456789");
	if (n < 0 || n == PIDFILE_MAX || strlen(text) != (size_t)n ||
	    (text[digits] && strcmp(text + digits, "\n") != 0))
		return false;
	text[digits] = '\0';
	return true;
}

/* Lock @fd, just opened, and check whether it may be overwritten.
 * Return: 0; -EAGAIN, its owner has removed it meanwhile; -errno in @e
 */
static int pidfile_take(int fd, const char *path, struct err *e)
{
	char text[PIDFILE_MAX + 1];
	struct stat st;
	bool number, free;

	if (fstat(fd, &st) < 0)
		return pidfile_explain(path, errno, e);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL,
			       "--pidfile: %.200s is no regular file; give another path",
			       path);
	free = flock(fd, LOCK_EX | LOCK_NB) == 0;
	if (!free && errno != EWOULDBLOCK)
		return pidfile_explain(path, errno, e);
	number = pidfile_read(fd, text);
	if (!free)
		return err_set(e, EEXIST,
			       "--pidfile: %.200s is in use by another process%s%s; give "
			       "each machine its own",
			       path, number && text[0] ? ", number " : "",
			       number ? text : "");
	if (!pidfile_is(fd, path))
		return -EAGAIN;
	if (!number)
		return err_set(
			e, EEXIST,
			"--pidfile: %.200s holds something else than the number of a "
			"process, and is left alone; give another path, or remove it",
			path);
	return 0;
}

static int pidfile_write(int fd)
{
	char text[PIDFILE_MAX];
	int n = snprintf(text, sizeof(text), "%d\n", getpid());
	long rc = ftruncate(fd, 0) < 0 ? -errno : write_full(fd, text, (size_t)n);

	return rc < 0 ? (int)rc : 0;
}

int pidfile_open(struct pidfile *p, const char *path, struct err *e)
{
	int rc = -EAGAIN;

	*p = (struct pidfile){.fd = -1, .slot = -1};
	if (!path)
		return 0;
	for (int i = 0; rc == -EAGAIN && i < PIDFILE_TRIES; i++) {
		cleanup_close_fd(&p->fd);
		/* O_NONBLOCK: refuse a FIFO instead of waiting for it */
		p->fd = open(path,
			     O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
				     O_CLOEXEC,
			     PIDFILE_MODE);
		if (p->fd < 0)
			return pidfile_explain(path, errno, e);
		rc = pidfile_take(p->fd, path, e);
	}
	if (rc == 0) {
		rc = pidfile_write(p->fd);
		if (rc == 0)
			rc = p->slot = outside_ours(path);
		if (rc >= 0)
			return 0;
		(void)unlink(path); /* it is locked, and ours */
	}
	cleanup_close_fd(&p->fd);
	p->fd = -1;
	return e->msg[0] ? rc : pidfile_explain(path, -rc, e);
}

void pidfile_close(struct pidfile *p)
{
	if (p->fd < 0)
		return;
	outside_drop(p->slot);
	cleanup_close_fd(&p->fd);
	p->fd = -1;
}
