/* SPDX-License-Identifier: Apache-2.0 */
/* test_rtc_pl031 - the count is the host's until it is set, and the alarm comes once. */
#include "devices/legacy/legacy.h"

#include <check.h>
#include <poll.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "tests/unit/state_fixture.h"
#include "vmm/core/bus.h"
#include "vmm/core/loop.h"
#include "vmm/core/util.h"

#define BASE 0x9010000u

enum {
	DR = 0,
	MR = 4,
	LR = 8,
	CR = 0xc,
	IMSC = 0x10,
	RIS = 0x14,
	MIS = 0x18,
	ICR = 0x1c
};

static struct bus bus;
static struct device *dev;
static struct loop *loop;

static void setup(void)
{
	struct err e = {0};

	loop = loop_create();
	ck_assert_ptr_nonnull(loop);
	bus = (struct bus){.name = "memory"};
	dev = pl031_create(BASE, 2, loop);
	ck_assert_ptr_nonnull(dev);
	ck_assert_int_eq(bus_add(&bus, dev, &e), 0);
}

static void teardown(void)
{
	dev->ops->destroy(dev);
	loop_destroy(loop);
}

static uint32_t get(uint32_t reg)
{
	return (uint32_t)bus_read(&bus, BASE + reg, 4);
}

static void set(uint32_t reg, uint32_t val)
{
	bus_write(&bus, BASE + reg, 4, val);
}

/* How often was the line pushed since the last time? */
static uint64_t pulses(void)
{
	uint64_t n = 0;

	return read(dev->irq.fd, &n, sizeof(n)) == (ssize_t)sizeof(n) ? n : 0;
}

static struct loop_source stopper;

static void on_pulse(struct loop_source *s, uint32_t events)
{
	(void)s;
	(void)events;
	loop_stop(loop);
}

/* Run the loop until the line is pushed (which stays unread) */
static void run_until_pulse(void)
{
	stopper = (struct loop_source){
		.fd = dev->irq.fd, .events = EPOLLIN, .fn = on_pulse};
	ck_assert_int_eq(loop_add(loop, &stopper), 0);
	ck_assert_int_eq(loop_run(loop), 0);
	loop_del(loop, &stopper);
}

/* What the device reads: time() may be a tick behind it */
static uint32_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint32_t)ts.tv_sec;
}

START_TEST(count_is_the_hosts_time)
{
	uint32_t before = now();
	uint32_t count = get(DR);

	ck_assert_uint_ge(count, before);
	ck_assert_uint_le(count, now());
	ck_assert_uint_eq(get(CR), 1);
}
END_TEST

START_TEST(count_goes_on_from_where_it_is_set)
{
	uint32_t count;

	set(LR, 1000);
	count = get(DR);
	ck_assert_uint_ge(count, 1000);
	ck_assert_uint_le(count, 1002);
	ck_assert_uint_eq(get(LR), 1000);
	set(LR, UINT32_MAX);
	count = get(DR);
	ck_assert(count == UINT32_MAX || count < 2);
}
END_TEST

