/* SPDX-License-Identifier: Apache-2.0 */
/* broker - serves the jailed child until it ends. */
#include "vmm/jail/broker.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "vmm/core/outside.h"
#include "vmm/core/outside_wire.h"
#include "vmm/core/signals.h"
#include "vmm/core/util.h"
#include "vmm/jail/broker_child.h"
#include "vmm/jail/broker_lock.h"

#define BROKER_STOP_MS 100 /* until a child that has not stopped is told again */

struct broker {
	struct child child;
	enum jail_mode mode;
	pid_t self;
	int signals;
	int events;    /* epoll: poll(2) takes no more descriptors than ulimit -n says */
	uint64_t owed; /* a bit for each signal that the child has to be told */
	bool locked;   /* the child has told its paths */
	bool stopping; /* it asked for OUTSIDE_STOP, and waits for the answer */
	struct err *e; /* why we are not locked ourselves, which is the child's end */
};

static int broker_kill(const struct broker *b, int sig)
{
	return (int)syscall(SYS_pidfd_send_signal, b->child.pidfd, sig, NULL, 0);
}

/* A terminal that is not our controlling one has no foreground: it is ours. */
static bool broker_foreground(void)
{
	pid_t group = tcgetpgrp(STDIN_FILENO);

	return group < 0 || group == (pid_t)syscall(SYS_getpgid, 0);
}

/* A child that reads no answers must not make us wait: it asks one at a time. One that waits for an
 * answer that cannot be given must not wait for ever.  Return: 0; or the child's end: -EPROTO, its
 * fault; another -errno in @b->e; -EPIPE, it has ended
 */
static int broker_say(struct broker *b, int32_t answer, int fd)
{
	int32_t rc = wire_send(b->child.wire, &answer, sizeof(answer), true, fd);

	if (fd >= 0 && rc < 0 && rc != -EAGAIN) /* such as ETOOMANYREFS: never silent */
		rc = wire_send(b->child.wire, &rc, sizeof(rc), true, -1);
	if (rc == 0 || rc == -EPIPE)
		return rc;
	return rc == -EAGAIN
		       ? -EPROTO
		       : err_set(b->e, -rc, "the jail's two processes cannot talk: %s",
				 strerror(-rc));
}

static void broker_end_child(struct broker *b, int rc)
{
	b->child.nonsense = rc == -EPROTO;
	(void)broker_kill(b, SIGKILL);
	child_reap(&b->child);
}

/* It may have stopped, gone on, or ended */
static void broker_on_child(struct broker *b)
{
	int rc;

	if (!b->stopping || !child_stopped(&b->child))
		return;
	b->stopping = false;
	(void)kill(b->self, SIGSTOP);
	(void)broker_kill(b, SIGCONT);
	rc = broker_say(b, 0, -1);
	if (rc < 0)
		broker_end_child(b, rc);
}

/* The child is at rest, and waits for the answer. It may take long, if the host does not answer one
 * of its threads.  An operator may have stopped it before, so that no SIGCHLD comes any more, or
 * SIGCONT of an operator has taken our SIGSTOP away: broker_serve() calls this again and again
 */
static void broker_stop(struct broker *b)
{
	b->stopping = true;
	(void)broker_kill(b, SIGSTOP);
	broker_on_child(b);
}

/* Return: as broker_say(); -EPROTO also for what is no question */
static int broker_ask(struct broker *b, const struct outside_question *q)
{
	int fd = -1, answer, rc;

	switch (q->verb) {
	case OUTSIDE_LOCKED:
		rc = b->locked ? -EPROTO
			       : broker_lock(b->mode, b->child.group.parent, b->e);
		b->locked = true;
		return rc < 0 ? rc : broker_say(b, 0, -1);
	case OUTSIDE_STOP:
		broker_stop(b);
		return 0;
	case OUTSIDE_FOREGROUND:
		answer = broker_foreground();
		break;
	case OUTSIDE_PEAK_RSS:
		answer = outside_peak_rss_kib();
		break;
	default:
		if (q->verb >= OUTSIDE_VERBS)
			return -EPROTO;
		answer = outside_serve(q, &fd);
	}
	rc = broker_say(b, answer, fd);
	cleanup_close_fd(&fd);
	return rc;
}

/* A message of the child, which may be anybody's by now: before it is locked a slot or a question,
 * afterwards a question.  Return: as broker_ask()
 */
static int broker_hear(struct broker *b, const void *msg, size_t len, int passed)
{
	struct outside_question q;

	if (len != sizeof(q) && !b->locked)
		return outside_hear(msg, len, passed) < 0 ? -EPROTO : 0;
	cleanup_close_fd(&passed);
	if (len != sizeof(q) || b->stopping)
		return -EPROTO;
	memcpy(&q, msg, sizeof(q));
	return broker_ask(b, &q);
}

