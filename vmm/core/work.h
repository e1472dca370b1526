/* SPDX-License-Identifier: Apache-2.0 */
/*
 * work - blocking calls on threads where they may block.
 *
 * A pool of worker threads. One is started when work is submitted and no thread is idle: a
 * machine that never blocks pays nothing. A machine that may start no thread later starts them
 * all early, with work_pool_arm(). Finished work comes back on the loop thread.
 */
#ifndef MICROVM_CORE_WORK_H
#define MICROVM_CORE_WORK_H

#include "vmm/core/loop.h"

#define WORKERS_MAX 64

struct work_pool;

struct work {
	struct device *dev; /* whose lock done() runs under; NULL: loop thread only */
	void (*run)(struct work *w); /* worker thread, no lock: touches only *w */
	/* Loop thread (or work_drain()'s), dev->lock held.  May submit, may not drain */
	void (*done)(struct work *w);
	struct work *next; /* the pool's */
};

/* work_pool_create() - at most @nthreads workers (and WORKERS_MAX), results delivered on @l.  NULL:
 * -ENOMEM
 */
struct work_pool *work_pool_create(struct loop *l, unsigned int nthreads);
/* work_pool_grow() - its caller may have @n more pieces of work under way at once: as many more
 * workers at most (and WORKERS_MAX), so that they delay no other's. Before work_pool_arm()
 */
void work_pool_grow(struct work_pool *p, unsigned int n);
/* work_pool_arm() - start all threads and open what they need now: afterwards the pool starts
 * none and opens nothing, and its threads stay until the process ends (thread_stays()). Any number
 * of times, before work is submitted; the thread that made the pool. Return: 0 or -errno, and then
 * the pool works with the threads that it has
 */
int work_pool_arm(struct work_pool *p);
/* work_pool_stop() - no work begins from now on.  Return: has all running work ended? */
bool work_pool_stop(struct work_pool *p);
/* work_pool_destroy() - waits for running work, drops what was not delivered */
void work_pool_destroy(struct work_pool *p);

/* work_submit() - the pool owns @w until done(@w).  Called with w->dev's lock held.
 * If no worker thread can be started, @w runs here and now.
 */
void work_submit(struct work_pool *p, struct work *w);
/* work_drain() - wait for all of @dev's run()s and call their done() here, under the
 * dev->lock that the caller holds; for reset and pause
 */
void work_drain(struct work_pool *p, struct device *dev);

#endif
