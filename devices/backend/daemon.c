/* SPDX-License-Identifier: Apache-2.0 */
/* daemon - start a helper program, log its output, notice its end, and end it. */
#include "devices/backend/daemon.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/backend/daemon_exec.h"
#include "vmm/core/limits.h"
#include "vmm/core/log.h"
#include "vmm/core/outside.h"
#include "vmm/core/signals.h"
#include "vmm/core/shell.h"
#include "vmm/core/util.h"

#define DAEMON_STOP_MS 1000 /* between SIGTERM and SIGKILL */
#define DAEMON_STATUS_LOST \
	(-1) /* no status that waitpid(2) returns: it was reaped elsewhere */
#define DAEMON_TALK_CHUNK 512
#define DAEMON_TALK_TURNS 8   /* chunks before other sources get their turn */
#define DAEMON_TALK_LAST  256 /* chunks at its end: more than a pipe holds */

void daemon_init(struct daemon *d)
{
	*d = (struct daemon){.end.fd = -1, .talk.fd = -1, .slot = -1};
}

/* ---- where it is ---- */

int daemon_find(const struct daemon_spec *s, char *path, size_t size, struct err *e)
{
	int rc = shell_find(s->program, path, size);

	for (unsigned int i = 0; rc != 0 && s->places && s->places[i]; i++) {
		const char *dir = s->places[i];
		int one = shell_find_in(dir, strlen(dir), s->program, path, size);

		rc = one == -ENOENT ? rc : one;
	}
	if (rc == -EACCES)
		return err_set(e, EACCES, "%s is installed, but this user may not run it",
			       s->program);
	if (rc < 0)
		return err_set(e, ENOENT, "%s is not installed; %s", s->program, s->cure);
	return 0;
}

/* ---- the start ---- */

int daemon_start(struct daemon *d, const struct daemon_spec *s, struct err *e)
{
	char path[PATH_MAX];
	struct daemon_fence fence;
	struct daemon_exec x;
	int rc = daemon_find(s, path, sizeof(path), e);

	if (rc < 0)
		return rc;
	daemon_init(d);
	d->program = s->program;
	d->noise = s->noise;
	rc = daemon_fence_init(&fence, s, path, e);
	if (rc < 0)
		return rc;
	rc = d->talk.fd = daemon_exec_init(&x, s, &fence);
	if (rc >= 0) {
		x.path = path;
		rc = daemon_fork(&x);
	}
	daemon_exec_fini(&x);
	daemon_fence_fini(&fence);
	if (rc > 0) {
		d->pid = rc;
		d->end.fd = (int)syscall(SYS_pidfd_open, d->pid, 0);
		rc = d->end.fd < 0 ? -errno : outside_helper(d->end.fd);
		d->slot = MAX(rc, -1);
		rc = MIN(rc, 0);
	}
	if (rc < 0) {
		daemon_stop(d);
		return err_set(e, -rc, "%s cannot be started: %s%s", s->program,
			       strerror(-rc), limits_thread_cure(-rc));
	}
	rc = daemon_fence_held(&fence, e);
	if (rc < 0) {
		daemon_stop(d);
		return rc;
	}
	log_debug("%s started as process %d", path, (int)d->pid);
	return 0;
}

/* ---- its output ---- */

static void daemon_keep(struct daemon *d, const char *text, size_t n)
{
	const size_t max = sizeof(d->said) - 1;

	if (n > max) {
		text += n - max;
		n = max;
	}
	if (d->nsaid + n > max) {
		size_t drop = d->nsaid + n - max;

		memmove(d->said, d->said + drop, d->nsaid - drop);
		d->nsaid -= drop;
	}
	memcpy(d->said + d->nsaid, text, n);
	d->nsaid += n;
	d->said[d->nsaid] = '\0';
}

static bool daemon_is_noise(const struct daemon *d, const char *line, size_t n)
{
	for (const char *const *word = d->noise; word && *word; word++)
		if (memmem(line, n, *word, strlen(*word)))
			return true;
	return false;
}

static void daemon_keep_line(struct daemon *d, char *line, size_t n)
{
	static struct log_limit limit;

	text_printable(line, n);
	if (!n)
		return;
	if (!daemon_is_noise(d, line, n)) {
		if (d->nsaid)
			daemon_keep(d, "; ", 2);
		daemon_keep(d, line, n);
	}
	if (LOG_INFO <= log_threshold && log_limit_ok(&limit))
		log_line(LOG_INFO, "%s: %.*s", d->program, (int)n, line);
}

/* A line that is cut by the end of a chunk is logged as two */
static void daemon_keep_text(struct daemon *d, char *text, size_t n)
{
	while (n) {
		char *nl = memchr(text, '\n', n);
		size_t len = nl ? (size_t)(nl - text) : n;

		daemon_keep_line(d, text, len);
		len += nl != NULL;
		text += len;
		n -= len;
	}
}

/* Read @turns chunks at most. Return: false, no more will come */
static bool daemon_hear(struct daemon *d, unsigned int turns)
{
	char text[DAEMON_TALK_CHUNK];

	for (unsigned int i = 0; i < turns; i++) {
		ssize_t n = read(d->talk.fd, text, sizeof(text));

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		if (n == 0)
			return false;
		daemon_keep_text(d, text, (size_t)n);
	}
	return true;
}

static void daemon_on_talk(struct loop_source *s, uint32_t events)
{
	struct daemon *d = container_of(s, struct daemon, talk);

	(void)events;
	if (!daemon_hear(d, DAEMON_TALK_TURNS))
		loop_want(d->loop, s, 0);
}

