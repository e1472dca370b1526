/* SPDX-License-Identifier: Apache-2.0 */
/* vhost_user_msg - messages to and from a process that may hang, die or lie. */
#include "devices/backend/vhost_user_msg.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/core/signals.h"
#include "vmm/core/unix_socket.h"
#include "vmm/core/util.h"

#define NS_PER_MS UINT64_C(1000000)

/* A message's descriptors, aligned as the kernel needs it */
union vu_control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int) * VU_FDS_MAX)];
};

int vu_fail(struct vhost_user *u, int code, const char *why)
{
	u->why = why;
	return -code;
}

uint64_t vu_deadline(unsigned int ms)
{
	return monotonic_ns() + ms * NS_PER_MS;
}

/* Wait until the socket has @events. Return: 0, or -errno */
static int vu_wait(struct vhost_user *u, short events, uint64_t deadline)
{
	struct pollfd p = {.fd = u->fd, .events = events};
	uint64_t now = monotonic_ns();
	int rc;

	if (now >= deadline)
		return vu_fail(u, ETIMEDOUT, "it does not answer");
	if (signals_ending())
		return vu_fail(u, EINTR, "it has not answered yet");
	rc = signals_poll(&p, (int)((deadline - now) / NS_PER_MS) + 1);
	return rc < 0 && errno != EINTR ? vu_fail(u, errno, "poll failed") : 0;
}

/* After a call that moved nothing: should it be tried again? Return: 0, or -errno */
static int vu_again(struct vhost_user *u, ssize_t n, short events, uint64_t deadline)
{
	if (n == 0 || errno == EPIPE || errno == ECONNRESET)
		return vu_fail(u, EPIPE, "it has hung up");
	if (errno == EAGAIN || errno == EINTR)
		return deadline ? vu_wait(u, events, deadline)
				: vu_fail(u, EAGAIN, "it does not answer");
	return vu_fail(u, errno, "the connection failed");
}

static void vu_put_fds(struct msghdr *mh, union vu_control *control,
		       const struct vu_msg *m)
{
	struct cmsghdr *c;

	if (!m->nfd)
		return;
	mh->msg_control = control->bytes;
	mh->msg_controllen = CMSG_SPACE(sizeof(int) * m->nfd);
	c = CMSG_FIRSTHDR(mh);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * m->nfd);
	memcpy(CMSG_DATA(c), m->fd, sizeof(int) * m->nfd);
}

int vu_send(struct vhost_user *u, struct vu_msg *m, uint32_t flags, uint64_t deadline)
{
	size_t len = sizeof(m->h) + m->h.size, done = 0;
	union vu_control control = {0};
	char wire[sizeof(m->h) + sizeof(m->p)];

	m->h.flags = VU_VERSION | flags;
	memcpy(wire, &m->h, sizeof(m->h));
	memcpy(wire + sizeof(m->h), &m->p, m->h.size);
	while (done < len) {
		struct iovec v = {wire + done, len - done};
		struct msghdr mh = {.msg_iov = &v, .msg_iovlen = 1};
		ssize_t n;
		int rc = 0;

		if (!done) /* with the first byte */
			vu_put_fds(&mh, &control, m);
		n = sendmsg(u->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0)
			done += (size_t)n;
		else
			rc = vu_again(u, n, POLLOUT, deadline);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void vu_drop_fds(struct vu_msg *m)
{
	while (m->nfd)
		close(m->fd[--m->nfd]);
}

/* Exactly @len bytes.  Return: 0, or -errno */
static int vu_get(struct vhost_user *u, struct vu_msg *m, void *buf, size_t len,
		  uint64_t deadline)
{
	size_t done = 0;

	while (done < len) {
		union vu_control control;
		struct iovec v = {(char *)buf + done, len - done};
		struct msghdr mh = {.msg_iov = &v,
				    .msg_iovlen = 1,
				    .msg_control = control.bytes,
				    .msg_controllen = sizeof(control.bytes)};
		ssize_t n = recvmsg(u->fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		int rc = 0;

		if (n > 0) {
			m->nfd += unix_take_fds(&mh, m->fd + m->nfd, VU_FDS_MAX - m->nfd);
			done += (size_t)n;
		} else {
			rc = vu_again(u, n, POLLIN, deadline);
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int vu_check(struct vhost_user *u, const struct vu_header *h, uint32_t request,
		    size_t min)
{
	if (h->request != request)
		return vu_fail(u, EPROTO, "it answers another request than ours");
	if ((h->flags & (VU_VERSION | 2U)) != VU_VERSION || !(h->flags & VU_REPLY))
		return vu_fail(u, EPROTO, "what it sends is no reply");
	if (h->size < min || h->size > VU_PAYLOAD_MAX)
		return vu_fail(u, EPROTO, "its reply has an impossible length");
	return 0;
}

int vu_is_there(struct vhost_user *u, size_t size)
{
	struct vu_header h;
	char wire[sizeof(h) + VU_PAYLOAD_MAX];
	struct pollfd p = {.fd = u->fd, .events = POLLRDHUP};
	ssize_t n = recv(u->fd, wire, sizeof(h) + size, MSG_PEEK | MSG_DONTWAIT);

	if (n == 0 || (n < 0 && (errno == EPIPE || errno == ECONNRESET)))
		return vu_fail(u, EPIPE, "it has hung up");
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return vu_fail(u, errno, "the connection failed");
	if (n >= (ssize_t)sizeof(h)) {
		memcpy(&h, wire, sizeof(h));
		if (h.size != size)
			return vu_fail(u, EPROTO, "its reply has an impossible length");
	}
	if (n == (ssize_t)(sizeof(h) + size))
		return 0;
	/* a part may be all that will ever come */
	if (poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)))
		return vu_fail(u, EPIPE, "it has hung up");
	return 1;
}

int vu_receive(struct vhost_user *u, struct vu_msg *m, size_t min, unsigned int nfd,
	       uint64_t deadline)
{
	uint32_t request = m->h.request;
	int rc;

	memset(m, 0, sizeof(*m));
	rc = vu_get(u, m, &m->h, sizeof(m->h), deadline);
	if (rc == 0)
		rc = vu_check(u, &m->h, request, min);
	if (rc == 0)
		rc = vu_get(u, m, &m->p, m->h.size, deadline);
	if (rc == 0 && m->nfd > nfd)
		rc = vu_fail(u, EPROTO,
			     "its reply carries descriptors that none asked for");
	if (rc < 0)
		vu_drop_fds(m);
	return rc;
}
