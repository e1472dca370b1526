/* SPDX-License-Identifier: Apache-2.0 */
/* daemon_exec - a daemon's process, from vfork() to exec. */
#include "devices/backend/daemon_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/core/util.h"

/* The new process reports its error and ends */
static _Noreturn void daemon_give_up(const char *lost, int status)
{
	const char *why = strerrordesc_np(errno);

	(void)!write(STDERR_FILENO, lost, strlen(lost));
	(void)!write(STDERR_FILENO, why, strlen(why));
	_exit(status);
}

static void daemon_end_with(pid_t parent)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent) /* it died before that */
		_exit(DAEMON_NOT_RUN);
}

/* The new process until exec; it shares our memory, so it makes only system calls and changes no
 * data of ours.
 */
static _Noreturn void daemon_become(const struct daemon_exec *x)
{
	int last = DAEMON_FD_FIRST + (int)x->nfd;
	const char *lost;
	sigset_t none;

	daemon_end_with(x->parent);
	(void)setsid();
	(void)dup2(x->null, STDIN_FILENO);
	(void)dup2(x->out, STDOUT_FILENO);
	(void)dup2(x->out, STDERR_FILENO);
	if ((lost = daemon_room_stand(&x->room)))
		daemon_give_up(lost, DAEMON_NOT_RUN);
	for (unsigned int i = 0; i < x->nfd; i++)
		(void)dup2(x->fd[i], (int)(DAEMON_FD_FIRST + i));
	if (x->ruleset >= 0 && x->ruleset != last)
		(void)dup3(x->ruleset, last, O_CLOEXEC);
	/* also those that others did not mark close-on-exec; before Linux 5.9 they stay */
	(void)syscall(SYS_close_range, last + (x->ruleset >= 0), UINT_MAX, 0);
	/* signals that we ignore, or that nohup or a script's `&` made us ignore; but a guest
	 * that writes beyond ulimit -f must not end the daemon that writes for it
	 */
	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, sig == SIGXFSZ ? SIG_IGN : SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if ((lost = daemon_room_enter(&x->room)))
		daemon_give_up(lost, DAEMON_NOT_RUN);
	daemon_end_with(x->parent); /* a change of user clears it */
	if ((lost = daemon_fence_enter(x->fence, x->ruleset >= 0 ? last : -1)))
		daemon_give_up(lost, DAEMON_NOT_RUN);
	(void)execve(x->path, (char *const *)(uintptr_t)x->argv, x->env);
	if (x->ruleset >= 0 && errno == EACCES)
		daemon_give_up("cannot be executed where it is confined to its own "
			       "files, as a script needs others; --jail off starts it "
			       "unconfined: ",
			       DAEMON_FORBIDDEN);
	daemon_give_up("cannot be executed: ", DAEMON_NOT_RUN);
}

/* vfork: no copy of the guest's page tables.  Signals are kept off while the child uses
 * our memory.
 */
pid_t daemon_fork(const struct daemon_exec *x)
{
	int dumps = prctl(PR_GET_DUMPABLE);
	sigset_t all, old;
	pid_t pid;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pid = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork) */
	if (pid == 0)
		daemon_become(x); /* NOLINT(clang-analyzer-unix.Vfork) */
	/* a change of user takes it from the memory, which was ours, and our /proc/self with it */
	(void)prctl(PR_SET_DUMPABLE, dumps, 0, 0, 0);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return pid < 0 ? -errno : pid;
}

void daemon_exec_fini(struct daemon_exec *x)
{
	for (unsigned int i = 0; i < x->nfd; i++)
		close(x->fd[i]);
	cleanup_close_fd(&x->null);
	cleanup_close_fd(&x->out);
	cleanup_close_fd(&x->ruleset);
}

/* A copy of @fd above all numbers that the program gets. Return: it, or -errno */
static int daemon_lift(const struct daemon_spec *s, int fd)
{
	int n = fcntl(fd, F_DUPFD_CLOEXEC, DAEMON_FD_FIRST + (int)s->nfd);

	return n < 0 ? -errno : n;
}

int daemon_exec_init(struct daemon_exec *x, const struct daemon_spec *s,
		     struct daemon_fence *fence)
{
	static char *const no_env[] = {NULL};
	cleanup_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int ends[2], n = 0;

	*x = (struct daemon_exec){
		.null = -1, .out = -1, .ruleset = -1, .parent = getpid()};
	x->fence = fence;
	x->env = s->reach && s->jail != JAIL_OFF ? no_env : environ;
	x->argv[0] = s->program;
	n = daemon_room_init(&x->room, s);
	if (n < 0)
		return n;
	for (; s->args[n]; n++) {
		BUG_ON(n == DAEMON_ARGS_MAX);
		x->argv[n + 1] = s->args[n];
	}
	BUG_ON(s->nfd > DAEMON_FDS_MAX);
	if (null < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	x->null = daemon_lift(s, null);
	x->out = daemon_lift(s, ends[1]);
	close(ends[1]);
	if (fence->ruleset >= 0)
		x->ruleset = daemon_lift(s, fence->ruleset);
	while (x->nfd < s->nfd && (x->fd[x->nfd] = daemon_lift(s, s->fd[x->nfd])) >= 0)
		x->nfd++;
	if ((x->ruleset >= 0 || fence->ruleset < 0) && x->null >= 0 && x->out >= 0 &&
	    x->nfd == s->nfd && fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0)
		return ends[0];
	n = -errno;
	close(ends[0]);
	return n;
}
