/* SPDX-License-Identifier: Apache-2.0 */
/* job_session - a job's session with the agent in the guest: what is said, and when it is over. */
#include "vmm/job/job_session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "vmm/core/log.h"
#include "vmm/core/loop_timer.h"
#include "vmm/core/util.h"
#include "vmm/job/job_hear.h"

#define SESSION_TURNS 8    /* frames' worth of writing before others have a turn */
#define SESSION_LEAST 4096 /* room in the writer below which stdin waits */
#define NS_PER_SECOND UINT64_C(1000000000)

void job_session_end(struct job_session *s, const struct exit_verdict *v)
{
	if (s->over)
		return;
	s->over = true;
	s->start->over(s->start->ctx, v);
}

/* ---- what is to be said ---- */

/* Return: is all of it said? */
static bool say_text(struct job_session *s, enum agent_type type, unsigned int session,
		     const struct job_text *t, size_t *said)
{
	while (*said < t->len) {
		size_t n = MIN(t->len - *said, agent_space(&s->out));

		if (!n)
			return false;
		(void)agent_put(&s->out, type, session, 0, t->text + *said, n);
		*said += n;
	}
	return true;
}

static bool say_beginning(struct job_session *s)
{
	if (!say_text(s, AGENT_MACHINE, 0, s->start->machine, &s->machine_said))
		return false;
	if (!s->made)
		s->made = agent_put(&s->out, AGENT_MADE, 0, 0, NULL, 0);
	if (!s->made || !say_text(s, AGENT_JOB, JOB_SESSION, s->start->job, &s->job_said))
		return false;
	if (!s->begun)
		s->begun = agent_put(&s->out, AGENT_START, JOB_SESSION, 0, NULL, 0);
	return s->begun;
}

static void say_signals(struct job_session *s)
{
	for (uint8_t sig = 1; s->started_ns && s->signals && sig < 64; sig++)
		if (s->signals >> sig & 1 &&
		    agent_put(&s->out, AGENT_SIGNAL, JOB_SESSION, 0, &sig, 1))
			s->signals &= ~(UINT64_C(1) << sig);
}

static void say_size(struct job_session *s)
{
	uint16_t rows, cols;

	if (!s->resized || !s->begun)
		return;
	job_terminal_size(s->terminal.size, &rows, &cols);
	s->resized = !agent_put_winsize(&s->out, JOB_SESSION, rows, cols);
}

/* Not for each byte: a quarter of the window keeps it open */
static void say_credit(struct job_session *s)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(s->out_); i++) {
		struct job_out *o = &s->out_[i];

		if (o->ended || o->owed < AGENT_WINDOW / 4 ||
		    !agent_put_u32(&s->out, AGENT_CREDIT, JOB_SESSION, AGENT_STDOUT + i,
				   o->owed))
			continue;
		o->credit += o->owed;
		o->owed = 0;
	}
}

/* May more of stdin be read?  A terminal's is the job's only while it is raw */
static bool stdin_wanted(const struct job_session *s)
{
	return s->started_ns && !s->exited_ns && !s->stdin_.ended && s->stdin_.credit &&
	       (!s->terminal.on || s->terminal.raw);
}

static void say_stdin(struct job_session *s)
{
	size_t space = agent_space(&s->out);
	uint8_t *p;
	long n;

	if (!stdin_wanted(s) || space < SESSION_LEAST)
		return;
	agent_data(&s->out, &p);
	n = job_in_read(&s->stdin_, p, MIN(space, s->stdin_.credit));
	if (n > 0)
		agent_data_done(&s->out, JOB_SESSION, AGENT_STDIN, (size_t)n);
	else if (n == 0)
		(void)agent_put(&s->out, AGENT_EOF, JOB_SESSION, AGENT_STDIN, NULL, 0);
}

static void say(struct job_session *s)
{
	if (!say_beginning(s) || s->exited_ns)
		return;
	say_signals(s);
	say_size(s);
	say_credit(s);
	say_stdin(s);
}

