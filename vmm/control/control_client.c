/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control_client - one client of the control socket: lines in, lines out.
 *
 * Descriptors that come along are kept for the next request, and closed if that does not take them.
 * Written is by write(2); SIGPIPE is ignored (vmm/core/signals.h).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/control/control_parts.h"
#include "vmm/core/unix_socket.h"
#include "vmm/core/util.h"

/* The length of its next line, with its line feed if it has one; 0: that is not whole yet. The last one
 * need not have a line feed
 */
static size_t client_line(const struct control_client *cl)
{
	const char *end = memchr(cl->in, '\n', cl->n);

	if (end)
		return (size_t)(end - cl->in) + 1;
	return cl->eof ? cl->n : 0;
}

bool client_ready(const struct control_client *cl)
{
	return cl->source.fd >= 0 && !cl->busy && !cl->out && !cl->last &&
	       client_line(cl);
}

void client_update(struct control_client *cl)
{
	struct control *c = cl->control;
	bool ready = client_ready(cl);
	uint32_t want = 0;

	if (cl->source.fd < 0)
		return;
	if (cl->out && !c->holds)
		want = EPOLLOUT;
	else if (!cl->busy && !cl->eof && !ready && !c->holds)
		want = EPOLLIN;
	else if (cl->busy && cl->request.command == CONTROL_SAVE)
		want = EPOLLHUP; /* it left, and nobody waits for what holds the machine up */
	loop_want(c->loop, &cl->source, want);
	if (ready && !c->holds)
		loop_post(c->loop, &c->go_on);
}

static void client_close_fds(struct control_client *cl)
{
	while (cl->nfd)
		close(cl->fd[--cl->nfd]);
}

void client_end(struct control_client *cl)
{
	const struct machine_ops *ops = cl->control->ops;

	if (cl->source.fd < 0)
		return;
	client_close_fds(cl);
	if (cl->busy && cl->request.command == CONTROL_SAVE)
		ops->forget_save(ops->saver, &cl->asker);
	else if (cl->busy)
		ops->forget(ops->machine, &cl->asker);
	control_request_fini(&cl->request);
	loop_del(cl->control->loop, &cl->source);
	close(cl->source.fd);
	free(cl->out);
	cl->out = NULL;
	cl->source.fd = -1;
}

/* ---- out ---- */

/* Write what it takes now.  Return: false, it is gone, or it is done with */
static bool client_flush(struct control_client *cl)
{
	while (cl->out) {
		ssize_t n =
			write(cl->source.fd, cl->out + cl->sent, cl->out_len - cl->sent);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0)
			break;
		cl->sent += (size_t)n;
		if (cl->sent < cl->out_len)
			continue;
		free(cl->out);
		cl->out = NULL;
	}
	if (!cl->out && !cl->last && !(cl->eof && !cl->n))
		return true;
	client_end(cl);
	return false;
}

/* @line, which is ours from now on, is the answer to its request; NULL: there was no memory for it */
static void client_answer(struct control_client *cl, char *line, size_t len)
{
	control_request_fini(&cl->request);
	cl->busy = false;
	cl->turn = ++cl->control->turn;
	if (!line) {
		client_end(cl);
		return;
	}
	cl->out = line;
	cl->out_len = len;
	cl->sent = 0;
	if (client_flush(cl))
		client_update(cl);
}

static void client_refuse(struct control_client *cl, const struct err *e)
{
	size_t len = 0;
	char *line = control_refusal(&cl->request, e, &len);

	client_answer(cl, line, len);
}

static void client_result(struct control_client *cl, json_t *result)
{
	size_t len = 0;
	char *line = control_reply(&cl->request, result, &len);

	client_answer(cl, line, len);
}

/* ---- the machine ---- */

static void client_told(struct machine_asker *a, const struct err *e, const char *json,
			size_t len)
{
	struct control_client *cl = container_of(a, struct control_client, asker);
	size_t n = 0;
	char *line;

	if (e) {
		client_refuse(cl, e);
	} else if (json) {
		line = control_reply_text(&cl->request, json, len, &n);
		client_answer(cl, line, n);
	} else if (cl->request.command == CONTROL_SAVE) {
		client_result(cl, json_object());
	} else {
		client_result(cl, json_pack("{ss}", "state", "paused"));
	}
}

static json_t *client_balloon(const struct machine_ops *ops, uint64_t bytes,
			      struct err *e)
{
	struct machine_status s;

	if (ops->balloon(ops->machine, bytes, e) < 0)
		return NULL;
	ops->status(ops->machine, &s);
	return json_pack("{sI sI}", "asked_bytes", (json_int_t)s.balloon_asked,
			 "given_bytes", (json_int_t)s.balloon_has);
}

static json_t *client_resize(const struct machine_ops *ops,
			     const struct control_request *r, struct err *e)
{
	uint64_t now = 0;

	if (r->has_bytes && !r->bytes) {
		err_set(e, EINVAL, "%s: a disk of no bytes is none", r->disk);
		return NULL;
	}
	if (ops->resize_disk(ops->machine, r->disk, r->bytes, &now, e) < 0)
		return NULL;
	return json_pack("{ss sI}", "disk", r->disk, "bytes", (json_int_t)now);
}

