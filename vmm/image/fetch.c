/* SPDX-License-Identifier: Apache-2.0 */
/* fetch - skopeo, started and waited for. */
#include "vmm/image/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/core/util.h"

/* In the new process: stdout is the job's, and it ends with its parent, by SIGKILL as well */
static void become(const char *const *argv, pid_t parent)
{
	int none = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigset_t no_signals;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	for (int s = 1; s <= SIGRTMAX; s++)
		(void)signal(s, SIG_DFL);
	sigemptyset(&no_signals);
	(void)sigprocmask(SIG_SETMASK, &no_signals, NULL);
	if (none < 0 || dup2(none, STDIN_FILENO) < 0 ||
	    dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return;
	(void)execvp(argv[0], (char *const *)(uintptr_t)argv);
}

/* Return: 0, or the errno of what failed */
static int spawn(pid_t *pid, const char *const *argv)
{
	pid_t self = getpid();
	int fds[2], code = 0;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return errno;
	*pid = fork();
	if (*pid == 0) {
		become(argv, self);
		code = errno;
		(void)write_full(fds[1], &code, sizeof(code));
		_exit(127);
	}
	code = *pid < 0 ? errno : 0;
	close(fds[1]);
	/* exec closes the other end */
	if (*pid > 0 && read_full(fds[0], &code, sizeof(code)) == sizeof(code))
		(void)waitpid(*pid, NULL, 0);
	close(fds[0]);
	return code;
}

int fetch_image(const char *name, const char *arch, const char *dir, bool show,
		struct err *e)
{
	cleanup_free char *from = NULL, *to = NULL;
	const char *argv[12] = {"skopeo",          "copy", "--override-os", "linux",
				"--override-arch", arch};
	int rc, status = 0, n = 6;
	pid_t pid = -1;

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
