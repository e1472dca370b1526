/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vsock_mux - the host's side: clients that connect to our socket and say CONNECT, and the
 * sockets PATH_PORT that guests reach.
 *
 * Connections are in an epoll of the device's own, of which the loop sees one fd: a turn takes a
 * bounded number of events, the kernel hands them out in turn, and other devices get their turn.
 * Edge-triggered, so a connection without a reader does not wake the loop.
 */
#include "devices/virtio/vsock.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "devices/virtio/devices.h"
#include "vmm/core/log.h"
#include "vmm/core/outside.h"

#define VSOCK_EVENTS_MAX   64   /* in a turn */
#define VSOCK_ACCEPTS_MAX  16   /* likewise */
#define VSOCK_GREETING_MAX 32   /* "CONNECT 4294967295\n" is 19 */
#define VSOCK_FDS_OTHER    256  /* what the rest of the machine may need */
#define VSOCK_CONNS_FEW    1024 /* if fewer, log it */

/* ---- descriptors: each connection is one ---- */

/* Take as many as we may */
static void vsock_raise_limit(void)
{
	const rlim_t want = VSOCK_CONNS_MAX + VSOCK_FDS_OTHER;
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur >= want)
		return;
	l.rlim_cur = MIN(l.rlim_max, want);
	(void)setrlimit(RLIMIT_NOFILE, &l);
}

/* Return: numbers below @limit that are in use, as far as we can see */
static rlim_t vsock_open_descriptors(rlim_t limit)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *de;
	rlim_t n = 0;

	while (dir && (de = readdir(dir)))
		n += de->d_name[0] != '.' && strtoul(de->d_name, NULL, 10) < limit;
	if (!dir)
		return VSOCK_FDS_OTHER;
	closedir(dir);
	return n ? n - 1 : 0; /* without @dir's own */
}

int vsock_reserve(struct virtio_dev *v, unsigned int others, struct err *e)
{
	struct vsock *s = container_of(v, struct vsock, v);
	rlim_t taken, need;
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur == RLIM_INFINITY)
		return 0;
	taken = vsock_open_descriptors(l.rlim_cur);
	need = taken + others;
	if (l.rlim_cur < need + 1)
		return err_set(e, EMFILE,
			       "--vsock: of %llu descriptors the machine needs %llu, and "
			       "none is left for a connection; raise ulimit -n",
			       (unsigned long long)l.rlim_cur, (unsigned long long)need);
	s->conns_max = (unsigned int)MIN(l.rlim_cur - need, (rlim_t)VSOCK_CONNS_MAX);
	if (s->conns_max < VSOCK_CONNS_FEW)
		log_warn("--vsock: at most %u connections at a time, for ulimit -n is "
			 "%llu and the machine itself needs %llu",
			 s->conns_max, (unsigned long long)l.rlim_cur,
			 (unsigned long long)need);
	return 0;
}

/* ---- epoll ---- */

static int vsock_epoll(struct vsock *s, int op, int fd, uint32_t events, void *what)
{
	struct epoll_event ev = {.events = events, .data.ptr = what};

	return epoll_ctl(s->source.fd, op, fd, &ev) < 0 ? -errno : 0;
}

int vsock_watch(struct vsock *s, struct vsock_conn *c, bool out)
{
	uint32_t events = EPOLLET | EPOLLIN | EPOLLRDHUP | (out ? (uint32_t)EPOLLOUT : 0);
	int rc;

	if (c->watched && out == c->watch_out)
		return 0;
	rc = vsock_epoll(s, c->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, events, c);
	if (rc < 0)
		return rc;
	c->watched = true;
	c->watch_out = out;
	return 0;
}

void vsock_unwatch(struct vsock *s, struct vsock_conn *c)
{
	if (c->fd < 0)
		return;
	/* Closing is not enough if a child of ours has it open between fork and exec. */
	(void)vsock_epoll(s, EPOLL_CTL_DEL, c->fd, 0, NULL);
	close(c->fd);
	c->fd = -1;
	c->readable = false;
}

/* ---- connections that the host begins ---- */

static void vsock_listen_again(struct vsock *s, bool listen)
{
	if (vsock_epoll(s, EPOLL_CTL_MOD, s->listener.fd, listen ? EPOLLIN : 0,
			&s->listener) == 0)
		s->deaf = !listen;
}

