/* SPDX-License-Identifier: Apache-2.0 */
/* test_pvpanic - what a guest's kernel can say of itself, and what it cannot. */
#include "devices/legacy/legacy.h"

#include <check.h>

#include "tests/lib/unit.h"
#include "tests/unit/state_fixture.h"
#include "vmm/core/bus.h"

#define AT       0x505
#define PANICKED 1u
#define CRASH    2u

static struct bus bus;
static struct device *dev;
static unsigned int heard[POWER_CRASH + 1];

static void request(struct power *p, enum power_event ev)
{
	(void)p;
	heard[ev]++;
}

static void setup(void)
{
	static struct power power = {.request = request};
	struct err e = {0};

	bus = (struct bus){.name = "port"};
	dev = pvpanic_create(AT, &power);
	ck_assert_ptr_nonnull(dev);
	ck_assert_int_eq(bus_add(&bus, dev, &e), 0);
}

static void teardown(void)
{
	dev->ops->destroy(dev);
}

START_TEST(driver_is_told_what_may_be_said)
{
	ck_assert_uint_eq(bus_read(&bus, AT, 1), PANICKED | CRASH);
}
END_TEST

START_TEST(only_known_events_are_heard)
{
	for (unsigned int v = 0; v < 256; v++) {
		heard[POWER_PANIC] = heard[POWER_CRASH] = 0;
		bus_write(&bus, AT, 1, v);
		ck_assert_uint_eq(heard[POWER_PANIC], (v & PANICKED) != 0);
		ck_assert_uint_eq(heard[POWER_CRASH], (v & (PANICKED | CRASH)) == CRASH);
	}
	ck_assert_uint_eq(heard[POWER_OFF] + heard[POWER_RESET], 0);
}
END_TEST

START_TEST(wide_access_is_nobodys)
{
	bus_write(&bus, AT, 2, PANICKED);
	bus_write(&bus, AT, 4, PANICKED);
	ck_assert_uint_eq(heard[POWER_PANIC], 0);
}
END_TEST

START_TEST(state_goes_to_another_device)
{
	struct state_image im;

	state_save(dev, &im);
	teardown();
	setup();
	ck_assert_str_eq(state_load(dev, &im), "");
	state_refuse_damaged(dev, &im);
	heard[POWER_PANIC] = 0;
	bus_write(&bus, AT, 1, PANICKED);
	ck_assert_uint_eq(heard[POWER_PANIC], 1);
}
END_TEST

UNIT_MAIN("pvpanic", setup, teardown, t)
{
	tcase_add_test(t, driver_is_told_what_may_be_said);
	tcase_add_test(t, only_known_events_are_heard);
	tcase_add_test(t, wide_access_is_nobodys);
	tcase_add_test(t, state_goes_to_another_device);
}
