/* SPDX-License-Identifier: Apache-2.0 */
/* test_rate - token buckets on a clock of the test's own, and the timer on a real loop. */
#include <check.h>
#include <stdlib.h>
#include <time.h>

#include "tests/lib/nop_device.h"
#include "tests/lib/unit.h"
#include "vmm/core/rate.h"
#include "vmm/core/util.h"

#define SECOND UINT64_C(1000000000)

/* Work of @cost a piece as fast as bucket @b lets it, over [*now, *now + @ns), each wait
 * ended @late ns too late.  Return: what was spent
 */
static uint64_t saturate(struct rate_bucket *b, uint64_t cost, uint64_t ns, uint64_t late,
			 uint64_t *now)
{
	uint64_t end = *now + ns, spent = 0;

	while (*now < end) {
		uint64_t wait = rate_bucket_wait(b, *now);

		if (wait) {
			*now += wait + late;
			continue;
		}
		rate_bucket_spend(b, cost);
		spent += cost;
	}
	return spent;
}

static void within(uint64_t got, uint64_t want, uint64_t per_mille)
{
	uint64_t off = got > want ? got - want : want - got;

	ck_assert_msg(off * 1000 <= want * per_mille, "%llu instead of %llu",
		      (unsigned long long)got, (unsigned long long)want);
}

static const struct {
	uint64_t per_second, cost, late;
} loads[] = {
	{100, 1, 0},
	{1000, 1, 0},
	{1000, 1, 1000000},
	{1000, 1, 30000000},
	{333, 1, 7777},
	{7, 1, 0},
	{1000000, 9, 500000},
	{50 * MIB, 4096, 0},
	{50 * MIB, 4096, 3000000},
	{50 * MIB, 128 * KIB, 40000000},
	{10 * MIB + 1, 65537, 123456},
	{UINT64_C(40) << 30, MIB, 1000},
};

/* Each second alone: two per cent of it and one piece of work, and what a wait that ended
 * late took from the next one
 */
START_TEST(rate_holds_in_each_second)
{
	uint64_t rate = loads[_i].per_second, cost = loads[_i].cost, now = 12345;
	struct rate_bucket b;

	rate_bucket_init(&b, rate, 0, now);
	for (unsigned int i = 0; i < 10; i++) {
		uint64_t got = saturate(&b, cost, SECOND, loads[_i].late, &now);

		ck_assert_uint_le(got, rate + rate / 50 + cost +
					       rate * loads[_i].late / SECOND);
		if (loads[_i].late < 3000000)
			ck_assert_uint_ge(got + cost + rate / 50, rate);
	}
}
END_TEST

/* Nothing comes from nowhere and nothing is lost: what was spent is the burst and what
 * flowed in, less what is left; and that is the rate within 2 %
 */
static void check_account(uint64_t rate, uint64_t cost, uint64_t late, uint64_t seconds)
{
	const uint64_t start = 77;
	uint64_t now = start, spent;
	struct rate_bucket b;
	int64_t in;

	rate_bucket_init(&b, rate, 0, now);
	spent = saturate(&b, cost, seconds * SECOND, late, &now);
	(void)rate_bucket_wait(&b, now);
	in = (int64_t)((double)rate * (double)(now - start) / 1e9);
	ck_assert_int_le(llabs((int64_t)spent + b.level - b.burst - in), 1);
	within(spent, (uint64_t)in, 20 + 1000 * cost / (uint64_t)in);
}

START_TEST(ten_seconds_are_right_to_the_token)
{
	check_account(loads[_i].per_second, loads[_i].cost, loads[_i].late, 10);
}
END_TEST

START_TEST(an_hour_is_right_to_the_token)
{
	check_account(1000, 7, 0, 3600);
	check_account(1000, 7, 999983, 3600);
	check_account(997, 13, 30000000, 3600);
}
END_TEST

/* A third of a token a step: what is rounded away would be all of it */
START_TEST(slow_steps_lose_nothing)
{
	struct rate_bucket b;
	uint64_t now = 0, spent = 0;

	rate_bucket_init(&b, 3, 1, now);
	rate_bucket_spend(&b, 1);
	for (unsigned int i = 0; i < 9000; i++) {
		now += SECOND / 9000 + (i % 9 == 0);
		if (rate_bucket_wait(&b, now) == 0) {
			rate_bucket_spend(&b, 1);
			spent++;
		}
	}
	ck_assert_uint_eq(spent, 3);
}
END_TEST

START_TEST(burst_is_there_at_once_and_again_after_a_rest)
{
	uint64_t now = SECOND;
	struct rate_bucket b;

	rate_bucket_init(&b, 100, 500, now);
	for (unsigned int round = 0; round < 3; round++) {
		unsigned int n = 0;

		while (!rate_bucket_wait(&b, now)) {
			rate_bucket_spend(&b, 1);
			n++;
		}
		ck_assert_uint_eq(n, 500);
		now += rate_bucket_wait(&b, now);
		ck_assert_uint_eq(rate_bucket_wait(&b, now), 0);
		now += 3600 * SECOND; /* an hour's rest is worth one burst, not more */
	}
}
END_TEST

