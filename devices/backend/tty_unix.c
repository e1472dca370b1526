/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tty_unix - a console on a unix socket: a client that connects is its operator, one at a time.
 *
 * The next waits in the socket's backlog until the first has left. Bytes that a peer sent before
 * it left still reach the guest, unless the guest does not read and another peer comes.
 */
#include "devices/backend/tty_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/core/log.h"
#include "vmm/core/loop_timer.h"
#include "vmm/core/util.h"

#define TTY_UNIX_AGAIN_NS 500000000

/* No events wanted: epoll always reports errors and the hang-up */
#define TTY_UNIX_HANGUP EPOLLET

/* ---- a peer ---- */

static void tty_unix_listen(struct tty *t)
{
	const struct tty_listener *l = &t->listener;

	if (l->source.fd < 0) /* the one that we inherited is the last */
		return;
	tty_want(t, &t->listener.source, !l->peer || l->gone ? EPOLLIN : 0);
}

static void tty_unix_leave(struct tty *t)
{
	struct tty_listener *l = &t->listener;

	loop_del(t->loop, &t->in_source);
	loop_del(t->loop, &t->turn_source);
	tty_fd_close(&t->in);
	t->eof = true;
	l->peer = l->half = l->gone = false;
	tty_unix_listen(t);
	tty_out_forget(t);
	if (t->client)
		t->client->connected(t->client, false);
}

static void tty_unix_enter(struct tty *t, int fd, int fd_out)
{
	struct tty_fd end = {.fd = fd, .kind = TTY_FD_SOCKET, .own = true};

	if (t->listener.peer)
		tty_unix_leave(t);
	t->in = t->out = end;
	t->out.fd = fd_out;
	t->in_source.fd = fd;
	t->eof = false;
	t->listener.peer = true;
	tty_unix_listen(t);
	tty_want(t, &t->in_source, EPOLLIN | EPOLLRDHUP);
	if (t->client)
		t->client->connected(t->client, true);
	tty_out_open(t);
}

/* No descriptors left: the peer waits, and so do we, or the loop would spin. */
static void tty_unix_pause(struct tty *t, int error)
{
	log_warn("%s: cannot take a connection now: %s", t->label, strerror(error));
	tty_want(t, &t->listener.source, 0);
	loop_timer_set(&t->again_source, TTY_UNIX_AGAIN_NS);
}

void tty_unix_again(struct tty *t)
{
	tty_unix_listen(t);
}

static void tty_unix_on_peer(struct loop_source *s, uint32_t events)
{
	struct tty *t = container_of(s, struct tty, listener.source);
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	/* epoll accepts a descriptor once: one for each direction */
	int fd_out = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	int error = errno;

	(void)events;
	if (fd_out >= 0) {
		tty_unix_enter(t, fd, fd_out);
		return;
	}
	if (fd >= 0)
		close(fd);
	if (error != EAGAIN && error != EINTR && error != ECONNABORTED)
		tty_unix_pause(t, error);
}

void tty_unix_rest(struct tty *t)
{
	const struct tty_listener *l = &t->listener;
	uint32_t want = l->half ? TTY_UNIX_HANGUP : EPOLLRDHUP;

	tty_want(t, &t->in_source, l->gone ? 0 : want);
}

static bool tty_unix_unread(const struct tty *t)
{
	uint8_t b;

	return recv(t->in.fd, &b, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void tty_unix_hung(struct tty *t, uint32_t events)
{
	struct tty_listener *l = &t->listener;

	if (!(events & (EPOLLHUP | EPOLLERR))) {
		l->half = true;
	} else if (t->eof || !tty_unix_unread(t)) {
		tty_unix_leave(t);
		return;
	} else {
		l->gone = true;
		tty_unix_listen(t);
	}
	tty_unix_rest(t);
}

/* Was that all, or does the peer still read? */
void tty_unix_eof(struct tty *t)
{
	struct pollfd p = {.fd = t->in.fd};

	if (t->listener.gone || poll(&p, 1, 0) != 0) {
		tty_unix_leave(t);
		return;
	}
	t->listener.half = true;
	tty_unix_rest(t);
}

/* ---- the socket ---- */

int tty_unix_start(struct tty *t)
{
	t->pollable = true;     /* as any peer will be */
	if (t->listener.peer) { /* inherited */
		tty_want(t, &t->in_source, EPOLLIN | EPOLLRDHUP);
		return t->in_source.events ? 0 : -ENOSPC;
	}
	tty_unix_listen(t);
	return t->listener.source.events ? 0 : -ENOSPC;
}

struct tty *tty_create_unix(struct loop *l, const char *label, const char *path,
			    struct err *e)
{
	struct tty *t = tty_alloc(l, TTY_UNIX, label, e);

	if (!t)
		return NULL;
	t->eof = t->nobody = true; /* until there is a peer */
	t->listener.path = strdup(path);
	if (!t->listener.path)
		err_set(e, ENOMEM, "%s: out of memory", label);
	else if (unix_listen(&t->listener.at, label, t->listener.path, e) == 0)
		t->listener.source.fd = t->listener.at.fd;
	if (t->listener.source.fd >= 0) {
		t->listener.source.fn = tty_unix_on_peer;
		return t;
	}
	tty_destroy(t);
	return NULL;
}

void tty_unix_destroy(struct tty *t)
{
	struct tty_listener *l = &t->listener;

	loop_del(t->loop, &l->source);
	unix_unlisten(&l->at);
	free(l->path);
}