/* What is answered at once.  NULL: why is in @e */
static json_t *client_do(struct control_client *cl, struct err *e)
{
	const struct machine_ops *ops = cl->control->ops;
	const struct control_request *r = &cl->request;
	struct machine_status s;

	switch (r->command) {
	case CONTROL_RESUME:
		if (ops->resume(ops->machine, e) < 0)
			return NULL;
		ops->status(ops->machine, &s);
		return json_pack("{ss}", "state", s.state);
	case CONTROL_BALLOON:
		return client_balloon(ops, r->bytes, e);
	case CONTROL_RESIZE_DISK:
		return client_resize(ops, r, e);
	case CONTROL_STATUS:
	case CONTROL_PAUSE:
	case CONTROL_REPORT:
	case CONTROL_SAVE:
	case CONTROL_COMMANDS:
	default:
		ops->status(ops->machine, &s);
		return control_status(&s, cl->control->pid);
	}
}

/* Return: as ops->pause() */
static int client_save(struct control_client *cl, struct err *e)
{
	const struct machine_ops *ops = cl->control->ops;

	if (!ops->save)
		return err_set(
			e, ENOTSUP,
			"this machine cannot be saved: its job's session with microvm would "
			"end; only one that was started without run or test can");
	if (cl->nfd != MACHINE_SAVE_FDS)
		return err_set(
			e, EINVAL,
			"save needs two descriptors of files, for the state and for "
			"the memory");
	cl->nfd = 0;
	return ops->save(ops->saver, cl->fd, &cl->asker, e);
}

static void client_do_request(struct control_client *cl)
{
	const struct machine_ops *ops = cl->control->ops;
	struct err e = {0};
	json_t *result;

	cl->asker.told = client_told;
	cl->busy = true;
	if (cl->request.command == CONTROL_PAUSE) {
		if (ops->pause(ops->machine, &cl->asker, &e) < 0)
			client_refuse(cl, &e);
		else
			client_update(cl);
		return;
	}
	if (cl->request.command == CONTROL_SAVE) {
		if (client_save(cl, &e) < 0)
			client_refuse(cl, &e);
		else
			client_update(cl);
		return;
	}
	if (cl->request.command == CONTROL_REPORT) {
		ops->report(ops->machine, &cl->asker);
		client_update(cl);
		return;
	}
	cl->busy = false;
	result = client_do(cl, &e);
	if (e.code)
		client_refuse(cl, &e);
	else
		client_result(cl, result);
}

/* ---- in ---- */

static void client_forget_line(struct control_client *cl, size_t len)
{
	cl->n -= len;
	memmove(cl->in, cl->in + len, cl->n + 1); /* with the NUL behind them */
}

void client_serve(struct control_client *cl)
{
	size_t len = client_line(cl);
	struct err e = {0};
	int rc;

	if (strspn(cl->in, " \t\r\n") >= len) {
		client_forget_line(cl, len);
		if (client_flush(cl))
			client_update(cl);
		return;
	}
	rc = control_request_read(&cl->request, cl->in, len, &e);
	client_forget_line(cl, len);
	cl->last |= rc == -EBADMSG;
	if (rc == 0 && cl->request.command != CONTROL_SAVE)
		client_close_fds(cl);
	if (rc < 0)
		client_refuse(cl, &e);
	else
		client_do_request(cl);
}

/* It does not fit in, so there is no line */
static void client_floods(struct control_client *cl)
{
	struct err e;

	err_set(&e, EBADMSG, "a request has %d bytes at most", CONTROL_LINE_MAX);
	cl->last = true;
	cl->request = (struct control_request){.id = NULL};
	client_refuse(cl, &e);
}

/* As read(2), with descriptors */
static ssize_t client_receive(struct control_client *cl)
{
	_Alignas(struct cmsghdr) char space[CMSG_SPACE(sizeof(cl->fd))];
	struct iovec iov = {cl->in + cl->n, CONTROL_LINE_MAX - cl->n};
	struct msghdr h = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = space,
			   .msg_controllen = sizeof(space)};
	ssize_t n = recvmsg(cl->source.fd, &h, MSG_CMSG_CLOEXEC);

	if (n >= 0)
		cl->nfd +=
			unix_take_fds(&h, cl->fd + cl->nfd, MACHINE_SAVE_FDS - cl->nfd);
	return n;
}

static void client_read(struct control_client *cl)
{
	ssize_t n = client_receive(cl);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		client_end(cl);
		return;
	}
	cl->eof = n == 0;
	cl->n += (size_t)n;
	cl->in[cl->n] = '\0';
	if (cl->n == CONTROL_LINE_MAX && !client_line(cl))
		client_floods(cl);
	else if (client_flush(cl))
		client_update(cl);
}

static void client_on_event(struct loop_source *s, uint32_t events)
{
	struct control_client *cl = container_of(s, struct control_client, source);

	if (cl->busy) {
		client_end(cl);
	} else if (cl->out) {
		if (client_flush(cl))
			client_update(cl);
	} else if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		client_read(cl);
	}
}

void client_begin(struct control_client *cl, int fd)
{
	cl->source = (struct loop_source){.fd = fd, .fn = client_on_event};
	cl->n = cl->nfd = 0;
	cl->eof = cl->busy = cl->last = false;
	cl->turn = ++cl->control->turn;
	client_update(cl);
}