/* Return: did all of it go? */
static bool send_all(struct job_session *s)
{
	const uint8_t *p;
	size_t n;

	while (p = agent_unsent(&s->out, &n), n) {
		ssize_t k = tty_fd_write(&s->fd, p, n);

		if (k <= 0) /* what ended it is heard on the way in */
			return false;
		agent_wrote(&s->out, (size_t)k);
	}
	return true;
}

static bool is_more(const struct job_session *s)
{
	size_t n;

	(void)agent_unsent(&s->out, &n);
	return n || !s->begun || (s->stdin_.file && stdin_wanted(s));
}

void job_session_pump(struct job_session *s)
{
	bool went = true;

	if (s->over)
		return;
	for (unsigned int i = 0; i < SESSION_TURNS && went; i++) {
		size_t n;

		say(s);
		(void)agent_unsent(&s->out, &n);
		if (!n)
			break;
		went = send_all(s);
	}
	loop_want(s->loop, &s->wire, EPOLLIN | (is_more(s) ? EPOLLOUT : 0));
	job_in_want(&s->stdin_, stdin_wanted(s) && went);
}

/* ---- events ---- */

static void on_stdin(struct job_in *in)
{
	job_session_pump(container_of(in, struct job_session, stdin_));
}

/* A reader that left: the job learns of it as it would from a pipe */
static void out_look(struct job_session *s, struct job_out *o)
{
	if (o->broken && o->nr + AGENT_STDOUT != AGENT_FILES)
		s->signals |= UINT64_C(1) << SIGPIPE;
	o->broken = false;
}

/* Then perhaps the end */
static void out_moved(struct job_session *s, struct job_out *o)
{
	out_look(s, o);
	job_session_pump(s);
	job_session_check(s);
}

static void on_out(struct job_out *o)
{
	out_moved(container_of(o - o->nr, struct job_session, out_[0]), o);
}

static void on_wire(struct loop_source *l, uint32_t events)
{
	struct job_session *s = container_of(l, struct job_session, wire);

	if (events & ~(uint32_t)EPOLLOUT)
		job_session_hear(s);
	for (unsigned int i = 0; i < ARRAY_SIZE(s->out_); i++)
		out_look(s, &s->out_[i]);
	job_session_pump(s);
}

/* ---- signals ---- */

static void stop_ends(struct job_session *s, const char *why)
{
	struct exit_verdict v = exit_verdict(CAUSE_SIGTERM);

	(void)snprintf(v.detail, sizeof(v.detail), "%s", why);
	job_session_end(s, &v);
}

static void on_stop(struct loop_source *l, uint32_t events)
{
	struct job_session *s = container_of(l, struct job_session, stop);

	(void)events;
	stop_ends(s,
		  "the job did not end after SIGTERM, and was cut off with its machine; "
		  "give it longer (--stop-timeout)");
}

static void on_late(struct loop_source *l, uint32_t events)
{
	struct job_session *s = container_of(l, struct job_session, late);

	(void)events;
	loop_want(s->loop, l, 0);
	if (s->greeted_ns || s->over) /* its kernel has booted, then */
		return;
	s->worried = true;
	log_warn(
		"the job has not begun yet: does this host's KVM boot a stock kernel "
		"(microvm doctor)? --verbose shows what the kernel prints, Ctrl-C ends it");
}

/* The first one is the job's, and begins the time that it has */
static void signal_term(struct job_session *s)
{
	uint64_t ns = s->start->stop_timeout_ns;

	if (s->stopping || !ns) {
		stop_ends(s,
			  s->stopping
				  ? "a second SIGTERM ended the machine before the job "
				    "had ended"
				  : "");
		return;
	}
	s->stopping = true;
	s->signals |= UINT64_C(1)
		      << (s->start->stop_signal ? s->start->stop_signal : SIGTERM);
	loop_timer_set(&s->stop, ns);
}