static void vsock_accept(struct vsock *s)
{
	for (unsigned int i = 0; i < VSOCK_ACCEPTS_MAX; i++) {
		struct vsock_conn *c;
		int fd;

		if (s->nconn >= s->conns_max && s->conns_max < VSOCK_CONNS_MAX) {
			vsock_listen_again(s, false);
			return;
		}
		fd = accept4(s->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) {
			/* clients wait in the backlog until a descriptor is free */
			if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
				vsock_listen_again(s, false);
			return;
		}
		c = vsock_conn_new(s, fd, VSOCK_GREETING);
		if (c)
			vsock_time(s, c);
	}
}

/* "CONNECT 1234".  Return: the port; -1, it is none */
static int64_t vsock_greeting_port(const char *line)
{
	static const char word[] = "CONNECT ";
	const char *p = line + sizeof(word) - 1;
	int64_t port = 0;

	if (strncasecmp(line, word, sizeof(word) - 1) != 0 || !*p)
		return -1;
	for (; *p; p++) {
		if (*p < '0' || *p > '9')
			return -1;
		port = 10 * port + (*p - '0');
		if (port >= UINT32_MAX) /* which is no port, but "any" */
			return -1;
	}
	return port;
}

/* The bytes after the line are for the guest, so exactly the line is taken. It ends with \n or
 * \r\n.
 */
static ssize_t vsock_greeting_line(const struct vsock_conn *c, char *line)
{
	ssize_t n = recv(c->fd, line, VSOCK_GREETING_MAX, MSG_PEEK | MSG_DONTWAIT);
	char *end;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	end = n > 0 ? memchr(line, '\n', (size_t)n) : NULL;
	if (!end) /* more may come, unless the client hung up or the line is too long */
		return n > 0 && n < VSOCK_GREETING_MAX ? 0 : -1;
	n = recv(c->fd, line, (size_t)(end - line) + 1, MSG_DONTWAIT);
	if (end > line && end[-1] == '\r')
		end--;
	*end = '\0';
	return n;
}

void vsock_greet(struct vsock *s, struct vsock_conn *c)
{
	char line[VSOCK_GREETING_MAX];
	ssize_t n = vsock_greeting_line(c, line);
	int64_t port = -1;

	if (n == 0)
		return;
	if (n > 0)
		port = vsock_greeting_port(line);
	if (port < 0 || vsock_conn_bind(s, c, (uint32_t)port,
					vsock_host_port(s, (uint32_t)port)) < 0) {
		vsock_bury(s, c);
		return;
	}
	c->stage = VSOCK_CONNECTING;
	c->due = 1U << VIRTIO_VSOCK_OP_REQUEST;
	vsock_time(s, c);
	vsock_ready(s, c);
}

/* ---- connections that the guest begins ---- */

void vsock_guest_connects(struct vsock *s, const struct virtio_vsock_hdr *h)
{
	struct vsock_conn *c;
	int fd = -1;

	if (s->nconn < s->conns_max)
		fd = outside_do(OUTSIDE_CONNECT, s->slot, h->dst_port);
	c = fd < 0 ? NULL : vsock_conn_new(s, fd, VSOCK_GREETING);
	if (!c || vsock_conn_bind(s, c, h->src_port, h->dst_port) < 0) {
		if (c)
			vsock_bury(s, c);
		vsock_refuse(s, h);
		return;
	}
	c->stage = VSOCK_OPEN;
	c->peer_alloc = h->buf_alloc;
	c->due = 1U << VIRTIO_VSOCK_OP_RESPONSE;
	vsock_ready(s, c);
}

/* ---- turns ---- */

static void vsock_expire(struct vsock *s, struct vsock_conn *c)
{
	bool told =
		!(c->due & (1U << VIRTIO_VSOCK_OP_RST | 1U << VIRTIO_VSOCK_OP_REQUEST));

	vsock_untime(s, c);
	if (told && (c->stage == VSOCK_CONNECTING || c->stage == VSOCK_CLOSING))
		vsock_reset(s, c);
	else
		vsock_bury(s, c);
}

