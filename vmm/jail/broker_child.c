/* SPDX-License-Identifier: Apache-2.0 */
/* broker_child - the clone that becomes the machine, and the sentence about its end. */
#include "vmm/jail/broker_child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/core/outside.h"
#include "vmm/core/outside_wire.h"
#include "vmm/core/signals.h"
#include "vmm/core/util.h"
#include "vmm/jail/broker_users.h"
#include "vmm/jail/filter.h"
#include "vmm/jail/jail_steps.h"

/* ---- the child's side ---- */

static bool map_write(const char *path, const char *text)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t len = strlen(text);

	return fd >= 0 && write(fd, text, len) == (ssize_t)len;
}

/* In its user namespace it is who it was: files that it makes are this user's.  Without the maps it
 * could not mount anything.
 */
static void map_self(uid_t uid, gid_t gid)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%u %u 1", uid, uid);
	(void)map_write("/proc/self/uid_map", text);
	(void)map_write("/proc/self/setgroups", "deny");
	(void)snprintf(text, sizeof(text), "%u %u 1", gid, gid);
	(void)map_write("/proc/self/gid_map", text);
}

struct ends {
	int wire[2], relay[2]; /* the broker's, the child's */
	int mapped[2]; /* the child's, the broker's, which says whether it mapped it */
};

/* Wait until the broker says it */
static bool is_mapped(struct ends *x)
{
	char yes = 0;

	cleanup_close_fd(&x->mapped[1]);
	(void)read_full(x->mapped[0], &yes, 1);
	cleanup_close_fd(&x->mapped[0]);
	return yes;
}

static _Noreturn void child_run(const struct jail *j, struct ends *x, uid_t uid,
				gid_t gid, int (*vmm)(void *ctx), void *ctx)
{
	close(x->wire[0]);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	/* the parent's number is of no use: in a pid namespace below its own it has none */
	if (wire_is_closed(x->wire[1]))
		_exit(1);
	if (j->user_ns && !(j->users && is_mapped(x)))
		map_self(uid, gid);
	signals_adopt(x->relay[1], x->relay[0]);
	outside_part(x->wire[1]);
	_exit(vmm(ctx));
}

/* ---- the broker's side ---- */

/* Which namespaces does the clone itself give? A user with some capabilities over the host has them
 * for a reason, such as taps, and would lose them in a user namespace: that one comes with the lock.
 */
static unsigned long child_flags(struct jail *j)
{
	uint64_t caps = jail_capabilities();

	j->root = jail_is_root();
	j->user_ns = !caps;
	j->pid_ns = j->root || !caps;
	return (j->user_ns ? (unsigned long)CLONE_NEWUSER : 0) |
	       (j->pid_ns ? (unsigned long)CLONE_NEWPID : 0);
}

/* As fork(2) does it, without its handlers: there is one thread. Before Linux 5.2, and under QEMU's
 * user emulation, the descriptor is a call of its own.
 */
static pid_t child_clone(struct child *c, unsigned long flags)
{
	long pid = syscall(SYS_clone, flags | CLONE_PIDFD | SIGCHLD, NULL, &c->pidfd,
			   NULL, NULL);

	if (pid < 0 && errno == EINVAL) {
		pid = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
		c->pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	}
	return pid < 0 ? -errno : (pid_t)pid;
}

/* Linux 5.7 */
static pid_t child_clone_into(struct child *c, unsigned long flags)
{
	struct clone_args a = {.flags = flags | CLONE_PIDFD | CLONE_INTO_CGROUP,
			       .pidfd = (uintptr_t)&c->pidfd,
			       .exit_signal = SIGCHLD,
			       .cgroup = (unsigned int)c->group.dir};
	long pid = syscall(SYS_clone3, &a, sizeof(a));

	return pid < 0 ? -errno : (pid_t)pid;
}

/* Into its namespaces, or without */
static pid_t child_fork_by(pid_t (*clone)(struct child *c, unsigned long flags),
			   struct child *c, struct jail *j)
{
	unsigned long flags = child_flags(j);
	pid_t pid = clone(c, flags);

	if (pid >= 0 || !flags)
		return pid;
	j->clone_errno = -pid;
	j->user_ns = j->pid_ns = false;
	return clone(c, 0);
}

static pid_t child_fork(struct child *c, struct jail *j)
{
	pid_t pid;

	(void)child_flags(j);
	if (j->root)
		j->identity = jail_claim(&c->lock);
	if (c->group.dir < 0)
		return child_fork_by(child_clone, c, j);
	j->grouped = true;
	pid = child_fork_by(child_clone_into, c, j);
	if (pid >= 0)
		return pid;
	err_set(&j->no_group, -pid,
		"no process can be started in a control group: %s; use Linux 5.7 or later, "
		"and as an ordinary user start microvm in a group that is delegated to it",
		strerror(-pid));
	cgroup_remove(&c->group);
	j->clone_errno = 0;
	j->grouped = false;
	return j->group->must ? pid : child_fork_by(child_clone, c, j);
}