/* ---- its end ---- */

/* Reap it if it has ended. If it is not our child any more, it has ended, and the kernel has
 * discarded its status. Return: has it?
 */
static bool daemon_reap(struct daemon *d)
{
	pid_t rc = d->pid ? waitpid(d->pid, &d->status, WNOHANG) : 0;

	if (rc < 0 && errno == ECHILD)
		d->status = DAEMON_STATUS_LOST;
	if (rc > 0 || (rc < 0 && errno == ECHILD))
		d->pid = 0;
	return !d->pid;
}

/* Its last output, from the beginning of a line */
static const char *daemon_words(const struct daemon *d)
{
	bool cut = d->nsaid == sizeof(d->said) - 1;
	const char *line = cut ? strstr(d->said, "; ") : NULL;

	return line ? line + 2 : d->said;
}

static void daemon_how(struct daemon *d, char how[DAEMON_HOW_MAX])
{
	const char *colon = "";
	char end[64];

	(void)daemon_hear(d, DAEMON_TALK_LAST);
	if (d->nsaid)
		colon = ": ";
	if (d->status == DAEMON_STATUS_LOST)
		(void)snprintf(end, sizeof(end), "ended, and its status is lost");
	else if (WIFSIGNALED(d->status))
		(void)snprintf(end, sizeof(end), "was killed by signal %d",
			       WTERMSIG(d->status));
	else
		(void)snprintf(end, sizeof(end), "ended with status %d",
			       WEXITSTATUS(d->status));
	(void)snprintf(how, DAEMON_HOW_MAX, "%s %s%s%s", d->program, end, colon,
		       daemon_words(d));
}

/* Return: has it ended within @ms?  @hurried: stop waiting when a signal tells us to end */
static bool daemon_wait(struct daemon *d, int ms, bool hurried)
{
	uint64_t end = monotonic_ns() + (uint64_t)ms * 1000000;

	for (;;) {
		struct pollfd p = {.fd = d->end.fd, .events = POLLIN};
		uint64_t now = monotonic_ns();

		if (daemon_reap(d))
			return true;
		if (now >= end || (hurried && signals_ending()))
			return false;
		if (hurried)
			(void)signals_poll(&p, (int)((end - now) / 1000000) + 1);
		else
			(void)poll(&p, 1, (int)((end - now) / 1000000) + 1);
	}
}

/* By its descriptor: its number may be another process's by now */
static void daemon_signal(const struct daemon *d, int sig)
{
	if (d->slot < 0)
		(void)kill(d->pid, sig);
	else
		(void)outside_do(OUTSIDE_END, d->slot, sig == SIGKILL);
}

/* Did it end because it does not know an option of ours? */
static bool daemon_strange(const struct daemon *d)
{
	static const char *const words[] = {"nrecognized", "nknown", "nvalid option",
					    "nvalid parameter", "nexpected argument"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strstr(d->said, words[i]))
			return true;
	return false;
}

int daemon_dead(struct daemon *d, int ms, struct err *e)
{
	char how[DAEMON_HOW_MAX];

	if (!daemon_wait(d, ms, true))
		return 0;
	daemon_how(d, how);
	if (daemon_strange(d))
		return err_set(e, ECHILD,
			       "%s; it may be too old, or another program of that name: "
			       "try %s --version",
			       how, d->program);
	if (!d->nsaid || !WIFEXITED(d->status) ||
	    WEXITSTATUS(d->status) == DAEMON_NOT_RUN)
		return err_set(e, ECHILD,
			       "%s; try it by itself: %s --version, or install it again",
			       how, d->program);
	return err_set(e, ECHILD, "%s", how);
}

static void daemon_on_end(struct loop_source *s, uint32_t events)
{
	struct daemon *d = container_of(s, struct daemon, end);
	char how[DAEMON_HOW_MAX];

	(void)events;
	if (!daemon_reap(d))
		return;
	loop_want(d->loop, s, 0);
	daemon_how(d, how);
	d->ended(d, how);
}

int daemon_watch(struct daemon *d, struct loop *l, struct device *dev,
		 void (*ended)(struct daemon *d, const char *how))
{
	int rc;

	d->ended = ended;
	d->end = (struct loop_source){
		.fd = d->end.fd, .events = EPOLLIN, .dev = dev, .fn = daemon_on_end};
	/* without the lock: the log must not wait for a thread that waits for it */
	d->talk = (struct loop_source){
		.fd = d->talk.fd, .events = EPOLLIN, .fn = daemon_on_talk};
	rc = loop_add(l, &d->talk);
	if (rc < 0)
		return rc;
	d->loop = l;
	rc = loop_add(l, &d->end);
	if (rc < 0)
		d->end.events = 0;
	return rc;
}

void daemon_stop(struct daemon *d)
{
	if (d->loop) {
		loop_del(d->loop, &d->talk);
		loop_del(d->loop, &d->end);
	}
	if (d->pid)
		daemon_signal(d, SIGTERM);
	if (d->pid && (d->end.fd < 0 || !daemon_wait(d, DAEMON_STOP_MS, false))) {
		log_warn("%s does not end when asked to; killing it", d->program);
		daemon_signal(d, SIGKILL);
		/* the jail allows no waitpid() that waits; without a pidfd nothing tells the end */
		while (!daemon_wait(d, d->end.fd < 0 ? 1 : DAEMON_STOP_MS, false))
			;
	}
	outside_drop(d->slot);
	cleanup_close_fd(&d->talk.fd);
	cleanup_close_fd(&d->end.fd);
	daemon_init(d);
}