static void vsock_on_timer(struct vsock *s)
{
	uint64_t n, now = monotonic_ns();
	struct vsock_conn *c;

	(void)!read(s->timer, &n, sizeof(n));
	s->timer_armed = false;
	while ((c = TAILQ_FIRST(&s->timed)) && c->deadline <= now)
		vsock_expire(s, c);
	if (s->deaf)
		vsock_listen_again(s, true);
}

static void vsock_arm(struct vsock *s)
{
	const struct vsock_conn *c = TAILQ_FIRST(&s->timed);
	uint64_t at = c ? c->deadline : monotonic_ns() + VSOCK_TIMEOUT_NS;
	struct itimerspec t = {
		.it_value = {(time_t)(at / 1000000000), (long)(at % 1000000000)}};

	if (s->timer_armed || (!c && !s->deaf))
		return;
	s->timer_armed = timerfd_settime(s->timer, TFD_TIMER_ABSTIME, &t, NULL) == 0;
}

void vsock_settle(struct vsock *s)
{
	struct vsock_conn *c;

	if (!s->v.active) {
		/* Given up by the guest, or taken from it: no answer will come. */
		while ((c = TAILQ_FIRST(&s->all)))
			vsock_bury(s, c);
		s->nrefusal = 0;
		loop_want(s->v.env->loop, &s->source, 0);
	}
	if (s->deaf && !TAILQ_EMPTY(&s->dead))
		vsock_listen_again(s, true);
	vsock_reap(s);
	if (s->v.active)
		vsock_arm(s);
}

void vsock_mux_rest(struct vsock *s)
{
	loop_want(s->v.env->loop, &s->source, 0);
	if (!s->rests)
		s->rests = monotonic_ns();
}

int vsock_mux_wake(struct vsock *s)
{
	uint64_t ns = s->rests ? monotonic_ns() - s->rests : 0;
	struct vsock_conn *c;

	s->rests = 0;
	TAILQ_FOREACH(c, &s->timed, in_timed)
	c->deadline += ns;
	s->timer_armed = false;
	loop_want(s->v.env->loop, &s->source, EPOLLIN);
	vsock_settle(s);
	return s->source.events ? 0 : -ENOSPC;
}

static void vsock_turn(struct loop_source *source, uint32_t events)
{
	struct vsock *s = container_of(source, struct vsock, source);
	struct epoll_event ev[VSOCK_EVENTS_MAX];
	int n = s->v.active ? epoll_wait(source->fd, ev, VSOCK_EVENTS_MAX, 0) : 0;

	(void)events;
	for (int i = 0; i < n; i++) {
		struct vsock_conn *c = ev[i].data.ptr;

		if (ev[i].data.ptr == &s->listener)
			vsock_accept(s);
		else if (ev[i].data.ptr == &s->timer)
			vsock_on_timer(s);
		else if (c->stage != VSOCK_DEAD && c->fd >= 0)
			vsock_news(s, c, ev[i].events);
	}
	if (s->v.active)
		vsock_rx(s);
	vsock_settle(s);
}

int vsock_mux_open(struct vsock *s, const char *path, struct err *e)
{
	int rc;

	s->source = (struct loop_source){.fd = -1, .fn = vsock_turn};
	s->timer = -1;
	s->listener.fd = s->slot = -1;
	rc = path ? unix_listen(&s->listener, "vsock", path, e) : 0;
	if (rc < 0)
		return rc;
	s->slot = path ? outside_peer(path) : -1;
	s->source.fd = epoll_create1(EPOLL_CLOEXEC);
	s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->source.fd < 0 || s->timer < 0 || (path && s->slot < 0) ||
	    (path &&
	     vsock_epoll(s, EPOLL_CTL_ADD, s->listener.fd, EPOLLIN, &s->listener) < 0) ||
	    vsock_epoll(s, EPOLL_CTL_ADD, s->timer, EPOLLIN, &s->timer) < 0) {
		rc = err_set(e, errno, "vsock: cannot watch sockets: %s",
			     strerror(errno));
		vsock_mux_close(s);
		return rc;
	}
	vsock_raise_limit();
	return 0;
}

void vsock_mux_close(struct vsock *s)
{
	unix_unlisten(&s->listener);
	outside_drop(s->slot);
	if (s->timer >= 0)
		close(s->timer);
	if (s->source.fd >= 0)
		close(s->source.fd);
}