START_TEST(one_large_request_passes_and_the_next_pays)
{
	struct rate_bucket b;

	rate_bucket_init(&b, 1000, 0, 0);
	ck_assert_uint_eq(rate_bucket_wait(&b, 0), 0);
	rate_bucket_spend(&b, 5010); /* ten were in it */
	ck_assert_uint_eq(rate_bucket_wait(&b, 0), 5 * SECOND + SECOND / 1000);
	ck_assert_uint_gt(rate_bucket_wait(&b, 5 * SECOND), 0);
	ck_assert_uint_eq(rate_bucket_wait(&b, 5 * SECOND + SECOND / 1000), 0);
}
END_TEST

START_TEST(impossible_numbers_wrap_nothing)
{
	struct rate_bucket b;
	uint64_t now = 1;

	rate_bucket_init(&b, 1, INT64_MAX / 4, 0);
	for (unsigned int i = 0; i < 20; i++)
		rate_bucket_spend(&b, UINT64_MAX);
	ck_assert_uint_gt(rate_bucket_wait(&b, now), UINT64_C(1) << 60);
	ck_assert_uint_gt(rate_bucket_wait(&b, UINT64_MAX / 2), 0);
	rate_bucket_init(&b, INT64_MAX / 4, INT64_MAX / 4, 0);
	ck_assert_uint_eq(rate_bucket_wait(&b, UINT64_MAX), 0);
	ck_assert_int_le(b.level, INT64_MAX / 4);
	rate_bucket_init(&b, 0, 0, 0);
	rate_bucket_spend(&b, UINT64_MAX);
	ck_assert_uint_eq(rate_bucket_wait(&b, 0), 0); /* no limit at all */
}
END_TEST

START_TEST(clock_that_stands_or_goes_back_gives_nothing)
{
	struct rate_bucket b;

	rate_bucket_init(&b, 1000, 1, SECOND);
	rate_bucket_spend(&b, 1);
	ck_assert_uint_gt(rate_bucket_wait(&b, SECOND), 0);
	ck_assert_uint_gt(rate_bucket_wait(&b, 0), 0);
	ck_assert_uint_eq(rate_bucket_wait(&b, SECOND + SECOND / 1000), 0);
}
END_TEST

/* ---- the timer ---- */

static struct loop *loop;
static struct device dev;
static struct rate rate;
static unsigned int calls;

static void go_on(struct rate *r)
{
	calls++;
	ck_assert_ptr_eq(r, &rate);
	loop_stop(loop);
}

static void setup(void)
{
	loop = loop_create();
	ck_assert_ptr_nonnull(loop);
	device_init(&dev, &nop_ops, DEVICE_SERIAL, "dev", 0, 1);
	calls = 0;
}

static void teardown(void)
{
	rate_fini(&rate);
	device_fini(&dev);
	loop_destroy(loop);
}

/* ---- saved and loaded ---- */

static uint8_t saved[64];

/* What is in @from at @then, in @to at @now.  Return: what is wrong with it, or NULL */
static const char *move_bucket(struct rate_bucket *from, uint64_t then,
			       struct rate_bucket *to, uint64_t now)
{
	static struct state s;

	state_saver(&s, saved, sizeof(saved));
	rate_bucket_state(from, &s, then);
	ck_assert(state_ok(&s));
	state_loader(&s, saved, s.pos);
	rate_bucket_state(to, &s, now);
	return s.why;
}

/* It is as if no time had passed between the two, whatever the clocks say */
START_TEST(loaded_bucket_goes_on_where_it_was_saved)
{
	struct rate_bucket a, b, c;

	rate_bucket_init(&a, 3, 100, SECOND);
	rate_bucket_spend(&a, 1000);
	rate_bucket_init(&b, 3, 100, 7);
	c = a;
	ck_assert_ptr_null(move_bucket(&a, 2 * SECOND - 1, &b, 50));
	ck_assert_int_eq(b.level, -898);
	for (uint64_t ns = 1; ns < 400 * SECOND; ns += SECOND / 7) {
		uint64_t want = rate_bucket_wait(&c, 2 * SECOND - 1 + ns);

		ck_assert_uint_eq(rate_bucket_wait(&b, 50 + ns), want);
	}
}
END_TEST

START_TEST(loaded_bucket_holds_no_more_than_its_burst)
{
	struct rate_bucket a, b;

	rate_bucket_init(&a, 1000, 1000000, 0);
	rate_bucket_init(&b, 10, 5, 0);
	ck_assert_ptr_null(move_bucket(&a, 0, &b, 0));
	ck_assert_int_eq(b.level, 5);
}
END_TEST

START_TEST(impossible_bucket_is_refused)
{
	static const uint64_t bad[][2] = {
		{(uint64_t)INT64_MAX, 0}, {(uint64_t)INT64_MIN, 0}, {0, 1000000000}};
	struct rate_bucket b, was;
	struct state s;

	rate_bucket_init(&b, 10, 5, 0);
	was = b;
	state_loader(&s, bad[_i], sizeof(bad[_i]));
	rate_bucket_state(&b, &s, 1);
	ck_assert(!state_ok(&s));
	ck_assert_int_eq(b.level, was.level);
	ck_assert_uint_eq(b.at, was.at);
}
END_TEST

