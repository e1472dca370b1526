/* SPDX-License-Identifier: Apache-2.0 */
/* init - the first process: file systems of the kernel, its modules, the port, and the loop */
#include "guest-images/agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest-images/agent/port.h"
#include "guest-images/agent/session.h"

enum stage { GREETING, BEFORE_ROOT, SERVING, FAILED };

static struct agent_reader in = {.from = AGENT_HOST};
static struct agent_writer out;
static enum stage stage;
static char *text; /* of MACHINE */
static size_t ntext;

void agent_panic(const char *fmt, ...)
{
	char why[AGENT_SENTENCE + 1], line[AGENT_SENTENCE + 32];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	(void)snprintf(line, sizeof(line), "<0>agent: %s\n", why);
	(void)write_file("/dev/kmsg", line);
	_exit(1);
}

/* A line of /modules/groups is a group's name, then its modules in the order in which to load them */
void modules_load(const char *name)
{
	static char groups[4096];
	char *line = groups, *next, *word;
	char path[128];

	if (read_file("/modules/groups", groups, sizeof(groups)) <= 0)
		return;
	for (; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		word = strsep(&line, " ");
		if (strcmp(word, name) != 0)
			continue;
		while ((word = strsep(&line, " "))) {
			int fd;

			(void)snprintf(path, sizeof(path), "/modules/%s", word);
			fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd < 0) /* loaded already */
				continue;
			if (syscall(SYS_finit_module, fd, "", 0) == 0 || errno == EEXIST)
				(void)unlink(path); /* its memory is the jobs' */
			close(fd);
		}
		return;
	}
}

/* pivot_root() needs a root that is mounted on something, and the initramfs is not: so it is mounted
 * upon itself */
static void mount_all(void)
{
	static const struct {
		const char *type, *where;
		unsigned long flags;
	} mounts[] = {
		{"devtmpfs", "/dev", MS_NOSUID},
		{"proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC},
		{"sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC},
	};

	(void)mkdir("/run", 0755);
	(void)mkdir("/run/base", 0755);
	if (mount("/", "/run/base", NULL, MS_BIND, NULL) < 0 || chdir("/run/base") < 0 ||
	    mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
		agent_panic("the initramfs cannot be mounted upon itself: %s",
			    strerror(errno));
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		(void)mkdir(mounts[i].where, 0755);
		if (mount(mounts[i].type, mounts[i].where, mounts[i].type,
			  mounts[i].flags, NULL) < 0)
			agent_panic(
				"%s cannot be mounted: %s: the kernel needs CONFIG_DEVTMPFS, CONFIG_PROC_FS and CONFIG_SYSFS",
				mounts[i].where, strerror(errno));
	}
}

/* What only the host has: the time, and bytes that no other guest got */
static void take_hello(const struct agent_frame *f)
{
	/* struct rand_pool_info, with its bytes */
	struct {
		int entropy_count, buf_size;
		uint8_t bytes[AGENT_ENTROPY];
	} pool = {.entropy_count = AGENT_ENTROPY * 8, .buf_size = AGENT_ENTROPY};
	struct agent_hello hello;
	struct timespec now;
	int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);

	agent_hello(f, &hello);
	if (hello.version != AGENT_VERSION) {
		(void)agent_put_fail(
			&out,
			"this microvm and the agent of its guest are of different versions: make the agent again, by guest-images/agent/prepare");
		stage = FAILED;
		return;
	}
	now.tv_sec = (time_t)(hello.wall_ns / 1000000000);
	now.tv_nsec = (long)(hello.wall_ns % 1000000000);
	(void)clock_settime(CLOCK_REALTIME, &now);
	memcpy(pool.bytes, hello.entropy, sizeof(pool.bytes));
	if (fd >= 0) {
		(void)ioctl(fd, RNDADDENTROPY, &pool);
		close(fd);
	}
	stage = BEFORE_ROOT;
}

static void take_machine(const struct agent_frame *f)
{
	char *more = ntext + f->len <= AGENT_TEXT ? realloc(text, ntext + f->len) : NULL;

	if (!more)
		agent_panic("the host describes the machine in more than %u bytes",
			    AGENT_TEXT);
	text = more;
	memcpy(text + ntext, f->payload, f->len);
	ntext += f->len;
}

static void take_made(void)
{
	char why[AGENT_SENTENCE + 1] = "";

	if (machine_make(text, ntext, why)) {
		(void)agent_put(&out, AGENT_READY, 0, 0, NULL, 0);
		stage = SERVING;
	} else {
		(void)agent_put_fail(&out, why);
		stage = FAILED;
	}
	free(text);
	text = NULL;
}

static void take_frame(const struct agent_frame *f)
{
	if (stage == FAILED)
		return;
	if (stage == GREETING && f->type == AGENT_HELLO)
		take_hello(f);
	else if (stage == BEFORE_ROOT && f->type == AGENT_MACHINE)
		take_machine(f);
	else if (stage == BEFORE_ROOT && f->type == AGENT_MADE)
		take_made();
	else if (stage == SERVING && f->session)
		sessions_frame(&out, f);
	else
		agent_panic("the host sent a frame out of turn: type %d", (int)f->type);
}

/* Frames that have come, as long as there is room for what they may make us say.
 * Return: was there room for all? */
static bool take_frames(void)
{
	struct agent_frame f;
	int rc = 0;

	while (agent_space(&out) && (rc = agent_next(&in, &f)) == 1)
		take_frame(&f);
	if (rc < 0)
		agent_panic("the host sent what is no frame");
	return agent_space(&out) > 0;
}

static void reap(int children)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	(void)!read(children, &info, sizeof(info));
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		sessions_reaped(&out, pid, status);
}

static int child_events(void)
{
	sigset_t set;

	sigfillset(&set);
	(void)sigprocmask(SIG_SETMASK, &set,
			  NULL); /* a write to a closed pipe is an error for us */
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static _Noreturn void serve(int port, int children)
{
	struct pollfd fds[2 + SESSION_POLLS];

	for (bool all = true;;) {
		unsigned int n = 2 + sessions_poll(&out, fds + 2);
		size_t unsent;

		(void)agent_unsent(&out, &unsent);
		fds[0] = (struct pollfd){port, (short)(POLLIN | (unsent ? POLLOUT : 0)),
					 0};
		fds[1] = (struct pollfd){children, POLLIN, 0};
		if (!agent_space(&out))
			fds[0].events = POLLOUT;
		/* frames that had no room wait in our own memory, of which nothing tells */
		(void)poll(fds, n, !all && agent_space(&out) ? 0 : -1);
		if (fds[1].revents)
			reap(children);
		all = take_frames();
		if (all) {
			port_read(port, &in);
			all = take_frames();
		}
		sessions_run(&out);
		port_write(port, &out);
	}
}

int main(void)
{
	struct agent_hello hello = {.version = AGENT_VERSION};
	int port, children;

	if (getpid() != 1)
		return 1;
	mount_all();
	modules_load("boot");
	port = port_open(AGENT_PORT);
	children = child_events();
	cgroup_init();
	(void)agent_put_hello(&out, AGENT_GUEST, &hello);
	port_write(port, &out); /* before what takes a while */
	serve(port, children);
}
