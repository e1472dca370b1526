/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-images/agent/session.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest-images/agent/copy.h"
#include "guest-images/agent/job.h"

struct session {
	unsigned int id;     /* 0: nobody's */
	unsigned int number; /* of its cgroup */
	char *text;          /* of JOB so far, @ntext bytes in @room */
	size_t ntext, room;
	struct spec spec;
	struct job job;
	bool started;   /* START has come */
	bool over;      /* its processes are gone, and @exit is known */
	bool killed;    /* by SIGKILL from the host */
	bool announced; /* STARTED has gone: once, whatever the reaper says */
	bool noted;     /* the reaper has said how the job ended, @status */
	int status;
	struct agent_exit exit;
	uint32_t credit[AGENT_STREAMS]; /* bytes that may come, and go, still */
	uint32_t owed;    /* bytes of stdin that are gone, without CREDIT yet */
	bool in_ended;    /* EOF has come */
	uint8_t *pending; /* of stdin, AGENT_WINDOW bytes of room */
	size_t pending_at, npending;
	struct copy copy;
};

static struct session sessions[AGENT_SESSIONS];
static unsigned int numbers;

static struct session *find(unsigned int id)
{
	for (unsigned int i = 0; i < AGENT_SESSIONS; i++)
		if (sessions[i].id == id)
			return &sessions[i];
	return NULL;
}

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* The session is not to be, or the host broke the protocol: end what there is of it */
static void __attribute__((format(printf, 2, 3)))
refuse(struct session *s, const char *fmt, ...)
{
	char why[AGENT_SENTENCE + 1];
	va_list args;

	if (s->over) /* how it ended is known */
		return;
	va_start(args, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	s->exit.how = AGENT_CANNOT;
	s->exit.status = 125;
	memcpy(s->exit.sentence, why, sizeof(why));
	if (s->job.reaper > 0)
		(void)kill(s->job.reaper,
			   SIGKILL); /* and sessions_reaped() has it over */
	else
		s->over = true;
}

static void open_session(struct agent_writer *out, unsigned int id)
{
	struct agent_exit busy = {.how = AGENT_CANNOT, .status = 125};
	struct session *s = find(0);

	if (!s) {
		(void)sentence(busy.sentence, "%u sessions are open, and no more can be",
			       AGENT_SESSIONS);
		(void)agent_put_exit(out, id, &busy);
		return;
	}
	memset(s, 0, sizeof(*s));
	s->id = id;
	s->number = ++numbers;
	s->copy.fd = -1;
	s->job = (struct job){.ctl = -1, .in = -1, .out = -1, .err = -1, .slave = -1};
	for (unsigned int i = 0; i < AGENT_STREAMS; i++)
		s->credit[i] = AGENT_WINDOW;
}

static void add_text(struct session *s, const struct agent_frame *f)
{
	char *text;

	if (s->started || s->ntext + f->len > AGENT_TEXT) {
		refuse(s, "the job's words are more than %u bytes", AGENT_TEXT);
		return;
	}
	if (s->ntext + f->len > s->room) {
		text = realloc(s->text, s->ntext + f->len + s->room);
		if (!text) {
			refuse(s, "the agent has no memory for the job's words");
			return;
		}
		s->room += s->ntext + f->len;
		s->text = text;
	}
	memcpy(s->text + s->ntext, f->payload, f->len);
	s->ntext += f->len;
}

static void start(struct session *s)
{
	char why[AGENT_SENTENCE + 1];

	if (s->started) {
		refuse(s, "the host started a job that was started");
		return;
	}
	s->started = true;
	if (!spec_parse(&s->spec, s->text, s->ntext, why) ||
	    !job_start(&s->job, &s->spec, s->number, why))
		refuse(s, "%s", why);
	else if (!s->spec.has_stdin && s->npending)
		refuse(s, "the host sent bytes to a job without stdin");
	if (s->spec.ncopy)
		return;
	/* the child has its copy */
	free(s->text);
	s->text = NULL;
}

/* Bytes of stdin: to the job as far as it takes them, the rest is kept */
static void push_stdin(struct session *s)
{
	while (s->npending) {
		ssize_t n = s->job.in < 0 ? (ssize_t)s->npending
					  : write(s->job.in, s->pending + s->pending_at,
						  s->npending);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0 &&
		    errno != EINTR) { /* nobody reads it: what comes is for nobody */
			shut(&s->job.in);
			continue;
		}
		n = n < 0 ? 0 : n;
		s->pending_at += (size_t)n;
		s->npending -= (size_t)n;
		s->owed += (uint32_t)n;
	}
	s->pending_at = 0;
	if (!s->in_ended || s->job.in < 0)
		return;
	if (s->spec.terminal)
		(void)!write(s->job.in, "\4", 1); /* as its user would end it */
	shut(&s->job.in);
}

