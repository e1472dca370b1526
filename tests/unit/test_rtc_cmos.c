/* SPDX-License-Identifier: Apache-2.0 */
/* test_rtc_cmos - the clock is the host's until it is set, and survives any setting. */
#include "devices/legacy/legacy.h"

#include <check.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "tests/unit/state_fixture.h"
#include "vmm/core/bus.h"
#include "vmm/core/util.h"

enum { SEC = 0, MIN = 2, HOUR = 4, WDAY = 6, DAY = 7, MON = 8, YEAR = 9, CENT = 0x32 };

static struct bus bus;
static struct device *dev;

static void make(uint64_t below, uint64_t above)
{
	struct err e = {0};

	bus = (struct bus){.name = "pio"};
	dev = cmos_create(below, above);
	ck_assert_ptr_nonnull(dev);
	ck_assert_int_eq(bus_add(&bus, dev, &e), 0);
}

static void setup(void)
{
	make(3 * GIB, 5 * GIB);
}

static void teardown(void)
{
	dev->ops->destroy(dev);
}

static uint8_t get(uint8_t reg)
{
	bus_write(&bus, 0x70, 1, reg);
	return (uint8_t)bus_read(&bus, 0x71, 1);
}

static void set(uint8_t reg, uint8_t val)
{
	bus_write(&bus, 0x70, 2, (uint64_t)val << 8 | reg); /* outw: index, then data */
}

static uint64_t get_wide(uint8_t reg, unsigned int n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | get((uint8_t)(reg + n));
	return v;
}

static int bcd(uint8_t v)
{
	ck_assert_uint_lt(v & 0xf, 10);
	ck_assert_uint_lt(v >> 4, 10);
	return (v >> 4) * 10 + (v & 0xf);
}

/* Wait for an instant far from the next update, as a driver does */
static void settle(void)
{
	while (get(0x0a) & 0x80)
		usleep(100);
}

/* Return: the guest's time, read in BCD and 24 hours, in seconds since 1970 */
static time_t guest_time(void)
{
	struct tm tm = {0};
	uint8_t before;

	do {
		settle();
		before = get(SEC);
		tm.tm_sec = bcd(before);
		tm.tm_min = bcd(get(MIN));
		tm.tm_hour = bcd(get(HOUR));
		tm.tm_mday = bcd(get(DAY));
		tm.tm_mon = bcd(get(MON)) - 1;
		tm.tm_year = bcd(get(CENT)) * 100 + bcd(get(YEAR)) - 1900;
	} while (get(SEC) != before);
	return timegm(&tm);
}

static void expect_near(time_t want)
{
	time_t t = guest_time();

	ck_assert_int_ge(t, want);
	ck_assert_int_le(t, want + 5); /* the host may be busy */
}

START_TEST(tells_the_hosts_time_in_utc)
{
	time_t now = time(NULL);
	struct tm tm;

	expect_near(now);
	now = guest_time();
	gmtime_r(&now, &tm);
	ck_assert_int_eq(get(WDAY), tm.tm_wday + 1);
	ck_assert_uint_eq(get(0x0a) & 0x7f, 0x26);
	ck_assert_uint_eq(get(0x0b), 0x02);
	ck_assert_uint_eq(get(0x0d), 0x80);
}
END_TEST

/* The order in which Linux sets it: SET, divider reset, time, back */
static void set_time(const uint8_t v[7])
{
	static const uint8_t reg[7] = {YEAR, MON, DAY, HOUR, MIN, SEC, CENT};
	uint8_t b = get(0x0b), a = get(0x0a) & 0x7f;

	set(0x0b, b | 0x80);
	set(0x0a, a | 0x70);
	for (int i = 0; i < 7; i++) {
		set(reg[i], v[i]);
		ck_assert_uint_eq(get(reg[i]), v[i]);
	}
	ck_assert_uint_eq(get(0x0a) & 0x80, 0);
	set(0x0b, b);
	set(0x0a, a);
}

