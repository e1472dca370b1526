/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring - one io_uring for all disks of a loop.
 *
 * Theory of operation. A thread that submits also collects completions that have come meanwhile;
 * it takes its own user's, and those of others wait on the ready list, for which an eventfd wakes
 * the loop. Otherwise the ring's descriptor, readable while there are completions, wakes the
 * loop.
 *
 * Completions are handed out under their device's lock, and are taken from the user's list only
 * with that lock held: so if the lock holder sees that nothing is under way and the list is
 * empty, nothing more will come. A reset, on a vCPU's thread, waits that way.
 */
#include "devices/backend/ring_impl.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "devices/backend/ring_open.h"
#include "vmm/core/fds.h"
#include "vmm/core/loop_timer.h"
#include "vmm/core/outside.h"
#include "vmm/core/util.h"

#define RING_WAIT_MS 5  /* between checks: another thread may collect first */
#define RING_NAP_MAX 64 /* ms between two tries to have the kernel take something */

static int ring_result(const struct ring_op *op, int res)
{
	(void)op;
	return res;
}

const struct ring_sys ring_sys_host = {
	.setup = io_uring_queue_init_params,
	.submit = io_uring_submit,
	.result = ring_result,
	.patience_ms = 5000,
};
const struct ring_sys *ring_sys = &ring_sys_host;

_Static_assert(RING_USERS_MAX <= 64, "a bit for each file");

/* ---- opening and closing ---- */

static void ring_close(struct ring *r)
{
	if (r->source.fd >= 0)
		loop_del(r->loop, &r->source);
	r->source.fd = -1; /* the ring's */
	if (r->wake.fd >= 0)
		loop_del(r->loop, &r->wake);
	cleanup_close_fd(&r->wake.fd);
	loop_timer_close(r->loop, &r->again);
	if (r->open)
		io_uring_queue_exit(&r->uring);
	r->open = false;
}

static int ring_watch(struct ring *r)
{
	int rc;

	r->source.fd = r->uring.ring_fd;
	r->wake.fd = fd_place(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), FD_WAKE);
	if (r->wake.fd < 0)
		return -errno;
	/* Asleep, if it was closed before */
	r->source.events = r->wake.events = EPOLLIN;
	if ((rc = loop_add(r->loop, &r->wake)) < 0 ||
	    (rc = loop_timer_open(r->loop, &r->again)) < 0)
		return rc;
	return loop_add(r->loop, &r->source);
}

int ring_start(struct ring *r)
{
	int rc = 0;

	ring_lock(r);
	if (!r->open) {
		rc = ring_open(&r->uring);
		r->open = rc == 0;
		if (rc == 0)
			rc = ring_watch(r);
		if (rc < 0)
			ring_close(r);
		else
			loop_poll_want(r->loop, &r->poller, true);
	}
	ring_unlock(r);
	return rc;
}

/* ---- the loop's side ---- */

/* Loop thread: hand out what is done, whichever thread collected it */
static void ring_deliver(struct ring *r)
{
	for (;;) {
		struct ring_op *list;
		struct ring_user *u;

		ring_lock(r);
		ring_reap(r);
		u = r->ready;
		if (u) {
			r->ready = u->next_ready;
			u->ready = false;
		}
		ring_unlock(r);
		if (!u)
			return;
		if (!device_lock_soon(u->dev))
			continue; /* a thread in ring_wait() takes them itself */
		ring_lock(r);
		list = ring_take(r, u);
		ring_unlock(r);
		if (u->done)
			u->done(u, list);
		pthread_mutex_unlock(&u->dev->lock);
	}
}

static void ring_on_readable(struct loop_source *s, uint32_t events)
{
	(void)events;
	ring_deliver(container_of(s, struct ring, source));
}

static void ring_on_wake(struct loop_source *s, uint32_t events)
{
	struct ring *r = container_of(s, struct ring, wake);
	eventfd_t v;

	(void)events;
	(void)eventfd_read(s->fd, &v);
	ring_deliver(r);
}

static void ring_on_again(struct loop_source *s, uint32_t events)
{
	struct ring *r = container_of(s, struct ring, again);

	(void)events;
	(void)loop_timer_rang(s);
	ring_lock(r);
	r->nap = MIN(2 * r->nap, RING_NAP_MAX);
	(void)ring_push(r);
	ring_unlock(r);
	ring_deliver(r);
}

/* Without a lock: a completion missed now is seen at the next check */
static bool ring_look(struct loop_poller *p)
{
	struct ring *r = container_of(p, struct ring, poller);
	const struct io_uring *u = &r->uring;

	if (__atomic_load_n(u->cq.khead, __ATOMIC_RELAXED) ==
		    __atomic_load_n(u->cq.ktail, __ATOMIC_ACQUIRE) &&
	    !(__atomic_load_n(u->sq.kflags, __ATOMIC_RELAXED) & IORING_SQ_TASKRUN))
		return false;
	ring_deliver(r);
	return true;
}

