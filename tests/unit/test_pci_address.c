/* SPDX-License-Identifier: Apache-2.0 */
/* test_pci_address - the register that Linux probes for, and that there is no device. */
#include "devices/legacy/legacy.h"

#include <check.h>

#include "tests/lib/unit.h"
#include "tests/unit/state_fixture.h"
#include "vmm/core/bus.h"

static struct bus bus;
static struct device *dev;

static void setup(void)
{
	struct err e = {0};

	bus = (struct bus){.name = "port"};
	dev = pci_address_create();
	ck_assert_ptr_nonnull(dev);
	ck_assert_int_eq(bus_add(&bus, dev, &e), 0);
}

static void teardown(void)
{
	dev->ops->destroy(dev);
}

START_TEST(linux_finds_mechanism_1)
{
	uint64_t before = bus_read(&bus, 0xcf8, 4);

	ck_assert_uint_eq(before, 0);
	bus_write(&bus, 0xcf8, 4, 0x80000000);
	ck_assert_uint_eq(bus_read(&bus, 0xcf8, 4), 0x80000000);
	bus_write(&bus, 0xcf8, 4, before);
	ck_assert_uint_eq(bus_read(&bus, 0xcf8, 4), before);
}
END_TEST

START_TEST(there_is_no_device)
{
	for (uint64_t fn = 0; fn < 256; fn++) {
		bus_write(&bus, 0xcf8, 4, 0x80000000 | fn << 8);
		ck_assert_uint_eq(bus_read(&bus, 0xcfc, 4), 0xffffffff);
		ck_assert_uint_eq(bus_read(&bus, 0xcfc, 2), 0xffff);
	}
}
END_TEST

/* Port 0xcf9 is a PC's reset register; mechanism #2 writes bytes to 0xcf8 and 0xcfa. */
START_TEST(small_accesses_are_not_for_the_register)
{
	bus_write(&bus, 0xcf8, 4, 0x80001234);
	for (unsigned int port = 0xcf8; port < 0xcfc; port++) {
		bus_write(&bus, port, 1, 0);
		ck_assert_uint_eq(bus_read(&bus, port, 1), 0xff);
	}
	bus_write(&bus, 0xcfa, 2, 0);
	ck_assert_uint_eq(bus_read(&bus, 0xcf8, 4), 0x80001234);
}
END_TEST

START_TEST(reserved_bits_read_as_zero)
{
	bus_write(&bus, 0xcf8, 4, 0xffffffff);
	ck_assert_uint_eq(bus_read(&bus, 0xcf8, 4), 0x80fffffc);
}
END_TEST

START_TEST(state_goes_to_another_device)
{
	struct state_image im, bad;

	bus_write(&bus, 0xcf8, 4, 0x80000100);
	state_save(dev, &im);
	teardown();
	setup();
	ck_assert_uint_eq(bus_read(&bus, 0xcf8, 4), 0);
	ck_assert_str_eq(state_load(dev, &im), "");
	ck_assert_uint_eq(bus_read(&bus, 0xcf8, 4), 0x80000100);
	state_refuse_damaged(dev, &im);
	bad = im;
	bad.byte[STATE_FIELDS] = 3;
	state_refuse(dev, &bad, "reserved bits");
	ck_assert_uint_eq(bus_read(&bus, 0xcf8, 4), 0);
}
END_TEST

UNIT_MAIN("pci_address", setup, teardown, t)
{
	tcase_add_test(t, linux_finds_mechanism_1);
	tcase_add_test(t, there_is_no_device);
	tcase_add_test(t, small_accesses_are_not_for_the_register);
	tcase_add_test(t, reserved_bits_read_as_zero);
	tcase_add_test(t, state_goes_to_another_device);
}
