/* SPDX-License-Identifier: Apache-2.0 */
/* ctl - a client of the control socket. The machine at its other end need not be one of ours. */
#include "vmm/control/ctl.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/core/signals.h"
#include "vmm/core/unix_socket.h"
#include "vmm/core/util.h"

#define CTL_WAIT_MS    30000
#define CTL_LOOK_MS    200
#define CTL_ANSWER_MAX MIB
#define CTL_PIECE      4096

struct ctl_text {
	char *p;
	size_t n, size;
};

static int ctl_cannot_connect(const char *path, int code, struct err *e)
{
	switch (code) {
	case ENOENT:
	case ENOTDIR:
		return err_set(
			e, code,
			"there is no socket %.200s; is the machine over, or was it "
			"started without --control %.200s?",
			path, path);
	case ECONNREFUSED:
		return err_set(e, code,
			       "no machine listens at %.200s any more; its process was "
			       "killed, or the file is no control socket",
			       path);
	case EACCES:
	case EPERM:
		return err_set(
			e, code,
			"%.200s belongs to another user; ask as the one who started "
			"the machine, or as root",
			path);
	case ENAMETOOLONG:
		return err_set(e, code,
			       "%.200s is too long for a socket; use a relative path",
			       path);
	case EAGAIN:
		return err_set(
			e, code,
			"too many clients wait at %.200s already; is the machine's "
			"process stopped?",
			path);
	default:
		return err_set(e, code, "cannot connect to %.200s: %s", path,
			       strerror(code));
	}
}

/* Wait a while until @fd is ready for @events. Return: 1: it is; 0: ask again; -errno in @e */
static int ctl_wait_once(int fd, short events, uint64_t ns, const struct ctl_patience *c,
			 struct err *e)
{
	struct pollfd p = {.fd = fd, .events = events};
	int ms = (int)(MIN(ns, CTL_LOOK_MS * UINT64_C(1000000)) / 1000000) + 1;
	int n = signals_poll(&p, ms);

	if (n < 0 && errno != EINTR)
		return err_set(e, errno, "cannot wait for the machine: %s",
			       strerror(errno));
	if (n > 0)
		return 1;
	if (c && signals_ending())
		return err_set(e, ECANCELED, "ended by a signal; the machine goes on");
	if (c)
		c->look(c->ctx);
	return 0;
}

/* Return: 0 or -errno in @e */
static int ctl_wait(int fd, short events, uint64_t until, const struct ctl_patience *c,
		    struct err *e)
{
	int rc = 0;

	while (rc == 0) {
		uint64_t now = monotonic_ns();

		if (!c && now >= until)
			return err_set(e, ETIMEDOUT,
				       "the machine has not answered for %d seconds; is "
				       "its process stopped (state T in ps), or does a "
				       "disk of its host hang?",
				       CTL_WAIT_MS / 1000);
		rc = ctl_wait_once(fd, events, c ? UINT64_MAX : until - now, c, e);
	}
	return rc < 0 ? rc : 0;
}

static int ctl_send(int fd, const char *p, size_t n, uint64_t until,
		    const struct ctl_patience *c, struct err *e)
{
	while (n) {
		ssize_t sent;
		int rc = ctl_wait(fd, POLLOUT, until, c, e);

		if (rc < 0)
			return rc;
		sent = write(fd, p, n);
		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return err_set(e, errno,
				       "the machine does not listen any more: %s",
				       strerror(errno));
		p += MAX(sent, 0);
		n -= (size_t)MAX(sent, 0);
	}
	return 0;
}

static bool ctl_room(struct ctl_text *t)
{
	char *p;

	if (t->n + CTL_PIECE <= t->size)
		return true;
	p = t->size < CTL_ANSWER_MAX ? realloc(t->p, t->size * 2 + CTL_PIECE) : NULL;
	if (!p)
		return false;
	t->p = p;
	t->size = t->size * 2 + CTL_PIECE;
	return true;
}

/* A line into @t, without its line feed.  Return: 0 or -errno in @e */
static int ctl_receive(int fd, struct ctl_text *t, uint64_t until,
		       const struct ctl_patience *c, struct err *e)
{
	for (;;) {
		ssize_t n;
		int rc = ctl_wait(fd, POLLIN, until, c, e);

		if (rc < 0)
			return rc;
		if (!ctl_room(t))
			return err_set(e, EMSGSIZE,
				       "the answer is too long for one of a machine's");
		n = read(fd, t->p + t->n, CTL_PIECE);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			return err_set(
				e, ECONNRESET,
				"the machine ended, or let go of us, before it answered");
		t->n += (size_t)n;
		if (memchr(t->p + t->n - n, '\n', (size_t)n)) {
			t->n = (size_t)((char *)memchr(t->p, '\n', t->n) - t->p);
			return 0;
		}
	}
}

/* The result in @answer; NULL: in @e is why */
static json_t *ctl_result(const char *text, size_t len, struct err *e)
{
	json_t *answer = json_loadb(text, len, 0, NULL), *result;
	const char *why;

	result = json_object_get(answer, "result");
	why = json_string_value(
		json_object_get(json_object_get(answer, "error"), "message"));
	if (json_is_true(json_object_get(answer, "ok")) && json_is_object(result))
		json_incref(result);
	else
		result = NULL;
	if (!result)
		err_set(e, EPROTO, "%s",
			why ? why
			    : "that is no answer of a machine's; is it another socket?");
	json_decref(answer);
	return result;
}

static json_t *ctl_talk(int fd, const char *line, const struct ctl_patience *c,
			struct err *e)
{
	uint64_t until = monotonic_ns() + CTL_WAIT_MS * UINT64_C(1000000);
	struct ctl_text t = {.p = NULL};
	json_t *result = NULL;

	if (ctl_send(fd, line, strlen(line), until, c, e) == 0 &&
	    ctl_send(fd, "\n", 1, until, c, e) == 0 &&
	    ctl_receive(fd, &t, until, c, e) == 0)
		result = ctl_result(t.p, t.n, e);
	free(t.p);
	return result;
}

/* @nfd descriptors, two at most, with the byte that the line begins with */
static int ctl_send_fds(int to, const char *line, const int *fd, unsigned int nfd,
			struct err *e)
{
	_Alignas(struct cmsghdr) char space[CMSG_SPACE(2 * sizeof(int))] = {0};
	struct iovec iov = {(void *)(uintptr_t)line, 1};
	struct msghdr h = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = space,
			   .msg_controllen = CMSG_SPACE(nfd * sizeof(int))};
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(nfd * sizeof(int));
	memcpy(CMSG_DATA(c), fd, nfd * sizeof(int));
	if (sendmsg(to, &h, 0) == 1)
		return 0;
	return err_set(e, errno, "the machine takes no descriptors: %s", strerror(errno));
}

json_t *ctl_ask(const char *path, json_t *request, const int *files, unsigned int nfd,
		const struct ctl_patience *patience, struct err *e)
{
	cleanup_free char *line = json_dumps(request, JSON_COMPACT);
	cleanup_close int fd = -1;

	json_decref(request);
	if (!line) {
		err_set(e, ENOMEM, "no memory for the question");
		return NULL;
	}
	fd = unix_connect(path);
	if (fd < 0) {
		ctl_cannot_connect(path, -fd, e);
		return NULL;
	}
	if (nfd && ctl_send_fds(fd, line, files, nfd, e) < 0)
		return NULL;
	return ctl_talk(fd, line + (nfd ? 1 : 0), patience, e);
}
