/* SPDX-License-Identifier: Apache-2.0 */
/* outside_wire - questions and answers between two processes, a message each. */
#include "vmm/core/outside_wire.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/core/unix_socket.h"

static int wire_fd = -1; /* set before there are threads */
static pthread_mutex_t wire_lock = PTHREAD_MUTEX_INITIALIZER;

void wire_open(int fd)
{
	wire_fd = fd;
}

bool outside_asks(void)
{
	return wire_fd >= 0;
}

bool wire_is_closed(int fd)
{
	struct pollfd p = {.fd = fd};

	return poll(&p, 1, 0) > 0 && p.revents & POLLHUP;
}

int wire_send(int fd, const void *msg, size_t len, bool now, int pass)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {(void *)(uintptr_t)msg, len};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (pass >= 0) {
		h.msg_control = control.room;
		h.msg_controllen = sizeof(control.room);
		control.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
						.cmsg_level = SOL_SOCKET,
						.cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(&control.head), &pass, sizeof(pass));
	}
	do
		n = sendmsg(fd, &h, MSG_NOSIGNAL | (now ? MSG_DONTWAIT : 0));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

long wire_receive(int fd, void *msg, size_t size, bool now, int *passed)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(4 * sizeof(int))];
	} control = {0};
	struct iovec iov = {msg, size};
	struct msghdr h = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.room,
			   .msg_controllen = sizeof(control.room)};
	ssize_t n;
	int got = -1;

	do
		n = recvmsg(fd, &h, MSG_CMSG_CLOEXEC | (now ? MSG_DONTWAIT : 0));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	(void)unix_take_fds(&h, &got, 1);
	if (passed)
		*passed = got;
	else if (got >= 0)
		close(got);
	return h.msg_flags & MSG_TRUNC ? -EMSGSIZE : (long)n;
}

int wire_ask(const struct outside_question *q, int *fd)
{
	int32_t answer = 0;
	long n;
	int rc;

	*fd = -1;
	pthread_mutex_lock(&wire_lock);
	rc = wire_send(wire_fd, q, sizeof(*q), false, -1);
	n = rc < 0 ? rc : wire_receive(wire_fd, &answer, sizeof(answer), false, fd);
	pthread_mutex_unlock(&wire_lock);
	if (n == (long)sizeof(answer))
		return answer;
	return n < 0 && n != -EMSGSIZE ? (int)n : -EPIPE;
}
