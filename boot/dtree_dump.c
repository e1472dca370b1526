/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dtree_dump - the device tree as a file. It holds the seeds of the guest's random numbers: no
 * other user may read them, whatever file was at that path before.
 */
#include "boot/dtree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/util.h"

/* All: Return the descriptor to write to, or -errno */

static int dump_new(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);

	return fd < 0 ? -errno : fd;
}

/* Changing the mode is not enough: a process that has the older file open could still read it */
static int dump_replace(const char *path)
{
	cleanup_free char *real = realpath(path, NULL);

	return !real || unlink(real) < 0 ? -errno : dump_new(real);
}

static bool dump_is(const struct stat *st, int stream)
{
	struct stat other;

	return fstat(stream, &other) == 0 && other.st_dev == st->st_dev &&
	       other.st_ino == st->st_ino;
}

/* For an existing file, @fd */
static int dump_over(int fd, const char *path)
{
	struct stat st;
	int rc;

	if (fstat(fd, &st) < 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode)) /* a pipe: wait for its reader */
		rc = fcntl(fd, F_SETFL, 0) == 0 ? fd : -errno;
	else if (st.st_nlink && !dump_is(&st, STDOUT_FILENO) &&
		 !dump_is(&st, STDERR_FILENO))
		rc = dump_replace(path);
	else /* it has no name, or the caller's shell has it open and goes on with it */
		rc = fchmod(fd, S_IRUSR | S_IWUSR) == 0 && ftruncate(fd, 0) == 0 ? fd
										 : -errno;
	if (rc != fd)
		close(fd);
	return rc;
}

static int dump_open(const char *path)
{
	int fd = dump_new(path);

	if (fd != -EEXIST)
		return fd;
	/* an unwritable file is not replaced; a dangling link is followed */
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
		  S_IRUSR | S_IWUSR);
	return fd < 0 ? -errno : dump_over(fd, path);
}

int dtree_dump(const struct dtree *t, const char *path, struct err *e)
{
	cleanup_close int fd = dump_open(path);
	long n = fd < 0 ? fd : write_full(fd, t->blob, dtree_len(t));

	if (n >= 0)
		return 0;
	return err_set(e, (int)-n, "--dump-dtb %s: cannot be written: %s; check the path",
		       path, strerror((int)-n));
}
