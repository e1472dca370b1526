/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job - a session's job has a process tree, mounts, IPC and a host name of its own.  The first process
 * of these namespaces is the reaper: it starts the job's command, waits for what is left to it, hands
 * on signals (a first process has no default actions, so the command is not it), and says how the
 * command ended.  When the reaper ends, the kernel kills all that is left in there.
 */
#include "guest-images/agent/job.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where the reaper has its descriptors; all others are closed */
enum { CTL = 3, CHILD_EVENTS };

/* The namespaces' own views, in a root that is ours by now */
static bool reaper_mounts(struct note *note)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    chdir(AGENT_ROOT) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return sentence(note->sentence, "the root cannot be entered: %s",
				strerror(errno));
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 ||
	    mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return sentence(note->sentence,
				"the root has no /proc and /sys that can be mounted: %s",
				strerror(errno));
	(void)unshare(CLONE_NEWCGROUP);
	(void)mount("cgroup2", "/sys/fs/cgroup", "cgroup2",
		    MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	return true;
}

static void tell(uint32_t what, uint32_t status, struct note *note)
{
	note->what = what;
	note->status = status;
	(void)send(CTL, note, sizeof(*note), MSG_NOSIGNAL);
}

/* The command: a note comes through @note_pipe if it cannot be run; else the pipe just ends */
static pid_t reaper_start(const struct spec *s, int note_pipe[2])
{
	pid_t pid = fork();
	struct note note = {0};

	if (pid != 0)
		return pid;
	job_run(s, &note);
	(void)!write(note_pipe[1], &note, sizeof(note));
	_exit(0);
}

/* Hand on a signal.  Return: is anybody there to say more? */
static bool reaper_signal(pid_t command)
{
	uint8_t signal;

	if (recv(CTL, &signal, 1, MSG_DONTWAIT) == 1)
		(void)kill(command, signal);
	else if (errno != EAGAIN && errno != EINTR)
		return false;
	return true;
}

/* Until the command has ended.  Return: its status */
static int reaper_wait(pid_t command)
{
	struct pollfd fds[2] = {{CTL, POLLIN, 0}, {CHILD_EVENTS, POLLIN, 0}};

	for (;;) {
		struct signalfd_siginfo info;
		int status;
		pid_t pid;

		(void)poll(fds, 2, -1);
		if ((fds[0].revents & (POLLIN | POLLHUP)) && !reaper_signal(command))
			fds[0].fd = -1;
		(void)!read(CHILD_EVENTS, &info, sizeof(info));
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			if (pid == command)
				return status;
	}
}

static void reaper_ready(int in, int out, int err, int ctl)
{
	int fds[4] = {in, out, err, ctl};
	sigset_t all;

	/* out of the way of the numbers that they get */
	for (int i = 0; i < 4; i++)
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 64);
	for (int i = 0; i < 4; i++)
		(void)dup3(fds[i], i, i == CTL ? O_CLOEXEC : 0);
	(void)close_range(CTL + 1, ~0U, 0);
	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	sigemptyset(&all);
	sigaddset(&all, SIGCHLD);
	(void)!signalfd(-1, &all,
			SFD_CLOEXEC | SFD_NONBLOCK); /* the next free one: CHILD_EVENTS */
}

/* The reaper, from its first instruction; its standard streams are the job's */
static _Noreturn void reaper(const struct spec *s)
{
	struct note note = {0};
	int note_pipe[2];
	pid_t command = -1;
	ssize_t n;

	(void)sethostname(machine_hostname(), strlen(machine_hostname()));
	if (reaper_mounts(&note) && pipe2(note_pipe, O_CLOEXEC) == 0) {
		command = reaper_start(s, note_pipe);
		if (command < 0)
			(void)sentence(note.sentence, "the command has no process: %s",
				       strerror(errno));
	}
	if (command < 0) {
		tell(NOTE_CANNOT, 125, &note);
		_exit(0);
	}
	/* the streams are the job's: they end when it closes them */
	for (int i = 0; i < 3; i++)
		close(i);
	close(note_pipe[1]);
	do
		n = read(note_pipe[0], &note, sizeof(note));
	while (n < 0 && errno == EINTR);
	close(note_pipe[0]);
	if (n == (ssize_t)sizeof(note)) {
		tell(NOTE_CANNOT, note.status, &note);
	} else {
		tell(NOTE_STARTED, (uint32_t)command, &note);
		tell(NOTE_ENDED, (uint32_t)reaper_wait(command), &note);
	}
	_exit(0);
}