START_TEST(who_waits_is_called_once)
{
	rate_init(&rate, &(struct config_rate){.ops = 100}, loop, go_on);
	ck_assert_int_eq(rate_start(&rate, &dev), 0);
	ck_assert_int_eq(rate_start(&rate, &dev), 0);
	ck_assert(rate_ready(&rate));
	rate_spend(&rate, 40, 1 << 20); /* a busy machine is not so late */
	ck_assert(!rate_ready(&rate));
	ck_assert(!rate_ready(&rate)); /* a second queue waits for the same timer */
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_uint_eq(calls, 1);
	ck_assert(rate_ready(&rate));
	ck_assert(!rate.asleep);
}
END_TEST

START_TEST(both_limits_have_to_agree)
{
	rate_init(&rate, &(struct config_rate){.ops = 1000000, .bytes = 1000}, loop,
		  go_on);
	ck_assert_int_eq(rate_start(&rate, &dev), 0);
	rate_spend(&rate, 1, 400); /* a busy machine is not that late */
	ck_assert(!rate_ready(&rate));
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert(rate_ready(&rate));
}
END_TEST

START_TEST(stopped_rate_calls_nobody_and_keeps_its_debt)
{
	struct timespec t = {.tv_nsec = 5000000};

	rate_init(&rate, &(struct config_rate){.ops = 1000}, loop, go_on);
	ck_assert_int_eq(rate_start(&rate, &dev), 0);
	rate_spend(&rate, 10000, 0);
	ck_assert(!rate_ready(&rate));
	rate_stop(&rate);
	nanosleep(&t, NULL);
	loop_stop(loop);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_uint_eq(calls, 0);
	ck_assert_int_eq(rate_start(&rate, &dev), 0);
	ck_assert(!rate_ready(&rate)); /* a reset is no way around a limit */
}
END_TEST

/* The wait would be 17 minutes */
START_TEST(what_is_given_back_ends_a_wait)
{
	const int64_t late = 1024 * RATE_LATE_NS / 1000000000;

	rate_init(&rate, &(struct config_rate){.bytes = 1024}, loop, go_on);
	ck_assert_int_eq(rate_start(&rate, &dev), 0);
	rate_spend(&rate, 0, 1 << 20);
	ck_assert(!rate_ready(&rate));
	rate_settle(&rate, 1 << 20, 0);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_uint_eq(calls, 1);
	/* and is no more than it was, but for what came while a slow host had us wait */
	ck_assert_int_le(rate.bytes.level, rate.bytes.burst + late);
	rate_settle(&rate, 1 << 20, 0);
	ck_assert_int_le(rate.bytes.level, rate.bytes.burst + late);
	rate_settle(&rate, 1, 1 << 20); /* it cost more */
	ck_assert_int_lt(rate.bytes.level, -1000000);
	ck_assert(!rate_ready(&rate));
}
END_TEST

START_TEST(no_limit_opens_nothing)
{
	rate_init(&rate, &(struct config_rate){0}, loop, go_on);
	ck_assert_int_eq(rate_start(&rate, &dev), 0);
	ck_assert_int_eq(rate.timer.fd, -1);
	rate_spend(&rate, UINT64_MAX, UINT64_MAX);
	ck_assert(rate_ready(&rate));
	rate_stop(&rate);
}
END_TEST

UNIT_MAIN("rate", NULL, NULL, t)
{
	TCase *timer = unit_case(suite, "timer", setup, teardown);
	int n = (int)ARRAY_SIZE(loads);

	tcase_add_loop_test(t, rate_holds_in_each_second, 0, n);
	tcase_add_loop_test(t, ten_seconds_are_right_to_the_token, 0, n);
	tcase_add_test(t, loaded_bucket_goes_on_where_it_was_saved);
	tcase_add_test(t, loaded_bucket_holds_no_more_than_its_burst);
	tcase_add_loop_test(t, impossible_bucket_is_refused, 0, 3);
	tcase_add_test(t, an_hour_is_right_to_the_token);
	tcase_add_test(t, slow_steps_lose_nothing);
	tcase_add_test(t, burst_is_there_at_once_and_again_after_a_rest);
	tcase_add_test(t, one_large_request_passes_and_the_next_pays);
	tcase_add_test(t, impossible_numbers_wrap_nothing);
	tcase_add_test(t, clock_that_stands_or_goes_back_gives_nothing);
	tcase_add_test(timer, who_waits_is_called_once);
	tcase_add_test(timer, both_limits_have_to_agree);
	tcase_add_test(timer, stopped_rate_calls_nobody_and_keeps_its_debt);
	tcase_add_test(timer, what_is_given_back_ends_a_wait);
	tcase_add_test(timer, no_limit_opens_nothing);
}
