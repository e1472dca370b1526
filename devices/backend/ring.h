/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring - the io_uring of a loop: system calls on files, submitted in batches and finished without
 * a thread of ours waiting.
 *
 * One for each loop, shared by its users, opened when the first of them is activated. It can only
 * do the operations that ring_start() allows before the first submission, on files registered
 * with it: it is no way around a system call filter.
 *
 * Lock order: dev->lock, then the ring's own.
 */
#ifndef MICROVM_BACKEND_RING_H
#define MICROVM_BACKEND_RING_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/core/loop.h"

#define RING_USERS_MAX 64
#define RING_SHARE     256 /* operations that one user has under way at most */

#define RING_WITHDRAWN (-ETIME)

struct ring_user;

/* One operation, in memory of its user that stays valid until it is done */
struct ring_op {
	struct ring_user *user;
	/* As the kernel says: a count, 0 or -errno. -EAGAIN, -EINTR: try again; -ECANCELED: never
	 * begun, since the kernel got no thread for it (ulimit -u); RING_WITHDRAWN: never begun,
	 * since the kernel took nothing for too long
	 */
	int res;
	struct ring_op *next;
};

/* A user, which submits on one file; on the loop thread or under @dev's lock */
struct ring_user {
	struct device *dev;
	/* @list (by ->next) is done; NULL: there is room again. Loop thread, dev->lock held; may
	 * submit. NULL: a user that waits for all at once, with ring_wait()
	 */
	void (*done)(struct ring_user *u, struct ring_op *list);
	/* the ring's */
	unsigned int file;     /* its registered number */
	unsigned int inflight; /* with the kernel, not come back: under the ring's lock */
	struct ring_op *first, *last; /* come back, not handed out yet */
	struct ring_user *next_ready;
	bool ready, starved; /* starved: ring_get() had no room */
};

/* The kernel, as tests replace it: before ring_start() */
struct ring_sys {
	int (*setup)(unsigned int n, struct io_uring *u, struct io_uring_params *p);
	int (*submit)(struct io_uring *u);                /* as io_uring_submit() */
	int (*result)(const struct ring_op *op, int res); /* the result to use */
	unsigned int patience_ms; /* with a kernel that takes nothing */
};
extern const struct ring_sys ring_sys_host;
extern const struct ring_sys *ring_sys;

struct ring;

/* ring_create() - opens nothing yet.  NULL: no memory.  ring_destroy(): nothing may be under way;
 * NULL does nothing
 */
struct ring *ring_create(struct loop *l);
void ring_destroy(struct ring *r);

/* ring_probe() - can this host do it?  Return: 0, or -errno of the call that failed */
int ring_probe(void);
/* ring_start() - open it, unless it is.  Any thread.  Return: 0 or -errno */
int ring_start(struct ring *r);
/* ring_add() - @u, whose dev and done are set, works on @fd from now on.
 * Return: 0 or -errno
 */
int ring_add(struct ring *r, struct ring_user *u, int fd);
void ring_del(struct ring *r, struct ring_user *u); /* nothing under way */

/* ring_lock() ... ring_unlock() - around the calls below, with u->dev->lock held */
void ring_lock(struct ring *r);
void ring_unlock(struct ring *r);
/* ring_get() - a submission for @op, to be filled in by io_uring_prep_*() with u->file and then
 * by ring_set(), since the former clears it. NULL: @u has RING_SHARE under way, or entries that
 * the kernel does not take fill the ring; @u->done() comes when it may go on
 */
struct io_uring_sqe *ring_get(struct ring *r, struct ring_user *u, struct ring_op *op);
void ring_set(struct io_uring_sqe *sqe, struct ring_op *op);
/* ring_submit() - submit all prepared entries.  Return: those of @u's that are done already; the
 * loop hands out others'
 */
struct ring_op *ring_submit(struct ring *r, struct ring_user *u);
/* ring_wait() - until nothing of @u is under way.  Not under ring_lock(), with
 * u->dev->lock held; any thread.  Return: all of @u's that are done
 */
struct ring_op *ring_wait(struct ring *r, struct ring_user *u);
/* ring_user_idle() - is nothing of @u under way, and does no completion wait for @u->done()? Not
 * under ring_lock(), with u->dev->lock held
 */
bool ring_user_idle(struct ring *r, const struct ring_user *u);
/* ring_idle() - is nothing of any user's under way?  The loop's thread, after the loop's end */
bool ring_idle(struct ring *r);

#endif