/* The ring is readable, whether polled or not */
static void ring_look_nop(struct loop_poller *p)
{
	(void)p;
}

/* ---- users ---- */

void ring_lock(struct ring *r)
{
	pthread_mutex_lock(&r->lock);
}

void ring_unlock(struct ring *r)
{
	pthread_mutex_unlock(&r->lock);
}

int ring_add(struct ring *r, struct ring_user *u, int fd)
{
	int rc = -ENFILE;

	ring_lock(r);
	if (~r->files) {
		u->file = (unsigned int)__builtin_ctzll(~r->files);
		rc = io_uring_register_files_update(&r->uring, u->file, &fd, 1);
	}
	if (rc > 0) {
		r->files |= 1ULL << u->file;
		r->user[u->file] = u;
	}
	ring_unlock(r);
	return MIN(rc, 0);
}

void ring_del(struct ring *r, struct ring_user *u)
{
	int none = -1;

	ring_lock(r);
	BUG_ON(u->inflight || u->first);
	(void)ring_take(r, u); /* it may have been on the list for room */
	/* In a jail, where nothing may be registered once the guest runs, the file stays in its
	 * place until the ring is gone, which is some milliseconds after the process.
	 */
	if (!outside_asks())
		(void)io_uring_register_files_update(&r->uring, u->file, &none, 1);
	r->files &= ~(1ULL << u->file);
	ring_unlock(r);
}

struct io_uring_sqe *ring_get(struct ring *r, struct ring_user *u, struct ring_op *op)
{
	struct io_uring_sqe *sqe;

	if (u->inflight == RING_SHARE)
		return NULL;
	sqe = io_uring_get_sqe(&r->uring);
	if (!sqe) { /* full of entries to submit */
		(void)ring_push(r);
		sqe = io_uring_get_sqe(&r->uring);
	}
	if (!sqe) {
		if (u->done)
			u->starved = r->starved = true;
		return NULL;
	}
	op->user = u;
	u->inflight++;
	return sqe;
}

void ring_set(struct io_uring_sqe *sqe, struct ring_op *op)
{
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
	io_uring_sqe_set_data(sqe, op);
}

struct ring_op *ring_submit(struct ring *r, struct ring_user *u)
{
	struct ring_op *list;

	(void)ring_push(r);
	ring_reap(r);
	list = ring_take(r, u);
	if (r->ready)
		(void)eventfd_write(r->wake.fd, 1);
	return list;
}

struct ring_op *ring_wait(struct ring *r, struct ring_user *u)
{
	struct ring_op *list;

	for (;;) {
		struct pollfd p = {.fd = r->uring.ring_fd, .events = POLLIN};
		bool left;

		ring_lock(r);
		if (!ring_push(r)) /* other users start theirs again */
			ring_withdraw(r, -EAGAIN);
		ring_reap(r);
		left = u->inflight != 0;
		list = left ? NULL : ring_take(r, u);
		if (r->ready && (r->ready != u || u->next_ready))
			(void)eventfd_write(r->wake.fd, 1);
		ring_unlock(r);
		if (!left)
			return list;
		(void)poll(&p, 1, RING_WAIT_MS);
	}
}

bool ring_user_idle(struct ring *r, const struct ring_user *u)
{
	bool idle;

	ring_lock(r);
	idle = !u->inflight && !u->first;
	ring_unlock(r);
	return idle;
}

bool ring_idle(struct ring *r)
{
	bool idle = true;

	if (!r->files) /* then the ring may not be open either */
		return true;
	ring_lock(r);
	if (!ring_push(r))
		ring_withdraw(r, -EAGAIN);
	ring_reap(r);
	for (unsigned int i = 0; i < RING_USERS_MAX; i++)
		idle &= !(r->files >> i & 1) || !r->user[i]->inflight;
	ring_unlock(r);
	return idle;
}

/* ---- life ---- */

struct ring *ring_create(struct loop *l)
{
	struct ring *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->loop = l;
	pthread_mutex_init(&r->lock, NULL);
	r->poller = (struct loop_poller){
		.begin = ring_look_nop, .look = ring_look, .end = ring_look_nop};
	loop_poll_add(l, &r->poller);
	r->source = (struct loop_source){.fd = -1, .fn = ring_on_readable};
	r->wake = (struct loop_source){.fd = -1, .fn = ring_on_wake};
	r->again = (struct loop_source){.fd = -1, .fn = ring_on_again};
	return r;
}

void ring_destroy(struct ring *r)
{
	if (!r)
		return;
	ring_close(r);
	pthread_mutex_destroy(&r->lock);
	free(r);
}