START_TEST(guest_sets_it_and_the_host_keeps_its_own)
{
	static const struct {
		uint8_t v[7];
		time_t t;
	} row[] = {
		{{0x24, 0x02, 0x29, 0x23, 0x59, 0x58, 0x20}, 1709251198},
		{{0x00, 0x01, 0x01, 0x00, 0x00, 0x00, 0x20}, 946684800},
		{{0x70, 0x01, 0x01, 0x00, 0x00, 0x00, 0x19}, 0},
		{{0x99, 0x12, 0x31, 0x23, 0x59, 0x50, 0x99}, 253402300790},
		{{0x00, 0x03, 0x01, 0x12, 0x34, 0x56, 0x19}, -2203845904},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		set_time(row[i].v);
		expect_near(row[i].t);
	}
	dev->ops->reset(dev); /* the battery holds */
	expect_near(row[ARRAY_SIZE(row) - 1].t);
}
END_TEST

START_TEST(clock_stands_while_it_is_set)
{
	uint8_t sec;

	set(0x0b, 0x82);
	sec = get(SEC);
	usleep(1100000);
	ck_assert_uint_eq(get(SEC), sec);
	ck_assert_uint_eq(get(0x0a) & 0x80, 0);
}
END_TEST

START_TEST(first_second_after_a_divider_reset_is_half)
{
	static const uint8_t v[7] = {0x24, 0x01, 0x01, 0x10, 0x00, 0x00, 0x20};
	uint64_t start = monotonic_ns();
	uint8_t sec;

	set_time(v);
	sec = get(SEC);
	if (monotonic_ns() - start < 400000000) /* or we were not let run */
		ck_assert_uint_eq(sec, 0);
	usleep(600000);
	ck_assert_uint_ge(get(SEC), 1);
}
END_TEST

/* Return: was UIP seen before the next change of second?  A busy host may make us miss it */
static bool update_announced(void)
{
	bool seen = false;
	uint8_t sec;

	settle();
	sec = get(SEC);
	while (get(SEC) == sec) {
		if (get(0x0a) & 0x80)
			seen = true;
		else
			ck_assert(!seen || get(SEC) != sec); /* it stays until then */
	}
	return seen;
}

START_TEST(update_is_announced_before_the_second_changes)
{
	unsigned int tries = 0;

	while (!update_announced())
		ck_assert_uint_lt(++tries, 50);
}
END_TEST

START_TEST(running_clock_takes_one_field)
{
	time_t before = guest_time();

	set(CENT, 0x21);
	ck_assert_uint_eq(get(CENT), 0x21);
	ck_assert_int_gt(guest_time(), before + 90 * 365 * 86400ll);
}
END_TEST

START_TEST(binary_and_twelve_hours)
{
	static const struct {
		uint8_t hour24, bcd12, bin12;
	} row[] = {{0, 0x12, 12},    {1, 0x01, 1},     {11, 0x11, 11},
		   {12, 0x92, 0x8c}, {13, 0x81, 0x81}, {23, 0x91, 0x8b}};

	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		set(0x0b, 0x86); /* binary, 24 hours */
		set(MIN, 30);
		set(SEC, 10);
		set(HOUR, row[i].hour24);
		set(0x0b, 0x06);
		ck_assert_uint_eq(get(HOUR), row[i].hour24);
		ck_assert_uint_eq(get(MIN), 30);
		set(0x0b, 0x00); /* the same instant, told otherwise */
		ck_assert_uint_eq(get(HOUR), row[i].bcd12);
		ck_assert_uint_eq(get(MIN), 0x30);
		set(0x0b, 0x04);
		ck_assert_uint_eq(get(HOUR), row[i].bin12);
		/* and set as it was told */
		set(HOUR, row[i].bin12);
		set(0x0b, 0x06);
		ck_assert_uint_eq(get(HOUR), row[i].hour24);
	}
}
END_TEST

START_TEST(second_that_passed_is_flagged_once)
{
	get(0x0c);
	ck_assert_uint_eq(get(0x0c) & 0x60, 0);
	set(0x0b, 0x12);
	usleep(1050000);
	ck_assert_uint_eq(get(0x0c), 0x90);
}
END_TEST

