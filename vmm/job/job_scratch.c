/* SPDX-License-Identifier: Apache-2.0 */
/* job_scratch - the disk of --scratch. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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
 * when they are used.  Our stdin and stdout are the job's, so it gets neither
 */
static int scratch_spawn(const char *program, int fd, pid_t *pid)
{
	static const char *const args[] = {"mkfs.ext4",
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
	static const char *const env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	posix_spawn_file_actions_t a;
	int rc = posix_spawn_file_actions_init(&a);

	if (rc)
		return -rc;
	if (fd == 3) /* which is close-on-exec, and dup2() to itself leaves that */
		rc = fcntl(fd, F_SETFD, 0) < 0 ? errno : 0;
	else
		rc = posix_spawn_file_actions_adddup2(&a, fd, 3);
	if (!rc)
		rc = posix_spawn_file_actions_addopen(&a, 0, "/dev/null", O_RDONLY, 0);
	if (!rc)
		rc = posix_spawn_file_actions_adddup2(&a, 2, 1);
	if (!rc)
		rc = posix_spawn(pid, program, &a, NULL, (char *const *)(uintptr_t)args,
				 (char *const *)(uintptr_t)env);
	(void)posix_spawn_file_actions_destroy(&a);
	if (fd == 3)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	return -rc;
}

int job_scratch_make(struct job_file *f, uint64_t size, struct err *e)
{
	char program[PATH_MAX];
	int rc = scratch_program(program, e), status;
	pid_t pid = 0;

	if (rc == 0)
		rc = job_file_make(f, "--scratch", e);
	if (rc < 0)
		return rc;
	if (ftruncate(f->fd, (off_t)size) < 0)
		return job_file_failed("--scratch", "no file can be so long", errno, e);
	rc = scratch_spawn(program, f->fd, &pid);
	if (rc < 0)
		return err_set(e, -rc, "--scratch: %s cannot be started: %s", program,
			       strerror(-rc));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_set(e, errno, "--scratch: mkfs.ext4 is lost");
	if (status != 0)
		return err_set(
			e, EIO,
			"--scratch: mkfs.ext4 ended with status %d: what it says is "
			"above; set TMPDIR to a directory that has room for it",
			WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return 0;
}
