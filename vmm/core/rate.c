/* SPDX-License-Identifier: Apache-2.0 */
/* rate - token buckets in whole tokens and billionths of one: nothing is rounded away. */
#include "vmm/core/rate.h"

#include <errno.h>
#include <stddef.h>

#include "vmm/core/loop_timer.h"
#include "vmm/core/util.h"

#define NS_PER_SECOND UINT64_C(1000000000)
#define RATE_NAP_NS   UINT64_C(500000) /* waits are no shorter: 2000 wake-ups/s at most */

__extension__ typedef unsigned __int128 rate_wide;

/* Tokens that come in @ns, at most what a level can hold */
static int64_t rate_in(uint64_t per_second, uint64_t ns)
{
	rate_wide n = (rate_wide)per_second * ns / NS_PER_SECOND;

	return (int64_t)MIN(n, (rate_wide)(INT64_MAX / 4));
}

void rate_bucket_init(struct rate_bucket *b, uint64_t per_second, uint64_t burst,
		      uint64_t now)
{
	int64_t n = burst ? (int64_t)burst : rate_in(per_second, RATE_BURST_NS);

	*b = (struct rate_bucket){.per_second = per_second, .at = now};
	b->burst = MAX(n, 1);
	b->level = b->burst;
}

static void rate_bucket_fill(struct rate_bucket *b, uint64_t now)
{
	int64_t cap = b->burst;
	rate_wide due;

	if (now <= b->at)
		return;
	due = (rate_wide)(now - b->at) * b->per_second + b->part;
	b->at = now;
	if (b->waiting)
		cap += MAX(rate_in(b->per_second, RATE_LATE_NS), 1);
	if (b->level >= cap || due / NS_PER_SECOND >= (rate_wide)(cap - b->level)) {
		b->level = MAX(b->level, cap);
		b->part = 0;
		return;
	}
	b->level += (int64_t)(due / NS_PER_SECOND);
	b->part = (uint64_t)(due % NS_PER_SECOND);
}

uint64_t rate_bucket_wait(struct rate_bucket *b, uint64_t now)
{
	rate_wide missing;

	if (!b->per_second)
		return 0;
	rate_bucket_fill(b, now);
	b->waiting = b->level <= 0;
	if (!b->waiting)
		return 0;
	missing = (rate_wide)(1 - b->level) * NS_PER_SECOND - b->part;
	missing = (missing + b->per_second - 1) / b->per_second;
	return (uint64_t)MIN(missing, (rate_wide)INT64_MAX);
}

void rate_bucket_spend(struct rate_bucket *b, uint64_t n)
{
	/* a debt is bounded as well: no number that a guest makes up wraps the level */
	if (b->per_second)
		b->level = MAX(b->level - (int64_t)MIN(n, (uint64_t)INT64_MAX / 4),
			       INT64_MIN / 4);
}

void rate_bucket_return(struct rate_bucket *b, uint64_t n)
{
	if (b->per_second)
		b->level = MIN(b->level + (int64_t)MIN(n, (uint64_t)INT64_MAX / 4),
			       MAX(b->level, b->burst));
}

void rate_bucket_state(struct rate_bucket *b, struct state *s, uint64_t now)
{
	uint64_t level, part;

	if (!state_loading(s))
		rate_bucket_fill(b, now);
	level = (uint64_t)b->level;
	part = b->part;
	state_u64(s, &level);
	state_u64(s, &part);
	if (!state_loading(s) || !state_ok(s))
		return;
	if ((int64_t)level < INT64_MIN / 4 || (int64_t)level > INT64_MAX / 4 ||
	    part >= NS_PER_SECOND) {
		state_fail(s, "the tokens of a limit are no possible number");
		return;
	}
	b->level = MIN((int64_t)level, b->burst);
	b->part = part;
	b->at = now;
	b->waiting = false;
}

static void rate_timer(struct loop_source *s, uint32_t events)
{
	struct rate *r = container_of(s, struct rate, timer);

	(void)events;
	if (!loop_timer_rang(s) || !r->asleep)
		return; /* stopped, or set anew, since the loop saw it */
	r->asleep = false;
	r->go_on(r);
}

void rate_init(struct rate *r, const struct config_rate *c, struct loop *l,
	       void (*go_on)(struct rate *r))
{
	uint64_t now = monotonic_ns();

	*r = (struct rate){.loop = l,
			   .timer = {.fd = -1, .fn = rate_timer},
			   .go_on = go_on,
			   .limited = c->bytes || c->ops};
	rate_bucket_init(&r->bytes, c->bytes, c->bytes_burst, now);
	rate_bucket_init(&r->ops, c->ops, c->ops_burst, now);
}

void rate_fini(struct rate *r)
{
	loop_timer_close(r->loop, &r->timer);
}

/* The tokens stay: a driver that resets its device gains nothing by it. */
int rate_start(struct rate *r, struct device *dev)
{
	if (!r->limited || r->timer.fd >= 0)
		return 0;
	r->timer.dev = dev;
	return loop_timer_open(r->loop, &r->timer);
}

void rate_stop(struct rate *r)
{
	if (r->asleep)
		loop_timer_set(&r->timer, 0);
	r->asleep = false;
}

/* One shot, and none while one is set: all that ask meanwhile wait for the same. */
static void rate_sleep(struct rate *r, uint64_t ns)
{
	if (!r->asleep)
		loop_timer_set(&r->timer, ns);
	r->asleep = true;
}

bool rate_ready_slow(struct rate *r)
{
	uint64_t now = monotonic_ns();
	uint64_t bytes = rate_bucket_wait(&r->bytes, now);
	uint64_t ops = rate_bucket_wait(&r->ops, now);

	if (!bytes && !ops)
		return true;
	rate_sleep(r, MAX(MAX(bytes, ops), RATE_NAP_NS));
	return false;
}

void rate_spend(struct rate *r, uint64_t ops, uint64_t bytes)
{
	rate_bucket_spend(&r->ops, ops);
	rate_bucket_spend(&r->bytes, bytes);
}

void rate_settle(struct rate *r, uint64_t spent, uint64_t cost)
{
	if (cost >= spent) {
		rate_bucket_spend(&r->bytes, cost - spent);
		return;
	}
	rate_bucket_return(&r->bytes, spent - cost);
	if (!r->asleep)
		return;
	r->asleep = false; /* set it anew, for less */
	if (rate_ready_slow(r))
		rate_sleep(r, RATE_NAP_NS);
}