static void take_data(struct session *s, const struct agent_frame *f)
{
	if (f->len > s->credit[AGENT_STDIN] || s->in_ended ||
	    (s->started && !s->spec.has_stdin && !s->spec.terminal)) {
		refuse(s, "the host sent more to stdin than it may");
		return;
	}
	if (!s->pending)
		s->pending = malloc(AGENT_WINDOW);
	if (!s->pending) {
		refuse(s, "the agent has no memory for stdin");
		return;
	}
	s->credit[AGENT_STDIN] -= f->len;
	if (s->pending_at + s->npending + f->len > AGENT_WINDOW) {
		memmove(s->pending, s->pending + s->pending_at, s->npending);
		s->pending_at = 0;
	}
	memcpy(s->pending + s->pending_at + s->npending, f->payload, f->len);
	s->npending += f->len;
	if (s->started)
		push_stdin(s);
}

static void take_credit(struct session *s, const struct agent_frame *f)
{
	uint32_t v = agent_u32(f);

	if (v > AGENT_WINDOW - s->credit[f->stream])
		refuse(s, "the host gave more credit than it has");
	else
		s->credit[f->stream] += v;
}

static void take_signal(struct session *s, uint8_t signal)
{
	if (s->copy.pid > 0 &&
	    (signal == SIGTERM || signal == SIGINT || signal == SIGHUP ||
	     signal == SIGQUIT || signal == SIGKILL)) {
		(void)kill(s->copy.pid, SIGKILL);
	} else if (signal == SIGKILL && s->job.reaper > 0 && !s->over) {
		s->killed = true;
		(void)kill(s->job.reaper, SIGKILL); /* the job is all that dies with it */
	} else if (s->job.ctl >= 0) {
		(void)send(s->job.ctl, &signal, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
}

static void take_winsize(struct session *s, const struct agent_frame *f)
{
	struct winsize size = {0};

	agent_winsize(f, &size.ws_row, &size.ws_col);
	if (s->spec.terminal && s->job.out >= 0)
		(void)ioctl(s->job.out, TIOCSWINSZ, &size);
}

void sessions_frame(struct agent_writer *out, const struct agent_frame *f)
{
	struct session *s = find(f->session);

	if (!s && f->type == AGENT_JOB) {
		open_session(out, f->session);
		s = find(f->session);
	}
	if (!s || (s->over && f->type != AGENT_CREDIT &&
		   f->type != AGENT_SIGNAL)) /* what crosses its EXIT */
		return;
	if (f->type == AGENT_JOB)
		add_text(s, f);
	else if (f->type == AGENT_START)
		start(s);
	else if (f->type == AGENT_DATA)
		take_data(s, f);
	else if (f->type == AGENT_CREDIT)
		take_credit(s, f);
	else if (f->type == AGENT_SIGNAL)
		take_signal(s, f->payload[0]);
	else if (f->type == AGENT_WINSIZE)
		take_winsize(s, f);
	else if (f->type == AGENT_EOF) {
		s->in_ended = true;
		if (s->started)
			push_stdin(s);
	}
}

unsigned int sessions_poll(struct agent_writer *out, struct pollfd *fds)
{
	bool space = agent_space(out) > 0;
	unsigned int n = 0;

	for (struct session *s = sessions; s < sessions + AGENT_SESSIONS; s++) {
		if (!s->id)
			continue;
		if (s->job.ctl >= 0)
			fds[n++] = (struct pollfd){s->job.ctl, POLLIN, 0};
		if (s->job.in >= 0 && s->npending)
			fds[n++] = (struct pollfd){s->job.in, POLLOUT, 0};
		if (s->job.out >= 0 && space && s->credit[AGENT_STDOUT])
			fds[n++] = (struct pollfd){s->job.out, POLLIN, 0};
		if (s->job.err >= 0 && space && s->credit[AGENT_STDERR])
			fds[n++] = (struct pollfd){s->job.err, POLLIN, 0};
		if (s->copy.fd >= 0 && space && s->credit[AGENT_FILES])
			fds[n++] = (struct pollfd){s->copy.fd, POLLIN, 0};
	}
	return n;
}

/* Bytes of the job's, at most one frame of them */
static void pull(struct agent_writer *out, struct session *s, unsigned int stream,
		 int *fd)
{
	size_t room = agent_space(out);
	uint8_t *p;
	ssize_t n;

	if (*fd < 0 || !room || !s->credit[stream])
		return;
	if (room > s->credit[stream])
		room = s->credit[stream];
	agent_data(out, &p);
	n = read(*fd, p, room);
	if (n > 0) {
		agent_data_done(out, s->id, stream, (size_t)n);
		s->credit[stream] -= (uint32_t)n;
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		shut(fd);
		(void)agent_put(out, AGENT_EOF, s->id, stream, NULL, 0);
	}
}

/* What the reaper has said.  Return: was there anything? */
static bool take_note(struct agent_writer *out, struct session *s)
{
	struct note note;
	ssize_t n = recv(s->job.ctl, &note, sizeof(note), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n != (ssize_t)sizeof(note)) {
		shut(&s->job.ctl);
		return false;
	}
	note.sentence[AGENT_SENTENCE] = '\0';
	if (note.what == NOTE_STARTED && !s->announced) {
		s->announced = true;
		(void)agent_put_u32(out, AGENT_STARTED, s->id, 0, note.status);
	} else if (note.what == NOTE_CANNOT) {
		s->exit.how = AGENT_CANNOT;
		s->exit.status = (uint8_t)note.status;
		memcpy(s->exit.sentence, note.sentence, sizeof(note.sentence));
	} else if (note.what == NOTE_ENDED) {
		s->noted = true;
		s->status = (int)note.status;
	}
	return true;
}

void sessions_reaped(struct agent_writer *out, pid_t pid, int status)
{
	for (struct session *s = sessions; s < sessions + AGENT_SESSIONS; s++) {
		if (s->id && s->copy.pid == pid)
			s->copy.pid = 0;
		if (!s->id || s->over || s->job.reaper != pid)
			continue;
		while (s->job.ctl >= 0 && take_note(out, s))
			;
		session_ended(&s->exit, s->noted ? s->status : status, s->killed,
			      s->number);
		s->job.reaper = 0;
		s->over = true;
		shut(&s->job.ctl);
		shut(&s->job.in);
		shut(&s->job.slave);
	}
}

/* What the host wants to have of it.  Return: is that done, or not to be? */
static bool copied(struct agent_writer *out, struct session *s)
{
	if (s->copy.begun)
		return s->copy.fd < 0 && !s->copy.pid;
	if (!s->spec.ncopy || s->exit.how == AGENT_CANNOT)
		return true;
	if (copy_out(&s->copy, s->spec.copy, s->spec.ncopy))
		return false;
	/* the host misses the archive's end, and says so */
	(void)agent_put(out, AGENT_EOF, s->id, AGENT_FILES, NULL, 0);
	return true;
}

/* Its processes are gone and its streams have ended: say so */
static void finish(struct agent_writer *out, struct session *s)
{
	machine_flush();
	cgroup_remove(s->number);
	(void)agent_put_exit(out, s->id, &s->exit);
	spec_free(&s->spec);
	free(s->text);
	free(s->pending);
	memset(s, 0, sizeof(*s));
}

static void run(struct agent_writer *out, struct session *s)
{
	pull(out, s, AGENT_STDOUT, &s->job.out);
	pull(out, s, AGENT_STDERR, &s->job.err);
	if (s->started && !s->over)
		push_stdin(s);
	if (s->job.ctl >= 0)
		(void)take_note(out, s);
	if (s->owed && (s->owed >= AGENT_WINDOW / 4 || !s->npending) &&
	    agent_space(out) &&
	    agent_put_u32(out, AGENT_CREDIT, s->id, AGENT_STDIN, s->owed)) {
		s->credit[AGENT_STDIN] += s->owed;
		s->owed = 0;
	}
	pull(out, s, AGENT_FILES, &s->copy.fd);
	if (s->over && s->job.out < 0 && s->job.err < 0 && copied(out, s))
		finish(out, s);
}

void sessions_run(struct agent_writer *out)
{
	for (struct session *s = sessions; s < sessions + AGENT_SESSIONS; s++)
		if (s->id)
			run(out, s);
}
