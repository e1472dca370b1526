/* SPDX-License-Identifier: Apache-2.0 */
/* test_acpi_pm - what powers off, what resets, and what only looks like it. */
#include "devices/legacy/legacy.h"

#include <check.h>

#include "tests/lib/unit.h"
#include "tests/unit/state_fixture.h"
#include "vmm/core/bus.h"
#include "vmm/core/util.h"
#include "vmm/core/layout_x86.h"

#define SLP_EN  0x20
#define WAK_STS 0x80

static struct bus bus;
static struct device *dev;
static unsigned int noff, nreset;

static void request(struct power *p, enum power_event ev)
{
	(void)p;
	if (ev == POWER_OFF)
		noff++;
	else
		nreset++;
}

static void setup(void)
{
	static struct power power = {.request = request};
	struct err e = {0};

	noff = nreset = 0;
	bus = (struct bus){.name = "pio"};
	dev = acpi_pm_create(LAYOUT_ACPI_PM, LAYOUT_GSI_BUTTON, &power);
	ck_assert_ptr_nonnull(dev);
	ck_assert_int_eq(bus_add(&bus, dev, &e), 0);
}

static void teardown(void)
{
	dev->ops->destroy(dev);
}

static uint8_t in(unsigned int reg)
{
	return (uint8_t)bus_read(&bus, LAYOUT_ACPI_PM + reg, 1);
}

static void out(unsigned int reg, uint8_t val)
{
	bus_write(&bus, LAYOUT_ACPI_PM + reg, 1, val);
}

START_TEST(only_s5_with_its_enable_bit_powers_off)
{
	for (unsigned int v = 0; v < 256; v++) {
		out(ACPI_PM_SLEEP_CONTROL, (uint8_t)v);
		ck_assert_uint_eq(noff, (v & 0x3c) == (ACPI_PM_S5_TYPE << 2 | SLP_EN));
		ck_assert_uint_eq(in(ACPI_PM_SLEEP_CONTROL), v & 0x1c);
		noff = 0;
	}
	ck_assert_uint_eq(nreset, 0);
}
END_TEST

START_TEST(only_the_reset_value_resets)
{
	for (unsigned int v = 0; v < 256; v++) {
		out(ACPI_PM_RESET, (uint8_t)v);
		ck_assert_uint_eq(nreset, v == ACPI_PM_RESET_VALUE);
		nreset = 0;
	}
	ck_assert_uint_eq(noff, 0);
	ck_assert_uint_eq(in(ACPI_PM_RESET), 0);
}
END_TEST

START_TEST(other_sleep_wakes_at_once)
{
	ck_assert_uint_eq(in(ACPI_PM_SLEEP_STATUS), 0);
	out(ACPI_PM_SLEEP_CONTROL, 3 << 2 | SLP_EN);
	ck_assert_uint_eq(in(ACPI_PM_SLEEP_STATUS), WAK_STS);
	out(ACPI_PM_SLEEP_STATUS, 0x7f);
	ck_assert_uint_eq(in(ACPI_PM_SLEEP_STATUS), WAK_STS);
	out(ACPI_PM_SLEEP_STATUS, WAK_STS);
	ck_assert_uint_eq(in(ACPI_PM_SLEEP_STATUS), 0);
}
END_TEST

START_TEST(state_goes_to_another_device)
{
	struct state_image im;

	out(ACPI_PM_SLEEP_CONTROL, 3 << 2 | SLP_EN);
	state_save(dev, &im);
	teardown();
	setup();
	ck_assert_uint_eq(bus_read(&bus, LAYOUT_ACPI_PM, 4), 0);
	ck_assert_str_eq(state_load(dev, &im), "");
	ck_assert_uint_eq(bus_read(&bus, LAYOUT_ACPI_PM, 4), WAK_STS << 16 | 3 << 10);
	out(ACPI_PM_SLEEP_STATUS, WAK_STS);
	ck_assert_uint_eq(in(ACPI_PM_SLEEP_STATUS), 0);
}
END_TEST

START_TEST(wrong_state_leaves_the_registers_reset)
{
	struct state_image im, bad;

	out(ACPI_PM_SLEEP_CONTROL, 3 << 2 | SLP_EN);
	state_save(dev, &im);
	state_refuse_damaged(dev, &im);
	bad = im;
	bad.byte[STATE_FIELDS] |= SLP_EN;
	state_refuse(dev, &bad, "reserved bits");
	bad = im;
	bad.byte[STATE_FIELDS + 1] |= 1;
	state_refuse(dev, &bad, "reserved bits");
	ck_assert_uint_eq(bus_read(&bus, LAYOUT_ACPI_PM, 4), 0);
}
END_TEST

START_TEST(random_accesses_keep_the_registers_sane)
{
	unsigned int seed = 3;

	for (unsigned int i = 0; i < 100000; i++) {
		unsigned int reg = (unsigned int)rand_r(&seed) % (ACPI_PM_LEN + 1);
		unsigned int size = 1u << rand_r(&seed) % 4;

		if (rand_r(&seed) & 1)
			bus_write(&bus, LAYOUT_ACPI_PM + reg, size,
				  (uint64_t)rand_r(&seed) << 16 ^
					  (uint64_t)rand_r(&seed));
		else
			bus_read(&bus, LAYOUT_ACPI_PM + reg, size);
		ck_assert_uint_eq(bus_read(&bus, LAYOUT_ACPI_PM, 4) & 0xff7fe3ff, 0);
	}
}
END_TEST

START_TEST(button_has_a_line_or_none)
{
	struct device *without = acpi_pm_create(LAYOUT_ACPI_PM, 0, NULL);

	ck_assert_uint_eq(dev->irq.gsi, LAYOUT_GSI_BUTTON);
	ck_assert_int_ge(dev->irq.fd, 0);
	ck_assert_int_eq(without->irq.fd, -1);
	ck_assert_uint_eq(without->irq.gsi, 0);
	without->ops->destroy(without);
}
END_TEST

UNIT_MAIN("acpi_pm", setup, teardown, t)
{
	tcase_add_test(t, button_has_a_line_or_none);
	tcase_add_test(t, only_s5_with_its_enable_bit_powers_off);
	tcase_add_test(t, only_the_reset_value_resets);
	tcase_add_test(t, other_sleep_wakes_at_once);
	tcase_add_test(t, state_goes_to_another_device);
	tcase_add_test(t, wrong_state_leaves_the_registers_reset);
	tcase_add_test(t, random_accesses_keep_the_registers_sane);
}
