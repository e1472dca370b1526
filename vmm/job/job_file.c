/* SPDX-License-Identifier: Apache-2.0 */
/* job_file - files of a run that have no name. */
#include "vmm/job/job_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/core/limits.h"
#include "vmm/core/util.h"

int job_file_make(struct job_file *f, const char *what, struct err *e)
{
	const char *dir = getenv("TMPDIR");

	dir = dir && *dir ? dir : "/tmp";
	f->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (f->fd < 0)
		return err_set(e, errno,
			       "%s: no temporary file in %.200s: %s; set TMPDIR to a "
			       "directory that has room for it",
			       what, dir, strerror(errno));
	(void)snprintf(f->path, sizeof(f->path), "/proc/self/fd/%d", f->fd);
	return 0;
}

int job_file_failed(const char *what, const char *doing, int code, struct err *e)
{
	const char *cure = limits_cure(code);

	return err_set(e, code, "%s: %s: %s; %s", what, doing, strerror(code),
		       cure ? cure : "set TMPDIR to a directory that has room for it");
}

void job_file_close(struct job_file *f)
{
	cleanup_close_fd(&f->fd);
	f->fd = -1;
}
