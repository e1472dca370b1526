/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop - the epoll loop.
 *
 * Sources live inside their device; the loop allocates nothing after loop_create(). It takes
 * dev->lock, looks at s->events again, then calls fn(): so a source put to sleep by a vCPU's
 * reset is never called late. While the lock holder waits for the host (dev->waiting), the loop
 * skips the device's sources, and comes back to them.
 */
#ifndef MICROVM_CORE_LOOP_H
#define MICROVM_CORE_LOOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/core/device.h"

struct loop;

struct loop_source {
	int fd;             /* eventfd, timerfd, tap, socket, tty */
	uint32_t events;    /* EPOLL* wanted now, 0 asleep; changed only by loop_want() */
	struct device *dev; /* whose lock to take; NULL: loop thread only */
	void (*fn)(struct loop_source *s, uint32_t events);
};

struct loop *loop_create(void); /* NULL: out of fds or memory */
void loop_destroy(struct loop *l);

/* loop_add() - watch s->fd for s->events.  A regular file, which epoll does not take,
 * gives -EPERM.  Any thread, as loop_want() and loop_del(); with s->dev's lock held if
 * it has one and the guest runs.  Return: 0 or -errno
 */
int loop_add(struct loop *l, struct loop_source *s);
/* loop_want() - from now on only @events; 0 puts the source to sleep (EPOLLERR and
 * EPOLLHUP are then not reported either)
 */
void loop_want(struct loop *l, struct loop_source *s, uint32_t events);
void loop_del(struct loop *l, struct loop_source *s);

/* What the loop's thread should do soon, for a thread that may not make the calls itself */
struct loop_task {
	struct device *dev; /* whose lock fn() has; NULL: none */
	void (*fn)(struct loop_task *t);
	bool posted; /* these two are the loop's */
	struct loop_task *next;
};

/* loop_post() - call @t->fn() once, in the loop's next turn; posted again before that, it is called
 * once. Any thread; it makes no system call but write() and what locks need. loop_unpost(): forget
 * it; the loop's thread, or while the loop does not run
 */
void loop_post(struct loop *l, struct loop_task *t);
void loop_unpost(struct loop *l, struct loop_task *t);

/* Something that wakes the loop when it sleeps; the loop polls it instead while that is cheaper.
 * It polls only for events within microseconds of the last one. An idle loop sleeps.
 */
struct loop_poller {
	struct device *dev;                   /* whose lock to take; NULL: none */
	atomic_bool on;                       /* changed only by loop_poll_want() */
	void (*begin)(struct loop_poller *p); /* polling follows: no wake-up is needed */
	bool (*look)(
		struct loop_poller *p);     /* do what is there. Return: was there any? */
	void (*end)(struct loop_poller *p); /* ask for wake-ups, also for what is there */
	struct loop_poller *next;           /* the loop's */
};

/* loop_poll_add() - before loop_run(); @p outlives the loop's run.  Off until wanted */
void loop_poll_add(struct loop *l, struct loop_poller *p);
/* loop_poll_want() - poll @p or not.  Any thread; dev->lock held if it has one */
void loop_poll_want(struct loop *l, struct loop_poller *p, bool on);

/* loop_run() - until loop_stop().  Return: 0, or -errno if epoll itself failed */
int loop_run(struct loop *l);
/* loop_stop() - any thread; async-signal-safe. A task that was posted before is still done, unless the
 * holder of its lock waits for the host
 */
void loop_stop(struct loop *l);

#endif
