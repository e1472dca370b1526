/* SPDX-License-Identifier: Apache-2.0 */
/* job_copied - what the copier says of what is copied out. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/core/util.h"
#include "vmm/job/job_hear.h"
#include "vmm/job/job_session.h"

/* A sentence with its NUL; one that ends without it is a copier that died, and what it said last */
static void on_answer(struct loop_source *l, uint32_t events)
{
	struct job_session *s = container_of(l, struct job_session, copied.source);
	struct job_copied *c = &s->copied;
	ssize_t n = read(l->fd, c->text + c->n, sizeof(c->text) - 1 - c->n);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	c->n += n > 0 ? (size_t)n : 0;
	if (!c->n)
		(void)snprintf(c->text, sizeof(c->text),
			       "--copy-out: the process that writes the files has ended");
	c->came = n <= 0 || !c->text[c->n - 1] || c->n == sizeof(c->text) - 1;
	if (!c->came)
		return;
	/* perhaps it is of a guest's that has taken the copier over */
	c->text[strcspn(c->text, "\n")] = '\0';
	text_printable(c->text, strlen(c->text));
	loop_want(s->loop, l, 0);
	/* what packs the rest in the guest has nobody to read it */
	if (c->begun && !s->exited_ns) {
		s->signals |= UINT64_C(1) << SIGTERM;
		job_session_pump(s);
	}
	job_session_check(s);
}

int job_copied_open(struct job_session *s, struct err *e)
{
	struct loop_source *l = &s->copied.source;
	int rc;

	if (!s->start->copier)
		return 0;
	*l = (struct loop_source){
		.fd = s->start->copier->answer, .events = EPOLLIN, .fn = on_answer};
	rc = loop_add(s->loop, l);
	return rc < 0 ? err_set(e, -rc, "--copy-out cannot be watched: %s", strerror(-rc))
		      : 0;
}

void job_copied_close(struct job_session *s)
{
	if (s->start->copier)
		loop_del(s->loop, &s->copied.source);
}

bool job_copied_done(struct job_session *s)
{
	struct job_out *o = &s->out_[AGENT_FILES - AGENT_STDOUT];
	struct job_copied *c = &s->copied;

	if (!s->start->copier || s->exit.how == AGENT_CANNOT)
		return true;
	/* no more comes, of whatever came: the copier has to answer */
	if (!c->shut && !o->n) {
		c->shut = true;
		(void)shutdown(s->start->copier->files, SHUT_WR);
	}
	return c->came;
}

/* A job that failed keeps its own status.  After whatever end: what is not there is not passed over */
void job_copied_tell(const struct job_session *s, struct exit_verdict *v)
{
	const struct job_copier *p = s->start ? s->start->copier : NULL;
	size_t n = strlen(v->detail);
	const char *and = n ? "; " : "";
	char more[32] = "";

	if (!s->loop || !p || (s->copied.came && !*s->copied.text))
		return;
	if (p->n > 1)
		(void)snprintf(more, sizeof(more), " and %u more", p->n - 1);
	if (s->copied.came)
		(void)snprintf(v->detail + n, sizeof(v->detail) - n, "%s%s", and,
			       s->copied.text);
	else
		(void)snprintf(v->detail + n, sizeof(v->detail) - n,
			       "%s%s was copied out to %.200s%s", and,
			       s->copied.begun ? "not all" : "nothing", p->place[0].dst,
			       more);
	if (v->status)
		return;
	v->cause = CAUSE_HOST_ERROR;
	v->status = JOB_STATUS_OURS;
}
