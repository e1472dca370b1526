/* SPDX-License-Identifier: Apache-2.0 */
/* fetch - skopeo, started and waited for. */
#include "vmm/image/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/core/util.h"

static int spawn(pid_t *pid, const char *const *argv)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int rc;

	sigemptyset(&none);
	sigfillset(&all);
	(void)posix_spawn_file_actions_init(&files);
	(void)posix_spawnattr_init(&attr);
	(void)posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null",
					       O_RDONLY, 0);
	/* stdout is the job's */
	(void)posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
	(void)posix_spawnattr_setsigmask(&attr, &none);
	(void)posix_spawnattr_setsigdefault(&attr, &all);
	(void)posix_spawnattr_setflags(&attr,
				       POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	rc = posix_spawnp(pid, argv[0], &files, &attr, (char *const *)(uintptr_t)argv,
			  environ);
	(void)posix_spawn_file_actions_destroy(&files);
	(void)posix_spawnattr_destroy(&attr);
	return rc;
}

int fetch_image(const char *name, const char *arch, const char *dir, bool show,
		struct err *e)
{
	cleanup_free char *from = NULL, *to = NULL;
	const char *argv[12] = {"skopeo",          "copy", "--override-os", "linux",
				"--override-arch", arch};
	int rc, status = 0, n = 6;
	pid_t pid;

	if (asprintf(&from, "docker://%s", name) < 0 ||
	    asprintf(&to, "oci:%s:image", dir) < 0)
		return err_set(e, ENOMEM, "out of memory");
	if (!show)
		argv[n++] = "--quiet";
	argv[n++] = from;
	argv[n++] = to;
	rc = spawn(&pid, argv);
	if (rc == ENOENT)
		return err_set(
			e, ENOENT,
			"%.100s is an image of a registry, which skopeo fetches, and "
			"that is not installed; install it (apt-get install skopeo), or: "
			"docker save %.100s | microvm run docker-archive:- -- COMMAND",
			name, name);
	if (rc)
		return err_set(e, rc,
			       "skopeo, which fetches %.100s, cannot be started: %s",
			       name, strerror(rc));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status == 0)
		return 0;
	return err_set(
		e, EIO,
		"skopeo could not fetch %.100s, for the reason that it gives "
		"above; is the name right, is there a network, does skopeo login help?",
		name);
}
