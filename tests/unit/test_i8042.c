/* SPDX-License-Identifier: Apache-2.0 */
/* test_i8042 - a probe ends soon, 0xfe resets, and nothing else does. */
#include "devices/legacy/legacy.h"

#include <check.h>

#include "tests/lib/unit.h"
#include "tests/unit/state_fixture.h"
#include "vmm/core/bus.h"

static struct bus bus;
static struct device *dev;
static unsigned int nreset;

static void request(struct power *p, enum power_event ev)
{
	(void)p;
	ck_assert_int_eq(ev, POWER_RESET);
	nreset++;
}

static void setup(void)
{
	static struct power power = {.request = request};
	struct err e = {0};

	nreset = 0;
	bus = (struct bus){.name = "pio"};
	dev = i8042_create(&power);
	ck_assert_ptr_nonnull(dev);
	ck_assert_int_eq(bus_add(&bus, dev, &e), 0);
}

static void teardown(void)
{
	dev->ops->destroy(dev);
}

START_TEST(only_the_reset_command_resets)
{
	for (unsigned int port = 0x60; port <= 0x64; port++) {
		for (unsigned int v = 0; v < 256; v++) {
			bus_write(&bus, port, 1, v);
			ck_assert_uint_eq(nreset, port == 0x64 && v == 0xfe);
			nreset = 0;
		}
	}
}
END_TEST

START_TEST(linux_waits_for_nothing_and_finds_nothing)
{
	/* kb_wait() before the reset command: input buffer not full */
	ck_assert_uint_eq(bus_read(&bus, 0x64, 1) & 2, 0);
	/* i8042_flush(): the output buffer doesn't run empty in 16 reads: no controller */
	for (int i = 0; i < 17; i++) {
		ck_assert_uint_eq(bus_read(&bus, 0x64, 1) & 1, 1);
		ck_assert_uint_eq(bus_read(&bus, 0x60, 1), 0xff);
	}
}
END_TEST

START_TEST(port_b_changes_so_that_delay_loops_end)
{
	uint64_t first = bus_read(&bus, 0x61, 1), second = bus_read(&bus, 0x61, 1);

	ck_assert_uint_eq(first ^ second, 0x30);
	bus_write(&bus, 0x61, 1, 0xff);
	ck_assert_uint_eq(bus_read(&bus, 0x61, 1) & 0xcf, 0x03);
}
END_TEST

START_TEST(state_goes_to_another_device)
{
	struct state_image im, bad;

	bus_write(&bus, 0x61, 1, 2);
	state_save(dev, &im);
	teardown();
	setup();
	ck_assert_uint_eq(bus_read(&bus, 0x61, 1) & 0x3, 0);
	ck_assert_str_eq(state_load(dev, &im), "");
	ck_assert_uint_eq(bus_read(&bus, 0x61, 1) & 0x3, 2);
	state_refuse_damaged(dev, &im);
	bad = im;
	bad.byte[STATE_FIELDS] = 0x80;
	state_refuse(dev, &bad, "port 0x61");
	ck_assert_uint_eq(bus_read(&bus, 0x61, 1) & 0x3, 0);
}
END_TEST

START_TEST(random_accesses_keep_the_registers_sane)
{
	unsigned int seed = 5;

	for (unsigned int i = 0; i < 100000; i++) {
		unsigned int port = 0x60 + (unsigned int)rand_r(&seed) % 6;
		unsigned int size = 1u << rand_r(&seed) % 4;

		if (rand_r(&seed) & 1)
			bus_write(&bus, port, size,
				  (uint64_t)rand_r(&seed) << 16 ^
					  (uint64_t)rand_r(&seed));
		else
			bus_read(&bus, port, size);
		ck_assert_uint_eq(bus_read(&bus, 0x64, 1), 1);
		ck_assert_uint_eq(bus_read(&bus, 0x61, 1) & 0xcc, 0);
	}
}
END_TEST

UNIT_MAIN("i8042", setup, teardown, t)
{
	tcase_add_test(t, only_the_reset_command_resets);
	tcase_add_test(t, linux_waits_for_nothing_and_finds_nothing);
	tcase_add_test(t, port_b_changes_so_that_delay_loops_end);
	tcase_add_test(t, state_goes_to_another_device);
	tcase_add_test(t, random_accesses_keep_the_registers_sane);
}
