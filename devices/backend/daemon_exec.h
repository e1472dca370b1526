/* SPDX-License-Identifier: Apache-2.0 */
/* daemon_exec - a daemon's process, from vfork() to exec; for devices/backend/daemon.c only. */
#ifndef MICROVM_BACKEND_DAEMON_EXEC_H
#define MICROVM_BACKEND_DAEMON_EXEC_H

#include "devices/backend/daemon_fence.h"
#include "devices/backend/daemon_room.h"

#define DAEMON_ARGS_MAX  64
#define DAEMON_NOT_RUN   127 /* the exit status when exec failed, as in a shell */
#define DAEMON_FORBIDDEN 126 /* the same where the words say the cure */

struct daemon_exec {
	const char *path;
	struct daemon_fence *fence; /* the caller's */
	const char *argv[DAEMON_ARGS_MAX + 2];
	int fd[DAEMON_FDS_MAX]; /* all above the numbers that they become */
	unsigned int nfd;
	int null, out, ruleset;
	char *const *env;
	pid_t parent;
	struct daemon_room room;
};

/* daemon_exec_init() - all that can fail on this side, but x->path, which the caller sets.  After
 * it, whatever it returns, daemon_exec_fini(). Return: the read end of its output, or -errno
 */
int daemon_exec_init(struct daemon_exec *x, const struct daemon_spec *s,
		     struct daemon_fence *fence);
void daemon_exec_fini(struct daemon_exec *x);
/* daemon_fork() - start it.  The calling thread waits until exec.  Return: its pid, or -errno */
pid_t daemon_fork(const struct daemon_exec *x);

#endif
