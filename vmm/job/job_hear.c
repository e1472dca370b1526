/* SPDX-License-Identifier: Apache-2.0 */
/* job_hear - what the agent says in a job's session, each frame checked. */
#include "vmm/job/job_hear.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/core/util.h"

static void hear_end(struct job_session *s, const char *sentence)
{
	struct exit_verdict v = exit_verdict(CAUSE_HOST_ERROR);

	v.status = JOB_STATUS_OURS;
	(void)snprintf(v.detail, sizeof(v.detail), "%s", sentence);
	job_session_end(s, &v);
}

/* The agent is ours: either its image is another program's, or its guest was taken over */
static void hear_offence(struct job_session *s, const char *what)
{
	char sentence[256];

	(void)snprintf(
		sentence, sizeof(sentence),
		"the guest's agent sent %s, which no agent does: its guest may have "
		"been taken over, or --agent is another version's image",
		what);
	hear_end(s, sentence);
}

void job_session_check(struct job_session *s)
{
	struct exit_verdict v = exit_verdict(CAUSE_JOB);

	if (!s->exited_ns || s->out_[0].n || s->out_[1].n || !job_copied_done(s))
		return;
	v.status = agent_status(&s->exit);
	(void)snprintf(v.detail, sizeof(v.detail), "%s", s->exit.sentence);
	job_session_end(s, &v);
}

/* ---- the machine's frames ---- */

static void hear_booted(struct job_session *s)
{
	struct exit_verdict v = exit_verdict(CAUSE_JOB);

	job_session_end(s, &v);
}

static void hear_hello(struct job_session *s, const struct agent_frame *f)
{
	struct agent_hello hello;
	char sentence[256];

	agent_hello(f, &hello);
	if (hello.version == AGENT_VERSION && !s->greeted_ns) {
		s->greeted_ns = monotonic_ns();
		if (s->start->greeting)
			hear_booted(s);
		return;
	}
	if (s->greeted_ns) {
		hear_offence(s, "a second greeting");
		return;
	}
	(void)snprintf(sentence, sizeof(sentence),
		       "the agent's image speaks version %u of the protocol, and this "
		       "microvm version %u; make it again: guest-images/agent/prepare",
		       hello.version, AGENT_VERSION);
	hear_end(s, sentence);
}

/* What is said to the agent does not wait for it */
static void hear_ready(struct job_session *s, const struct agent_frame *f)
{
	(void)f;
	s->ready_ns = monotonic_ns();
}

static void hear_fail(struct job_session *s, const struct agent_frame *f)
{
	char sentence[AGENT_SENTENCE + 1];

	agent_fail(f, sentence);
	hear_end(s, *sentence ? sentence
			      : "the guest cannot serve a job, and does not say "
				"why");
}

/* ---- the job's ---- */

static void hear_started(struct job_session *s, const struct agent_frame *f)
{
	(void)f;
	if (s->started_ns) {
		hear_offence(s, "a second start");
		return;
	}
	s->started_ns = monotonic_ns();
	job_terminal_begin(s);
}

static void hear_data(struct job_session *s, const struct agent_frame *f)
{
	struct job_out *o = &s->out_[f->stream - AGENT_STDOUT];

	s->copied.begun |= f->stream == AGENT_FILES;
	if (f->stream == AGENT_STDOUT && s->start->printed)
		s->start->printed(s->start->ctx, f->payload, f->len);
	if (!job_out_put(o, f->payload, f->len))
		hear_offence(s, "more of a stream than it may");
}

static void hear_eof(struct job_session *s, const struct agent_frame *f)
{
	struct job_out *o = &s->out_[f->stream - AGENT_STDOUT];

	if (o->ended)
		hear_offence(s, "a stream's end twice");
	o->ended = true;
	/* a terminal's end is the job's; its keys are ours while files are copied out */
	if (s->terminal.on && f->stream == AGENT_STDOUT)
		job_terminal_close(s);
}

static void hear_credit(struct job_session *s, const struct agent_frame *f)
{
	uint32_t more = agent_u32(f);

	if (more > AGENT_WINDOW - s->stdin_.credit)
		hear_offence(s, "more credit than there is");
	else
		s->stdin_.credit += more;
}

static void hear_exit(struct job_session *s, const struct agent_frame *f)
{
	agent_exit(f, &s->exit);
	s->exited_ns = monotonic_ns();
	job_session_check(s);
}

static void (*const hears[])(struct job_session *s, const struct agent_frame *f) = {
	[AGENT_HELLO] = hear_hello,     [AGENT_FAIL] = hear_fail,
	[AGENT_STARTED] = hear_started, [AGENT_DATA] = hear_data,
	[AGENT_EOF] = hear_eof,         [AGENT_CREDIT] = hear_credit,
	[AGENT_EXIT] = hear_exit,       [AGENT_READY] = hear_ready,
};

/* agent_next() has checked the frame alone; what it may be now is ours */
static void hear(struct job_session *s, const struct agent_frame *f)
{
	if (!s->greeted_ns && f->type != AGENT_HELLO && f->type != AGENT_FAIL)
		hear_offence(s, "something before its greeting");
	else if (f->session && (f->session != JOB_SESSION || !s->begun))
		hear_offence(s, "something about a job that there is not");
	else if ((!f->session || !s->exited_ns) && f->type < ARRAY_SIZE(hears) &&
		 hears[f->type])
		hears[f->type](s, f);
}

void job_session_hear(struct job_session *s)
{
	struct agent_frame f;
	uint8_t *p;
	size_t room = agent_room(&s->in, &p);
	ssize_t n = tty_fd_read(&s->fd, p, room);
	int rc = 0;

	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		hear_end(s, "the guest's end of the job's session is gone");
		return;
	}
	agent_got(&s->in, (size_t)n);
	while (!s->over && (rc = agent_next(&s->in, &f)) > 0)
		hear(s, &f);
	if (!s->over && rc < 0)
		hear_offence(s, "a frame that there is not");
}
