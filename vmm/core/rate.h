/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rate - limits on bytes and operations a second, for any device: token buckets.
 *
 * A bucket fills evenly, up to its burst. Work may begin while there is anything in it, and takes
 * out what it costs, below zero if that is more: so a request larger than the burst passes, the
 * next one pays, and the long-run rate is exact. A device that is woken late (up to RATE_LATE_NS)
 * loses nothing: the rate also holds on a busy host.
 *
 * In a device, with dev->lock held:
 *
 *	rate_init(&x->rate, &cfg->rate, env->loop, x_go_on);	create()
 *	rc = rate_start(&x->rate, v->dev);			arm()
 *	while (rate_ready(&x->rate) && virtio_pop(v, q, &c)) {	kick()
 *		rate_spend(&x->rate, 1, bytes);
 *		...
 *	}
 *	rate_stop(&x->rate);					rest(), reset()
 *	rate_fini(&x->rate);					destroy()
 *
 * Each direction that has limits of its own has a struct rate of its own.
 */
#ifndef MICROVM_CORE_RATE_H
#define MICROVM_CORE_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/core/config.h"
#include "vmm/core/loop.h"
#include "vmm/core/state.h"

/* The default burst: what comes in 10 ms */
#define RATE_BURST_NS UINT64_C(10000000)
#define RATE_LATE_NS  UINT64_C(100000000)

struct rate_bucket {
	uint64_t per_second; /* tokens; 0: no limit */
	int64_t burst;       /* what it holds at most, >= 1 */
	int64_t level;       /* tokens now; below zero: a debt */
	uint64_t part;       /* of the next token: part / 1e9 */
	uint64_t at;         /* the time for which @level is true */
	bool waiting;        /* a caller found it empty and has not come back */
};

/* rate_bucket_init() - full.  @burst 0: RATE_BURST_NS worth.  Both at most INT64_MAX / 4 */
void rate_bucket_init(struct rate_bucket *b, uint64_t per_second, uint64_t burst,
		      uint64_t now);
/* rate_bucket_wait() - at @now (ns, never going back), how long until it holds something?
 * Return: nanoseconds; 0: it does now
 */
uint64_t rate_bucket_wait(struct rate_bucket *b, uint64_t now);
void rate_bucket_spend(struct rate_bucket *b, uint64_t n);
/* rate_bucket_return() - give back @n unneeded tokens; the level stays within the burst */
void rate_bucket_return(struct rate_bucket *b, uint64_t n);
/* rate_bucket_state() - save what is in @b at @now, or load it: no more than its burst, which
 * need not be what it was. A device loads into a copy of its bucket, and takes that over when the
 * whole load succeeded
 */
void rate_bucket_state(struct rate_bucket *b, struct state *s, uint64_t now);

struct rate {
	struct rate_bucket bytes, ops;
	struct loop *loop;
	struct loop_source timer; /* fd -1 before rate_start(); set only while we wait */
	bool asleep;              /* it is set */
	void (*go_on)(struct rate *r);
	bool limited; /* in any way: rate_ready() looks no further if not */
};

/* rate_init() - the limits of @c.  Opens nothing.  @go_on is called (loop thread, lock
 * held) when there are tokens after rate_ready() said no
 */
void rate_init(struct rate *r, const struct config_rate *c, struct loop *l,
	       void (*go_on)(struct rate *r));
void rate_fini(struct rate *r);
/* rate_start() - open the timer, if there is a limit and it is not open.  @dev's
 * lock guards @r from now on.  Return: 0 or -errno; any number of times
 */
int rate_start(struct rate *r, struct device *dev);
void rate_stop(struct rate *r); /* no go_on() from now on */

bool rate_ready_slow(struct rate *r);
/* rate_ready() - may work begin?  If not, go_on() comes when it may */
static inline bool rate_ready(struct rate *r)
{
	return !r->limited || rate_ready_slow(r);
}

/* rate_spend() - what the work that began costs */
void rate_spend(struct rate *r, uint64_t ops, uint64_t bytes);
/* rate_settle() - for finished work: @spent bytes were taken for it, and it cost @cost.  If a
 * device waits for the bytes that come back, it is called now
 */
void rate_settle(struct rate *r, uint64_t spent, uint64_t cost);

#endif
