/* SPDX-License-Identifier: Apache-2.0 */
/*
 * namespaces - may a program of ours have a mount namespace of its own here?  Some containers
 * allow none, and where chroot(2) made a directory the root its mounts stay the host's.
 */
#ifndef MICROVM_TESTS_NAMESPACES_H
#define MICROVM_TESTS_NAMESPACES_H

#include <sched.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static inline bool namespaces_allowed_of(int flags)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWNS | flags) < 0 ||
		      mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static inline bool namespaces_allowed(void)
{
	return namespaces_allowed_of(geteuid() != 0 ? CLONE_NEWUSER : 0);
}

/* A user namespace as well: no process with several threads may, as all are with ThreadSanitizer */
static inline bool user_namespaces_allowed(void)
{
	return namespaces_allowed_of(CLONE_NEWUSER);
}

#endif