/* Before there is a job, what would end one ends the machine at once */
static bool signal_early(struct job_session *s, int sig)
{
	struct exit_verdict v =
		exit_verdict(sig == SIGINT ? CAUSE_SIGINT : CAUSE_SIGTERM);

	if (sig != SIGINT && sig != SIGTERM && sig != SIGHUP && sig != SIGQUIT)
		return false;
	v.status = 128 + sig;
	job_session_end(s, &v);
	return true;
}

bool job_session_signal(struct job_session *s, int sig)
{
	if (sig == SIGTSTP || sig == SIGXCPU || sig <= 0 || sig >= 64)
		return false;
	if (s->over || (!s->started_ns && signal_early(s, sig)))
		return true;
	if (sig == SIGTERM)
		signal_term(s);
	else
		s->signals |= UINT64_C(1) << sig;
	job_session_pump(s);
	return true;
}

/* ---- life ---- */

static int open_wire(struct job_session *s, int wire, struct err *e)
{
	int rc;

	tty_fd_open(&s->fd, wire, O_RDWR);
	s->wire = (struct loop_source){.fd = wire, .events = EPOLLIN, .fn = on_wire};
	s->stop.fn = on_stop;
	s->late.fn = on_late;
	rc = loop_add(s->loop, &s->wire);
	if (rc == 0)
		rc = loop_timer_open(s->loop, &s->stop);
	if (rc == 0)
		rc = loop_timer_open(s->loop, &s->late);
	if (rc == 0)
		loop_timer_set(&s->late, s->start->late_ns);
	return rc < 0 ? err_set(e, -rc, "the job's session cannot be watched: %s",
				strerror(-rc))
		      : 0;
}

static int say_hello(struct job_session *s, struct err *e)
{
	struct agent_hello hello = {.version = AGENT_VERSION};
	struct timespec now;

	if (clock_gettime(CLOCK_REALTIME, &now) < 0 ||
	    getentropy(hello.entropy, sizeof(hello.entropy)) < 0)
		return err_set(e, errno, "no clock or entropy for the guest: %s",
			       strerror(errno));
	hello.wall_ns = (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
	(void)agent_put_hello(&s->out, AGENT_HOST, &hello);
	return 0;
}

int job_session_open(struct job_session *s, const struct job_start *start,
		     struct loop *loop, int wire, const int stdio[3], struct err *e)
{
	const int fds[] = {stdio[1], stdio[2], start->copier ? start->copier->files : -1};
	int rc;

	s->start = start;
	s->loop = loop;
	s->in.from = AGENT_GUEST;
	s->terminal.size = -1;
	s->copied.source.fd = -1;
	s->wire.fd = s->stop.fd = s->late.fd = s->terminal.wake.fd =
		s->terminal.again.fd = -1;
	rc = open_wire(s, wire, e);
	if (rc == 0)
		rc = job_in_open(&s->stdin_, loop, stdio[0], on_stdin, e);
	for (unsigned int i = 0; rc == 0 && i < (start->copier ? 3 : 2); i++)
		rc = job_out_open(&s->out_[i], loop, i, fds[i], on_out, e);
	if (rc == 0)
		rc = job_copied_open(s, e);
	if (rc == 0 && start->terminal)
		rc = job_terminal_open(s, stdio[0], stdio[1], e);
	if (rc == 0)
		rc = say_hello(s, e);
	if (rc == 0)
		job_session_pump(s);
	return rc;
}

void job_session_close(struct job_session *s)
{
	if (!s->loop)
		return;
	s->over = true;
	job_terminal_close(s);
	loop_del(s->loop, &s->wire);
	loop_del(s->loop, &s->stop);
	loop_del(s->loop, &s->late);
	cleanup_close_fd(&s->stop.fd);
	cleanup_close_fd(&s->late.fd);
	tty_fd_close(&s->fd);
	job_in_close(&s->stdin_);
	job_copied_close(s);
	for (unsigned int i = 0; i < ARRAY_SIZE(s->out_); i++)
		job_out_close(&s->out_[i]);
	s->loop = NULL;
}