/* Return: 0, or -errno: there has to be one, and there is none */
static int child_group(struct child *c, struct jail *j)
{
	int rc = j->group ? cgroup_make(&c->group, j->group, &j->no_group) : 0;

	return rc < 0 && j->group->must ? rc : 0;
}

static int ends_open(struct ends *x, const struct jail *j)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, x->wire) < 0 ||
	    (j->users && pipe2(x->mapped, O_CLOEXEC) < 0))
		return -errno;
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
			  x->relay) < 0
		       ? -errno
		       : 0;
}

int child_start(struct child *c, struct jail *j, int (*vmm)(void *ctx), void *ctx,
		struct err *e)
{
	struct ends x = {{-1, -1}, {-1, -1}, {-1, -1}};
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int rc = ends_open(&x, j);

	*c = (struct child){.pidfd = -1,
			    .lock = -1,
			    .wire = x.wire[0],
			    .relay = x.relay[0],
			    .its_wire = x.wire[1],
			    .its_relay = x.relay[1],
			    .group = {.parent = -1, .dir = -1, .events = -1}};
	if (rc < 0)
		return err_set(e, -rc, "no sockets for the jail: %s", strerror(-rc));
	rc = child_group(c, j);
	c->pid = rc < 0 ? rc : child_fork(c, j);
	if (c->pid == 0) {
		cleanup_close_fd(&c->lock);
		cgroup_close(&c->group);
		child_run(j, &x, uid, gid, vmm, ctx);
	}
	cleanup_close_fd(&x.mapped[0]);
	if (c->pid > 0 && j->users) {
		bool yes = j->user_ns && broker_users(c->pid);

		(void)!write(x.mapped[1], &yes, 1);
	}
	cleanup_close_fd(&x.mapped[1]);
	if (c->pid > 0)
		return 0;
	rc = c->pid;
	child_close(c);
	if (j->no_group.code && j->group->must)
		return err_set(e, -rc, "no control group for the machine: %.400s",
			       j->no_group.msg);
	return err_set(e, -rc,
		       "no process for the machine: %s; raise ulimit -u, or the "
		       "pids.max of the control group",
		       strerror(-rc));
}

void child_reap(struct child *c)
{
	pid_t pid;

	do
		pid = waitpid(c->pid, &c->status, 0);
	while (pid < 0 && errno == EINTR);
	if (pid < 0) /* reaped elsewhere: SIGCHLD was ignored */
		c->status = 1 << 8;
	c->ended = true;
}

bool child_stopped(struct child *c)
{
	int status;

	if (waitpid(c->pid, &status, WUNTRACED | WNOHANG) != c->pid)
		return false;
	if (WIFSTOPPED(status))
		return true;
	c->status = status;
	c->ended = true;
	return false;
}

void child_close(struct child *c)
{
	cleanup_close_fd(&c->pidfd);
	cleanup_close_fd(&c->wire);
	cleanup_close_fd(&c->relay);
	cleanup_close_fd(&c->its_wire);
	cleanup_close_fd(&c->its_relay);
	cleanup_close_fd(&c->lock);
	cgroup_remove(&c->group);
}

int child_verdict(const struct child *c, const struct jail *j, struct err *e)
{
	int sig = WIFSIGNALED(c->status) ? WTERMSIG(c->status) : 0;

	/* a job's may be any */
	if (j->said && WIFEXITED(c->status) && *j->said == WEXITSTATUS(c->status))
		return WEXITSTATUS(c->status);
	if (WIFEXITED(c->status) && WEXITSTATUS(c->status) == 128 + SIGBUS)
		sig = SIGBUS;
	else if (WIFEXITED(c->status) && WEXITSTATUS(c->status) != JAIL_FILTER_STATUS)
		return WEXITSTATUS(c->status);
	if (e->code) /* the broker's own trouble, for which it was killed */
		return -e->code;
	if (!sig && j->why[JAIL_SECCOMP])
		return err_set(
			e, j->why[JAIL_SECCOMP],
			"the jail is not closed, and no guest ran: the kernel gave a "
			"thread no filter of system calls (%s); give the host more "
			"memory, or start with --jail off",
			strerror(j->why[JAIL_SECCOMP]));
	if (c->nonsense)
		return err_set(
			e, EPROTO,
			"the machine's process asked for what no machine needs, and "
			"was killed: its guest may have taken it over");
	if (sig == SIGKILL && cgroup_starved(&c->group, e) < 0)
		return -e->code;
	if (!sig || sig == SIGSYS)
		return err_set(
			e, EPERM,
			"the jail ended the machine: its process made a system call "
			"that no machine needs; its guest may have taken it over, or "
			"this is a fault of ours: compare with --jail off");
	return err_set(e, EINTR, "the machine's process was killed by signal %d (%s)",
		       sig, sigdescr_np(sig) ? sigdescr_np(sig) : "?");
}
