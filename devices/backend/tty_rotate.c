/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tty_rotate - a console's file with a limit: a full file becomes PATH.1, in place of an older
 * one, and PATH begins anew. So a guest fills twice the limit at most, however long it runs.
 */
#include "devices/backend/tty_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/log.h"
#include "vmm/core/outside.h"
#include "vmm/core/util.h"

/* By its own name, not a link's: that is what is renamed */
int tty_file_limit(struct tty *t, const char *path, uint64_t max, struct err *e)
{
	cleanup_free char *own = NULL;
	struct stat st;

	if (fstat(t->out.fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;   /* a device or a pipe stores nothing */
	if (!st.st_nlink) { /* by /dev/fd/N: in memory, or removed already */
		log_info("%s: %.150s has no name that could become another, so it has no "
			 "limit",
			 t->label, path);
		return 0;
	}
	own = realpath(path, NULL);
	t->file.slot = own ? outside_log(own, t->out.fd) : -errno;
	if (t->file.slot < 0)
		return err_set(e, -t->file.slot, "%s: %.150s: %s", t->label, path,
			       strerror(-t->file.slot));
	t->file.max = max;
	t->file.len = (uint64_t)st.st_size;
	return 0;
}

/* The file is full, as far as we have counted.  Return: 0, there is room; -errno */
static int tty_rotate(struct tty *t)
{
	struct stat st;
	int fd;

	if (fstat(t->out.fd, &st) < 0)
		return -errno;
	t->file.len = (uint64_t)st.st_size;
	if (t->file.len < t->file.max) /* it was truncated: logrotate's copytruncate */
		return 0;
	fd = outside_do(OUTSIDE_ANEW, t->file.slot, 0);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || (uint64_t)st.st_size >= t->file.max) {
		close(fd);
		return -EEXIST;
	}
	tty_fd_close(&t->out);
	t->out = (struct tty_fd){.fd = fd, .kind = TTY_FD_FILE, .own = true};
	t->out_source.fd = fd;
	t->file.len = (uint64_t)st.st_size;
	t->file.anew = true;
	return 0;
}

size_t tty_file_room(struct tty *t, size_t n)
{
	int rc;

	if (!t->file.max)
		return n;
	rc = t->file.len < t->file.max ? 0 : tty_rotate(t);
	if (rc == 0)
		return MIN(n, t->file.max - t->file.len);
	if (!t->told)
		log_warn(
			"%s: output goes nowhere: %.150s is as large as file-size allows "
			"and cannot be renamed to .1 beside it: %s",
			t->label, outside_path(t->file.slot), strerror(-rc));
	t->told = true;
	return 0;
}