START_TEST(memory_size_is_where_old_software_looks)
{
	ck_assert_uint_eq(get_wide(0x15, 2), 640);
	ck_assert_uint_eq(get_wide(0x17, 2), 65535);
	ck_assert_uint_eq(get_wide(0x30, 2), 65535);
	ck_assert_uint_eq(get_wide(0x34, 2), (3 * 1024 - 16) * 16);
	ck_assert_uint_eq(get_wide(0x5b, 3), 5 * 1024 * 16);
	teardown();
	make(16 * MIB, 0);
	ck_assert_uint_eq(get_wide(0x17, 2), 15 * 1024);
	ck_assert_uint_eq(get_wide(0x34, 2), 0);
	ck_assert_uint_eq(get_wide(0x5b, 3), 0);
}
END_TEST

START_TEST(storage_keeps_alarm_and_the_rest)
{
	set(0x01, 0x59);
	set(0x0f, 0x05);
	set(0x7f, 0xaa);
	ck_assert_uint_eq(get(0x01), 0x59);
	ck_assert_uint_eq(get(0x0f), 0x05);
	ck_assert_uint_eq(get(0xff), 0xaa); /* bit 7 of the index is the NMI mask */
	ck_assert_uint_eq(bus_read(&bus, 0x70, 1), 0xff);
}
END_TEST

START_TEST(state_comes_back_with_the_time)
{
	static const uint8_t v[7] = {0x44, 0x05, 0x06, 0x07, 0x08, 0x09, 0x20};
	struct state_image im, bad;
	time_t t;

	set_time(v);
	set(0x40, 0x77);
	t = guest_time();
	state_save(dev, &im);
	teardown();
	setup();
	ck_assert_str_eq(state_load(dev, &im), "");
	expect_near(t);
	ck_assert_uint_eq(get(0x40), 0x77);
	state_refuse_damaged(dev, &im);
	bad = im;
	bad.byte[STATE_FIELDS] = 128; /* the index; all else is valid */
	state_refuse(dev, &bad, "cannot be set so");
	memset(bad.byte + STATE_FIELDS, 0xff, bad.len - STATE_FIELDS);
	state_refuse(dev, &bad, "cannot be set so");
	/* a battery keeps the time and the rest, as through a reset */
	expect_near(t);
	ck_assert_uint_eq(get(0x40), 0x77);
}
END_TEST

/* Any setting gives a time that can be read: in range, in each mode */
START_TEST(random_settings_give_a_valid_date)
{
	unsigned int seed = 11;

	for (unsigned int i = 0; i < 200000; i++) {
		unsigned int size = 1u << rand_r(&seed) % 4;
		unsigned int off = (unsigned int)rand_r(&seed) % 3;

		if (rand_r(&seed) % 4)
			bus_write(&bus, 0x70 + off, size, (uint64_t)rand_r(&seed));
		else
			bus_read(&bus, 0x70 + off, size);
		if (i % 16)
			continue;
		set(0x0a, 0x26);
		set(0x0b, 0x02);
		guest_time();
		ck_assert_int_lt(bcd(get(SEC)), 60);
		ck_assert_int_lt(bcd(get(MIN)), 60);
		ck_assert_int_lt(bcd(get(HOUR)), 24);
		ck_assert(bcd(get(DAY)) >= 1 && bcd(get(DAY)) <= 31);
		ck_assert(bcd(get(MON)) >= 1 && bcd(get(MON)) <= 12);
		ck_assert(get(WDAY) >= 1 && get(WDAY) <= 7);
	}
}
END_TEST

UNIT_MAIN("rtc_cmos", setup, teardown, t)
{
	tcase_add_test(t, tells_the_hosts_time_in_utc);
	tcase_add_test(t, guest_sets_it_and_the_host_keeps_its_own);
	tcase_add_test(t, clock_stands_while_it_is_set);
	tcase_add_test(t, first_second_after_a_divider_reset_is_half);
	tcase_add_test(t, update_is_announced_before_the_second_changes);
	tcase_add_test(t, running_clock_takes_one_field);
	tcase_add_test(t, binary_and_twelve_hours);
	tcase_add_test(t, second_that_passed_is_flagged_once);
	tcase_add_test(t, memory_size_is_where_old_software_looks);
	tcase_add_test(t, storage_keeps_alarm_and_the_rest);
	tcase_add_test(t, state_comes_back_with_the_time);
	tcase_add_test(t, random_settings_give_a_valid_date);
}
