/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vsock_table - the connections: found by their ports, queued for the guest in turn, timed, and
 * freed.
 *
 * A connection that ends in the middle of a turn is only marked: pointers to it may still be in
 * use, as in events that epoll has just returned.
 */
#include "devices/virtio/vsock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

/* Host ports of connections that the host begins, numbered as Firecracker does */
#define VSOCK_PORT_FIRST (1U << 30)

void vsock_table_init(struct vsock *s)
{
	/* Without a random seed the guest can only slow itself down */
	if (getrandom(&s->seed, sizeof(s->seed), GRND_NONBLOCK) < 0)
		s->seed = monotonic_ns();
	s->seed |= 1;
	s->conns_max = VSOCK_CONNS_MAX;
	s->pool = VSOCK_CREDIT_POOL;
	s->next_port = VSOCK_PORT_FIRST;
	TAILQ_INIT(&s->ready);
	TAILQ_INIT(&s->timed);
	TAILQ_INIT(&s->all);
	TAILQ_INIT(&s->dead);
	for (unsigned int i = 0; i < VSOCK_BUCKETS; i++)
		LIST_INIT(&s->bucket[i]);
}

struct vsock_conn *vsock_conn_new(struct vsock *s, int fd, enum vsock_stage stage)
{
	struct vsock_conn *c = NULL;

	if (s->nconn < s->conns_max)
		c = calloc(1, sizeof(*c));
	if (c) {
		c->fd = fd;
		if (vsock_watch(s, c, false) == 0) {
			c->stage = stage;
			s->nconn++;
			TAILQ_INSERT_TAIL(&s->all, c, in_all);
			return c;
		}
		free(c);
	}
	close(fd);
	return NULL;
}

/* Odd multipliers chosen at random spread any set of keys (multiply-shift). */
static unsigned int vsock_hash(const struct vsock *s, uint32_t guest_port,
			       uint32_t host_port)
{
	uint64_t key = (uint64_t)guest_port << 32 | host_port;

	return (unsigned int)(key * s->seed >> 54) % VSOCK_BUCKETS;
}

static uint32_t vsock_share(const struct vsock *s)
{
	uint32_t part = s->pool / VSOCK_CREDIT_SHARE;

	return VSOCK_CREDIT_MIN + part / VSOCK_CREDIT_MIN * VSOCK_CREDIT_MIN;
}

int vsock_conn_bind(struct vsock *s, struct vsock_conn *c, uint32_t guest_port,
		    uint32_t host_port)
{
	uint32_t credit = vsock_share(s);
	int size = (int)credit;

	/* The only memory of its data path; pages that are never written cost nothing. */
	c->buf = malloc(credit);
	if (!c->buf)
		return -ENOMEM;
	c->credit = credit;
	s->pool -= credit - VSOCK_CREDIT_MIN;
	/* The kernel's buffer is memory that the guest fills as well. */
	if (2 * credit < VSOCK_SNDBUF)
		(void)setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	c->guest_port = guest_port;
	c->host_port = host_port;
	c->hashed = true;
	LIST_INSERT_HEAD(&s->bucket[vsock_hash(s, guest_port, host_port)], c, in_bucket);
	return 0;
}

struct vsock_conn *vsock_find(const struct vsock *s, uint32_t guest_port,
			      uint32_t host_port)
{
	struct vsock_conn *c;

	LIST_FOREACH(c, &s->bucket[vsock_hash(s, guest_port, host_port)], in_bucket)
	if (c->guest_port == guest_port && c->host_port == host_port)
		return c;
	return NULL;
}

void vsock_unhash(struct vsock_conn *c)
{
	if (c->hashed)
		LIST_REMOVE(c, in_bucket);
	c->hashed = false;
}

uint32_t vsock_host_port(struct vsock *s, uint32_t guest_port)
{
	uint32_t port;

	do {
		port = VSOCK_PORT_FIRST | (s->next_port++ & (VSOCK_PORT_FIRST - 1));
	} while (vsock_find(s, guest_port, port));
	return port;
}

/* Without credit there is no reason to read, except to learn that we are out of it. */
static bool vsock_speaks(const struct vsock_conn *c)
{
	if (c->due)
		return true;
	return c->stage == VSOCK_OPEN && c->readable && (vsock_credit(c) || !c->asked);
}

void vsock_ready(struct vsock *s, struct vsock_conn *c)
{
	bool speaks = c->stage != VSOCK_DEAD && vsock_speaks(c);

	if (speaks == c->ready)
		return;
	c->ready = speaks;
	if (speaks)
		TAILQ_INSERT_TAIL(&s->ready, c, in_ready);
	else
		TAILQ_REMOVE(&s->ready, c, in_ready);
}

/* One timeout for all, so the list is in the order of the deadlines. */
void vsock_time(struct vsock *s, struct vsock_conn *c)
{
	vsock_untime(s, c);
	c->deadline = monotonic_ns() + VSOCK_TIMEOUT_NS;
	c->timed = true;
	TAILQ_INSERT_TAIL(&s->timed, c, in_timed);
}

void vsock_untime(struct vsock *s, struct vsock_conn *c)
{
	if (c->timed)
		TAILQ_REMOVE(&s->timed, c, in_timed);
	c->timed = false;
}

void vsock_bury(struct vsock *s, struct vsock_conn *c)
{
	if (c->stage == VSOCK_DEAD)
		return;
	vsock_unwatch(s, c);
	vsock_unhash(c);
	vsock_untime(s, c);
	c->stage = VSOCK_DEAD;
	c->due = 0;
	vsock_ready(s, c);
	TAILQ_REMOVE(&s->all, c, in_all);
	TAILQ_INSERT_TAIL(&s->dead, c, in_all);
}

void vsock_reap(struct vsock *s)
{
	struct vsock_conn *c;

	while ((c = TAILQ_FIRST(&s->dead))) {
		TAILQ_REMOVE(&s->dead, c, in_all);
		if (c->buf)
			s->pool += c->credit - VSOCK_CREDIT_MIN;
		s->nconn--;
		free(c->buf);
		free(c);
	}
}