/* A terminal in the job's own devpts.  Return: is it there? */
static bool make_terminal(struct job *job, const struct spec *s)
{
	struct winsize size = {.ws_row = s->rows, .ws_col = s->cols};
	int unlock = 0, master = open(AGENT_ROOT "/dev/pts/ptmx",
				      O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	if (master < 0)
		return false;
	job->out = master;
	job->in = fcntl(master, F_DUPFD_CLOEXEC, 0);
	if (job->in < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return false;
	(void)ioctl(master, TIOCSWINSZ, &size);
	job->slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return job->slave >= 0;
}

/* A pipe whose end @ours is non-blocking */
static bool make_pipe(int *ours, int *theirs, bool we_write)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return false;
	*ours = fds[we_write];
	*theirs = fds[!we_write];
	return fcntl(*ours, F_SETFL, O_NONBLOCK) == 0;
}

/* The job's streams, its ends at @theirs */
static bool make_streams(struct job *job, const struct spec *s, int theirs[3])
{
	if (s->terminal) {
		if (!make_terminal(job, s))
			return false;
		for (int i = 0; i < 3; i++)
			theirs[i] = fcntl(job->slave, F_DUPFD_CLOEXEC, 0);
		return theirs[0] >= 0 && theirs[1] >= 0 && theirs[2] >= 0;
	}
	if (s->has_stdin ? !make_pipe(&job->in, &theirs[0], true)
			 : (theirs[0] = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0)
		return false;
	return make_pipe(&job->out, &theirs[1], false) &&
	       make_pipe(&job->err, &theirs[2], false);
}

static void close_all(int *fds, int n)
{
	for (int i = 0; i < n; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

/* fork(), into namespaces and a cgroup */
static pid_t fork_apart(int cgroup)
{
	struct clone_args args = {.flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC |
					   CLONE_NEWUTS | CLONE_INTO_CGROUP,
				  .exit_signal = SIGCHLD,
				  .cgroup = (uint32_t)cgroup};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

bool job_start(struct job *job, const struct spec *s, unsigned int number,
	       char why[AGENT_SENTENCE + 1])
{
	int theirs[4] = {-1, -1, -1, -1}, ctl[2], cgroup = -1;
	const char *what = "its streams cannot be made";
	bool ok = make_streams(job, s, theirs);

	if (ok) {
		what = "its control socket cannot be made";
		ok = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ctl) == 0;
	}
	if (ok) {
		job->ctl = ctl[0];
		theirs[3] = ctl[1];
		what = "its cgroup cannot be made: the kernel needs CONFIG_CGROUPS";
		cgroup = cgroup_make(number);
		ok = cgroup >= 0;
	}
	if (ok) {
		what = "its namespaces cannot be made";
		job->reaper = fork_apart(cgroup);
		if (job->reaper == 0) {
			reaper_ready(theirs[0], theirs[1], theirs[2], theirs[3]);
			reaper(s);
		}
		ok = job->reaper > 0;
	}
	if (!ok) {
		(void)sentence(why, "the job cannot be started: %s: %s", what,
			       strerror(errno));
		close_all((int[]){job->ctl, job->in, job->out, job->err, job->slave}, 5);
		*job = (struct job){
			.ctl = -1, .in = -1, .out = -1, .err = -1, .slave = -1};
	}
	close_all(theirs, 4);
	if (cgroup >= 0)
		close(cgroup);
	return ok;
}