static void broker_on_wire(struct broker *b)
{
	_Alignas(uint64_t) uint8_t msg[OUTSIDE_TELL_MAX]; /* as outside_hear() reads it */
	int passed, rc;
	long n = wire_receive(b->child.wire, msg, sizeof(msg), true, &passed);

	if (n == -EAGAIN)
		return;
	if (n > 0)
		rc = broker_hear(b, msg, (size_t)n, passed);
	else /* it hung up, which only its end does */
		rc = n == -EMSGSIZE ? -EPROTO : -EPIPE;
	if (rc < 0)
		broker_end_child(b, rc);
}

/* A child that does not read them gets them later, each at least once */
static void broker_relay(struct broker *b)
{
	for (uint8_t sig = 1; b->owed && sig < 64; sig++)
		if (b->owed >> sig & 1 &&
		    (write(b->child.relay, &sig, 1) == 1 || errno != EAGAIN))
			b->owed &= ~(UINT64_C(1) << sig);
}

static void broker_on_signals(struct broker *b)
{
	int sig;

	while ((sig = signals_read(b->signals))) {
		if (sig == SIGCHLD)
			broker_on_child(b);
		else
			b->owed |= UINT64_C(1) << sig;
	}
	broker_relay(b);
}

enum { ON_WIRE, ON_SIGNALS, ON_CHILD, ON_RELAY, ONS };

static int broker_watch(const struct broker *b, int op, int fd, uint32_t events,
			uint32_t on)
{
	struct epoll_event ev = {.events = events, .data.u32 = on};

	return epoll_ctl(b->events, op, fd, &ev) < 0 ? -errno : 0;
}

static int broker_open(struct broker *b)
{
	int rc = b->signals = signals_open();

	outside_watch(b->child.pid);
	if (rc >= 0)
		rc = signals_of_child(b->signals);
	b->events = rc < 0 ? -1 : epoll_create1(EPOLL_CLOEXEC);
	if (rc >= 0 && b->events < 0)
		rc = -errno;
	if (rc >= 0)
		rc = broker_watch(b, EPOLL_CTL_ADD, b->child.wire, EPOLLIN, ON_WIRE);
	if (rc == 0)
		rc = broker_watch(b, EPOLL_CTL_ADD, b->signals, EPOLLIN, ON_SIGNALS);
	if (rc == 0)
		rc = broker_watch(b, EPOLL_CTL_ADD, b->child.pidfd, EPOLLIN, ON_CHILD);
	return rc;
}

static void broker_serve(struct broker *b)
{
	struct epoll_event ev[ONS];
	bool owed = false;

	while (!b->child.ended) {
		int n = epoll_wait(b->events, ev, ONS, b->stopping ? BROKER_STOP_MS : -1);
		unsigned int on = 0;

		for (int i = 0; i < n; i++)
			on |= 1U << ev[i].data.u32;
		if (on >> ON_SIGNALS & 1)
			broker_on_signals(b);
		if (on >> ON_RELAY & 1)
			broker_relay(b);
		if (n == 0)
			broker_stop(b);
		if (b->child.ended)
			break; /* the kernel has forgotten it: there is no second wait */
		if (on >> ON_WIRE & 1)
			broker_on_wire(b);
		else if (on >> ON_CHILD & 1) /* after its last question */
			child_reap(&b->child);
		if (owed != (b->owed != 0)) {
			owed = !owed;
			(void)broker_watch(b, owed ? EPOLL_CTL_ADD : EPOLL_CTL_DEL,
					   b->child.relay, EPOLLET | EPOLLOUT, ON_RELAY);
		}
	}
}

/* tcsetattr() from the background would stop us */
static void terminal_restore(const struct termios *mode)
{
	sigset_t ttou, old;

	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU);
	(void)sigprocmask(SIG_BLOCK, &ttou, &old);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, mode);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
}

int broker_run(struct jail *j, int (*vmm)(void *ctx), void *ctx, struct err *e)
{
	struct broker b = {
		.mode = j->mode, .self = getpid(), .signals = -1, .events = -1, .e = e};
	struct termios mode;
	bool terminal = tcgetattr(STDIN_FILENO, &mode) == 0;
	int rc = child_start(&b.child, j, vmm, ctx, e);

	if (rc < 0)
		return rc;
	broker_begin();
	rc = broker_open(&b);
	if (rc < 0) {
		err_set(e, -rc, "cannot wait for signals: %s", strerror(-rc));
		(void)broker_kill(&b, SIGKILL);
		child_reap(&b.child);
	}
	broker_serve(&b);
	outside_drop_heard();
	if (rc == 0)
		rc = child_verdict(&b.child, j, e);
	/* it may have died in raw mode */
	if (terminal && (rc < 0 || broker_foreground()))
		terminal_restore(&mode);
	child_close(&b.child);
	cleanup_close_fd(&b.signals);
	cleanup_close_fd(&b.events);
	return rc;
}
