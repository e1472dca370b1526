/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/core/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/core/util.h"

#define PROGRAM_SAID_MAX 200

/* Ours are held: a Ctrl-C ends one that takes long */
static int program_signals(posix_spawnattr_t *attr)
{
	sigset_t none;

	sigemptyset(&none);
	(void)posix_spawnattr_setsigmask(attr, &none);
	return posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK);
}

/* What it says goes to @out.  Return: 0 or an errno */
static int program_ends(posix_spawn_file_actions_t *a, int fd, int out)
{
	int rc;

	rc = posix_spawn_file_actions_addopen(a, 0, "/dev/null", O_RDONLY, 0);
	if (!rc)
		rc = posix_spawn_file_actions_adddup2(a, out, 1);
	if (!rc)
		rc = posix_spawn_file_actions_adddup2(a, out, 2);
	if (!rc && fd == 3) /* close-on-exec, which dup2() to itself leaves as it is */
		rc = fcntl(fd, F_SETFD, 0) < 0 ? errno : 0;
	else if (!rc && fd >= 0)
		rc = posix_spawn_file_actions_adddup2(a, fd, 3);
	return rc;
}

/* Return: 0 or an errno */
static int program_start(const char *path, const char *const *argv, int fd, int out,
			 pid_t *pid)
{
	static const char *const env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	posix_spawn_file_actions_t a;
	posix_spawnattr_t attr;
	int rc = posix_spawnattr_init(&attr);

	if (rc)
		return rc;
	rc = posix_spawn_file_actions_init(&a);
	if (!rc) {
		rc = program_signals(&attr);
		if (!rc)
			rc = program_ends(&a, fd, out);
		if (!rc)
			rc = posix_spawn(pid, path, &a, &attr,
					 (char *const *)(uintptr_t)argv,
					 (char *const *)(uintptr_t)env);
		(void)posix_spawn_file_actions_destroy(&a);
	}
	(void)posix_spawnattr_destroy(&attr);
	if (fd == 3)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	return rc;
}

int program_run(const char *path, const char *const *argv, int fd, struct err *e)
{
	char said[PROGRAM_SAID_MAX] = "", more[512];
	int ends[2], status = 0, rc;
	pid_t pid = 0;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(e, errno, "%.200s: no pipe: %s", path, strerror(errno));
	rc = program_start(path, argv, fd, ends[1], &pid);
	close(ends[1]);
	if (rc == 0) {
		(void)read_full(ends[0], said, sizeof(said) - 1);
		while (read_full(ends[0], more, sizeof(more)) > 0)
			;
	}
	close(ends[0]);
	if (rc)
		return err_set(e, rc, "%.200s cannot be started: %s", path, strerror(rc));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_set(e, errno, "%.200s is lost", path);
	if (status == 0)
		return 0;
	said[strcspn(said, "\n")] = '\0';
	text_printable(said, strlen(said));
	if (*said)
		return err_set(e, EIO, "%.200s: %s", path, said);
	return err_set(e, EIO, "%.200s ended with status %d", path,
		       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}
