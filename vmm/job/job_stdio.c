/* SPDX-License-Identifier: Apache-2.0 */
/* job_stdio - our stdin, stdout and stderr, as the job's streams. */
#include "vmm/job/job_stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "vmm/core/limits.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

#define OUT_BURST AGENT_WINDOW /* bytes written before others have a turn */

/* A source that sleeps.  Return: 1; 0: a file, which the loop cannot watch; -errno */
static int stdio_watch(struct loop *l, struct loop_source *s, int fd,
		       void (*fn)(struct loop_source *s, uint32_t events))
{
	int rc;

	*s = (struct loop_source){.fd = fd, .events = EPOLLIN, .fn = fn};
	if (fd < 0)
		return 0;
	rc = loop_add(l, s);
	if (rc == 0)
		loop_want(l, s, 0);
	else
		s->events = 0;
	return rc == -EPERM ? 0 : rc < 0 ? rc : 1;
}

static int stdio_failed(const char *name, int rc, struct err *e)
{
	return err_set(e, -rc, "%s cannot be watched: %s", name, strerror(-rc));
}

/* ---- out ---- */

static const char *const out_names[] = {"stdout", "stderr", "--copy-out"};

static void out_drop(struct job_out *o)
{
	o->owed += (uint32_t)o->n;
	o->head = o->n = 0;
}

static void out_failed(struct job_out *o, int error)
{
	const char *cure = limits_cure(error);

	o->gone = true;
	o->broken = error == EPIPE || error == ECONNRESET;
	out_drop(o);
	loop_want(o->loop, &o->source, 0);
	if (!o->broken)
		log_error("%s takes no more of the job's output: %s%s%s",
			  out_names[o->nr], strerror(error), cure ? "; " : "",
			  cure ? cure : "");
}

/* Return: bytes that went out; 0: it takes none now, or never again */
static size_t out_write(struct job_out *o, const uint8_t *p, size_t n)
{
	ssize_t k = n ? tty_fd_write(&o->fd, p, n) : 0;

	if (k < 0 && k != -EAGAIN)
		out_failed(o, (int)-k);
	return k > 0 ? (size_t)k : 0;
}

static void out_flush(struct job_out *o)
{
	size_t burst = 0;

	while (o->n && burst < OUT_BURST) {
		size_t k = out_write(o, o->ring + o->head,
				     MIN(o->n, AGENT_WINDOW - o->head));

		if (!k)
			break;
		o->head = (o->head + k) % AGENT_WINDOW;
		o->n -= k;
		o->owed += (uint32_t)k;
		burst += k;
	}
	if (!o->n)
		o->head = 0;
	loop_want(o->loop, &o->source, o->n ? EPOLLOUT : 0);
}

static void out_on_room(struct loop_source *s, uint32_t events)
{
	struct job_out *o = container_of(s, struct job_out, source);

	(void)events;
	out_flush(o);
	o->moved(o);
}

int job_out_open(struct job_out *o, struct loop *l, unsigned int nr, int fd,
		 void (*moved)(struct job_out *o), struct err *e)
{
	int rc;

	*o = (struct job_out){
		.loop = l, .nr = nr, .credit = AGENT_WINDOW, .moved = moved};
	tty_fd_open(&o->fd, fd, O_WRONLY);
	o->ring = malloc(AGENT_WINDOW);
	if (!o->ring)
		return err_set(e, ENOMEM, "out of memory");
	rc = stdio_watch(l, &o->source, o->fd.fd, out_on_room);
	return rc < 0 ? stdio_failed(out_names[nr], rc, e) : 0;
}

void job_out_close(struct job_out *o)
{
	if (!o->loop)
		return;
	loop_del(o->loop, &o->source);
	tty_fd_close(&o->fd);
	free(o->ring);
	*o = (struct job_out){0};
}

static void out_keep(struct job_out *o, const uint8_t *p, size_t n)
{
	while (n) {
		size_t at = (o->head + o->n) % AGENT_WINDOW;
		size_t k = MIN(n, AGENT_WINDOW - at);

		memcpy(o->ring + at, p, k);
		o->n += k;
		p += k;
		n -= k;
	}
}

bool job_out_put(struct job_out *o, const uint8_t *p, size_t n)
{
	size_t k = 0;

	if (n > o->credit || o->ended)
		return false;
	o->credit -= (uint32_t)n;
	while (!o->n && !o->gone && k < n) {
		size_t more = out_write(o, p + k, n - k);

		if (!more)
			break;
		k += more;
	}
	o->owed += (uint32_t)k;
	if (o->gone)
		o->owed += (uint32_t)(n - k);
	else
		out_keep(o, p + k, n - k);
	if (o->n)
		loop_want(o->loop, &o->source, EPOLLOUT);
	return true;
}

/* ---- in ---- */

static void in_on_ready(struct loop_source *s, uint32_t events)
{
	struct job_in *in = container_of(s, struct job_in, source);

	(void)events;
	in->ready(in);
}

int job_in_open(struct job_in *in, struct loop *l, int fd,
		void (*ready)(struct job_in *in), struct err *e)
{
	int rc;

	*in = (struct job_in){.loop = l, .credit = AGENT_WINDOW, .ready = ready};
	tty_fd_open(&in->fd, fd, O_RDONLY);
	rc = stdio_watch(l, &in->source, in->fd.fd, in_on_ready);
	if (rc < 0)
		return stdio_failed("stdin", rc, e);
	in->file = rc == 0;
	return 0;
}

void job_in_close(struct job_in *in)
{
	if (!in->loop)
		return;
	loop_del(in->loop, &in->source);
	tty_fd_close(&in->fd);
	*in = (struct job_in){0};
}

void job_in_want(struct job_in *in, bool want)
{
	if (!in->file)
		loop_want(in->loop, &in->source, want ? EPOLLIN : 0);
}

long job_in_read(struct job_in *in, uint8_t *p, size_t n)
{
	ssize_t k = tty_fd_read(&in->fd, p, n);

	if (k == -EAGAIN)
		return -EAGAIN;
	if (k > 0) {
		in->credit -= (uint32_t)k;
		return k;
	}
	in->ended = true; /* a terminal that was hung up says EIO */
	job_in_want(in, false);
	return 0;
}
