/* SPDX-License-Identifier: Apache-2.0 */
/* test_loop_poll - the loop that looks before it sleeps: when it does, and when it stops. */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "tests/unit/loop_fixture.h"
#include "vmm/core/util.h"

static struct loop_poller poller;
static unsigned int nbegin, nend, nlook, nleft;
static bool finds;

static void count_begin(struct loop_poller *p)
{
	(void)p;
	nbegin++;
}

static void count_end(struct loop_poller *p)
{
	(void)p;
	nend++;
}

static bool count_look(struct loop_poller *p)
{
	(void)p;
	nlook++;
	return finds;
}

static void poller_init(bool on)
{
	poller = (struct loop_poller){
		.dev = &dev, .begin = count_begin, .look = count_look, .end = count_end};
	nbegin = nend = nlook = 0;
	finds = false;
	loop_poll_add(loop, &poller);
	loop_poll_want(loop, &poller, on);
}

/* Something that comes @nleft times, each as soon as the one before was seen */
static void come_again(struct loop_source *s, uint32_t events)
{
	eventfd_t v;

	(void)events;
	(void)eventfd_read(s->fd, &v);
	if (nleft-- > 0)
		ring(s);
	else
		loop_stop(loop);
}

static void run_often(unsigned int times)
{
	struct loop_source again;

	source_init(&again, come_again);
	ck_assert_int_eq(loop_add(loop, &again), 0);
	nleft = times;
	ring(&again);
	ck_assert_int_eq(loop_run(loop), 0);
	loop_del(loop, &again);
	close(again.fd);
}

static const struct itimerspec soon = {.it_value = {0, 2000000}};

/* Something that comes two milliseconds after the last time, however late that was */
static void come_slowly(struct loop_source *s, uint32_t events)
{
	uint64_t n;

	(void)events;
	(void)!read(s->fd, &n, sizeof(n));
	(void)timerfd_settime(s->fd, 0, &soon, NULL);
	if (nleft-- == 0)
		loop_stop(loop);
}

START_TEST(an_idle_loop_does_not_look)
{
	struct loop_source timer = {.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK),
				    .events = EPOLLIN,
				    .fn = come_slowly};

	poller_init(true);
	ck_assert_int_eq(loop_add(loop, &timer), 0);
	ck_assert_int_eq(timerfd_settime(timer.fd, 0, &soon, NULL), 0);
	/* who is not let run before it sleeps may find that its sleep is short: once more */
	for (unsigned int tries = 0; tries == 0 || (nlook && tries < 5); tries++) {
		nlook = 0;
		nleft = 20;
		ck_assert_int_eq(loop_run(loop), 0);
	}
	ck_assert_uint_eq(nlook, 0);
	loop_del(loop, &timer);
	close(timer.fd);
}
END_TEST

START_TEST(a_busy_loop_looks_and_gives_up_where_it_finds_nothing)
{
	poller_init(true);
	run_often(4000);
	ck_assert_uint_eq(nbegin, nend);
	ck_assert_uint_gt(nbegin, 0);
	ck_assert_uint_lt(nbegin, 400);
}
END_TEST

START_TEST(what_looking_finds_keeps_no_other_source_waiting)
{
	poller_init(true);
	finds = true;
	run_often(4000); /* comes back: each turn had the source */
	ck_assert_uint_gt(nlook, 0);
}
END_TEST

START_TEST(who_does_not_want_it_is_not_looked_at)
{
	poller_init(false);
	finds = true;
	run_often(1000);
	ck_assert_uint_eq(nbegin + nend + nlook, 0);
	loop_poll_want(loop, &poller, true);
	loop_poll_want(loop, &poller, false);
	run_often(1000);
	ck_assert_uint_eq(nbegin + nend + nlook, 0);
}
END_TEST

static atomic_bool others_stop;

static void *other(void *arg)
{
	while (!others_stop)
		;
	return arg;
}

static uint64_t deadline;
static unsigned int nturn;

/* Something that comes at each turn, until @deadline */
static void come_until(struct loop_source *s, uint32_t events)
{
	eventfd_t v;

	(void)events;
	(void)eventfd_read(s->fd, &v);
	nturn++;
	if (monotonic_ns() < deadline)
		ring(s);
	else
		loop_stop(loop);
}

/* Looks are cheap and always find something: only what others lose can stop them */
START_TEST(who_waits_for_the_processor_gets_it)
{
	struct loop_source again;
	cpu_set_t one;
	pthread_t t;

	CPU_ZERO(&one);
	CPU_SET((unsigned int)sched_getcpu(), &one);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	poller_init(true);
	finds = true;
	others_stop = false;
	ck_assert_int_eq(pthread_create(&t, NULL, other, NULL), 0);
	source_init(&again, come_until);
	ck_assert_int_eq(loop_add(loop, &again), 0);
	nturn = 0;
	deadline = monotonic_ns() + 600000000;
	ring(&again);
	ck_assert_int_eq(loop_run(loop), 0);
	others_stop = true;
	pthread_join(t, NULL);
	ck_assert_uint_gt(nlook, 0);
	ck_assert_uint_lt(nlook / 8, nturn); /* it would be 32 times as often */
	ck_assert_uint_le(nbegin - nend, 1); /* stopped while it looked */
	loop_del(loop, &again);
	close(again.fd);
}
END_TEST

static bool one_processor(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) < 0 || CPU_COUNT(&set) == 1;
}

UNIT_MAIN("loop_poll", loop_setup, loop_teardown, t)
{
	tcase_add_test(t, an_idle_loop_does_not_look);
	tcase_add_test(t, who_does_not_want_it_is_not_looked_at);
	if (!one_processor()) { /* there the loop never looks */
		tcase_add_test(t, a_busy_loop_looks_and_gives_up_where_it_finds_nothing);
		tcase_add_test(t, what_looking_finds_keeps_no_other_source_waiting);
		tcase_add_test(t, who_waits_for_the_processor_gets_it);
	}
}