START_TEST(amba_identification_is_a_pl031s)
{
	static const uint8_t id[] = {0x31, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

	for (uint32_t i = 0; i < 8; i++)
		ck_assert_uint_eq(get(0xfe0 + 4 * i), id[i]);
}
END_TEST

START_TEST(odd_accesses_read_ones_and_are_dropped)
{
	ck_assert_uint_eq(bus_read(&bus, BASE + MR, 1), 0xff);
	ck_assert_uint_eq(bus_read(&bus, BASE + MR, 8), UINT64_MAX);
	ck_assert_uint_eq(bus_read(&bus, BASE + MR + 2, 4), 0xffffffff);
	bus_write(&bus, BASE + MR, 2, 7);
	bus_write(&bus, BASE + MR + 1, 4, 7);
	ck_assert_uint_eq(get(MR), 0);
	ck_assert_uint_eq(get(0x500), 0);
	set(0x500, 7);
	set(DR, 7);
	ck_assert_uint_gt(get(DR), 1000);
}
END_TEST

START_TEST(alarm_now_is_raised_at_once)
{
	set(LR, 5000);
	set(IMSC, 1);
	set(MR, get(DR));
	/* the second may have turned between the two */
	if (!get(RIS))
		set(MR, get(DR));
	ck_assert_uint_eq(get(RIS), 1);
	ck_assert_uint_eq(get(MIS), 1);
	ck_assert_uint_eq(pulses(), 1);
	set(ICR, 1);
	ck_assert_uint_eq(get(RIS), 0);
	ck_assert_uint_eq(get(MIS), 0);
}
END_TEST

START_TEST(alarm_in_a_second_comes_once)
{
	set(IMSC, 1);
	set(MR, get(DR) + 1);
	while (get(RIS)) { /* the second has turned meanwhile */
		ck_assert_uint_eq(pulses(), 1);
		set(ICR, 1);
		set(MR, get(DR) + 1);
	}
	run_until_pulse();
	ck_assert_uint_ge(get(DR), get(MR));
	ck_assert_uint_eq(get(RIS), 1);
	ck_assert_uint_eq(pulses(), 1);
}
END_TEST

START_TEST(count_set_to_the_match_raises_the_alarm)
{
	set(MR, 777);
	ck_assert_uint_eq(get(RIS), 0);
	set(LR, 777);
	ck_assert_uint_eq(get(RIS), 1);
}
END_TEST

START_TEST(masked_alarm_waits_for_its_unmasking)
{
	set(MR, 777);
	set(LR, 777);
	ck_assert_uint_eq(get(RIS), 1);
	ck_assert_uint_eq(get(MIS), 0);
	ck_assert_uint_eq(pulses(), 0);
	set(IMSC, 1);
	ck_assert_uint_eq(get(MIS), 1);
	ck_assert_uint_eq(pulses(), 1);
	set(IMSC, 1);
	ck_assert_uint_eq(pulses(), 0);
}
END_TEST

START_TEST(reset_keeps_the_time_and_forgets_the_alarm)
{
	set(LR, 5000);
	set(IMSC, 1);
	set(MR, 5001);
	dev->ops->reset(dev);
	ck_assert_uint_le(get(DR), 5002);
	ck_assert_uint_eq(get(MR), 0);
	ck_assert_uint_eq(get(IMSC), 0);
	sleep(2);
	ck_assert_uint_eq(get(RIS), 0);
}
END_TEST

START_TEST(state_goes_to_another_clock_with_its_alarm)
{
	struct state_image im, again;

	set(LR, 9000);
	set(IMSC, 1);
	set(MR, 9002);
	state_save(dev, &im);
	teardown();
	setup();
	ck_assert_str_eq(state_load(dev, &im), "");
	state_save(dev, &again);
	ck_assert_uint_eq(again.len, im.len);
	ck_assert_mem_eq(im.byte, again.byte, im.len);
	ck_assert_uint_ge(get(DR), 9000);
	ck_assert_uint_le(get(DR), 9003);
	run_until_pulse();
	ck_assert_uint_eq(get(MIS), 1);
}
END_TEST

START_TEST(raised_alarm_is_pulsed_again_after_loading)
{
	struct state_image im;

	set(IMSC, 1);
	set(MR, 777);
	set(LR, 777);
	state_save(dev, &im);
	teardown();
	setup();
	ck_assert_str_eq(state_load(dev, &im), "");
	ck_assert_uint_eq(pulses(), 1);
	ck_assert_uint_eq(get(MIS), 1);
}
END_TEST

START_TEST(alarm_that_fell_due_while_stored_comes_at_once)
{
	struct state_image im;

	set(IMSC, 1);
	set(LR, 5000);
	set(MR, 5001);
	state_save(dev, &im);
	teardown();
	sleep(2);
	setup();
	ck_assert_str_eq(state_load(dev, &im), "");
	run_until_pulse();
	ck_assert_uint_eq(get(MIS), 1);
}
END_TEST

START_TEST(truncated_or_impossible_state_is_refused)
{
	struct state_image im, bad;
	uint32_t now;

	set(LR, 500);
	set(MR, 777);
	state_save(dev, &im);
	state_refuse_damaged(dev, &im);
	bad = im;
	bad.byte[bad.len - 1] = 2;
	bad.byte[STATE_FIELDS] ^= 0x80; /* a count that would jump */
	state_refuse(dev, &bad, "neither");
	ck_assert_uint_eq(get(MR), 0);
	ck_assert_uint_eq(get(RIS), 0);
	now = get(DR);
	ck_assert_uint_ge(now, 500);
	ck_assert_uint_le(now, 510);
}
END_TEST

UNIT_MAIN("rtc_pl031", setup, teardown, t)
{
	tcase_add_test(t, count_is_the_hosts_time);
	tcase_add_test(t, count_goes_on_from_where_it_is_set);
	tcase_add_test(t, amba_identification_is_a_pl031s);
	tcase_add_test(t, odd_accesses_read_ones_and_are_dropped);
	tcase_add_test(t, alarm_now_is_raised_at_once);
	tcase_add_test(t, alarm_in_a_second_comes_once);
	tcase_add_test(t, count_set_to_the_match_raises_the_alarm);
	tcase_add_test(t, masked_alarm_waits_for_its_unmasking);
	tcase_add_test(t, reset_keeps_the_time_and_forgets_the_alarm);
	tcase_add_test(t, state_goes_to_another_clock_with_its_alarm);
	tcase_add_test(t, raised_alarm_is_pulsed_again_after_loading);
	tcase_add_test(t, alarm_that_fell_due_while_stored_comes_at_once);
	tcase_add_test(t, truncated_or_impossible_state_is_refused);
}
