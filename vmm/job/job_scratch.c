/* SPDX-License-Identifier: Apache-2.0 */
/* job_scratch - the disk of --scratch. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/core/program.h"
#include "vmm/core/shell.h"
#include "vmm/core/util.h"
#include "vmm/job/job_file.h"

/* A user's PATH often lacks the directories of such programs */
static int scratch_program(char path[PATH_MAX], struct err *e)
{
	static const char *const places[] = {"/usr/sbin", "/sbin"};
	int rc = shell_find("mkfs.ext4", path, PATH_MAX);

	for (size_t i = 0; rc < 0 && i < ARRAY_SIZE(places); i++)
		rc = shell_find_in(places[i], strlen(places[i]), "mkfs.ext4", path,
				   PATH_MAX);
	return rc < 0 ? err_set(e, -rc,
				"--scratch: mkfs.ext4, which makes its file system, is not "
				"installed; apt install e2fsprogs")
		      : 0;
}

/* Nothing of it outlives the machine: no journal, and no block kept for root.  Its tables are written
 * when they are used
 */
static const char *const scratch_args[] = {"mkfs.ext4",
					   "-q",
					   "-F",
					   "-t",
					   "ext4",
					   "-m",
					   "0",
					   "-O",
					   "^has_journal",
					   "-E",
					   "lazy_itable_init=1,nodiscard,root_owner=0:0",
					   "/proc/self/fd/3",
					   NULL};

int job_scratch_make(struct job_file *f, uint64_t size, struct err *e)
{
	char program[PATH_MAX];
	struct err why;
	int rc = scratch_program(program, e);

	if (rc == 0)
		rc = job_file_make(f, "--scratch", e);
	if (rc < 0)
		return rc;
	if (ftruncate(f->fd, (off_t)size) < 0)
		return job_file_failed("--scratch", "no file can be so long", errno, e);
	if (program_run(program, scratch_args, f->fd, &why) == 0)
		return 0;
	return err_set(
		e, EIO,
		"--scratch: %.300s; set TMPDIR to a directory that has room for it",
		why.msg);
}
