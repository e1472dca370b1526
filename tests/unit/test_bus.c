/* SPDX-License-Identifier: Apache-2.0 */
/* test_bus - windows on a bus: which are taken, and where a guest's access ends up. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "tests/lib/unit.h"
#include "vmm/core/bus.h"

/* A device that remembers the last access and answers with more bits than asked for */
struct probe {
	struct device d;
	unsigned int reads, writes, size;
	uint64_t off, val;
	bool locked; /* was the lock held during the access? */
};

static struct bus bus;
static struct err err;

static void probe_note(struct device *d, uint64_t off, unsigned int size)
{
	struct probe *p = (struct probe *)d;

	p->off = off;
	p->size = size;
	p->locked = pthread_mutex_trylock(&d->lock) == EBUSY;
}

static uint64_t probe_read(struct device *d, uint64_t off, unsigned int size)
{
	probe_note(d, off, size);
	((struct probe *)d)->reads++;
	return 0x1122334455667788;
}

static void probe_write(struct device *d, uint64_t off, unsigned int size, uint64_t val)
{
	probe_note(d, off, size);
	((struct probe *)d)->writes++;
	((struct probe *)d)->val = val;
}

static void probe_destroy(struct device *d)
{
	device_fini(d);
}

static const struct device_ops probe_ops = {
	.arm = device_nop_arm,
	.read = probe_read,
	.write = probe_write,
	.reset = device_nop_reset,
	.rest = device_nop_rest,
	.wake = device_nop_wake,
	.state = device_nop_state,
	.destroy = probe_destroy,
};

static struct probe probe[BUS_DEVICES_MAX + 1];

static int add(unsigned int i, uint64_t base, uint64_t len)
{
	device_init(&probe[i].d, &probe_ops, DEVICE_SERIAL, "probe", base, len);
	probe[i].d.name[0] = (char)('a' + i % 26);
	return bus_add(&bus, &probe[i].d, &err);
}

static void setup(void)
{
	memset(&bus, 0, sizeof(bus));
	memset(probe, 0, sizeof(probe));
	memset(&err, 0, sizeof(err));
	bus.name = "MMIO";
}

START_TEST(empty_window_is_refused)
{
	ck_assert_int_eq(add(0, 0x1000, 0), -EINVAL);
	ck_assert_uint_eq(bus.n, 0);
	ck_assert_ptr_nonnull(strstr(err.msg, "arobe"));
}
END_TEST

START_TEST(wrapping_window_is_refused)
{
	ck_assert_int_eq(add(0, UINT64_MAX - 0xf, 0x20), -EINVAL);
	ck_assert_int_eq(add(0, 1, UINT64_MAX), -EINVAL);
	ck_assert_uint_eq(bus.n, 0);
}
END_TEST

START_TEST(overlap_is_refused_and_names_both)
{
	static const struct {
		uint64_t base, len;
	} bad[] = {
		{0x1000, 0x100}, {0x0fff, 2}, {0x10ff, 1},
		{0x1010, 0x10},  {0, 0x2000}, {0xf01, 0x100},
	};

	ck_assert_int_eq(add(0, 0x1000, 0x100), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(add(1, bad[i].base, bad[i].len), -EINVAL);
		ck_assert_ptr_nonnull(strstr(err.msg, "arobe"));
		ck_assert_ptr_nonnull(strstr(err.msg, "brobe"));
	}
	ck_assert_uint_eq(bus.n, 1);
}
END_TEST

START_TEST(neighbours_do_not_overlap)
{
	ck_assert_int_eq(add(0, 0x1000, 0x100), 0);
	ck_assert_int_eq(add(1, 0x1100, 0x100), 0);
	ck_assert_int_eq(add(2, 0x0f00, 0x100), 0);
	(void)bus_read(&bus, 0x10ff, 1);
	(void)bus_read(&bus, 0x1100, 1);
	(void)bus_read(&bus, 0x0fff, 1);
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_uint_eq(probe[i].reads, 1);
	ck_assert_uint_eq(probe[0].off, 0xff);
	ck_assert_uint_eq(probe[1].off, 0);
	ck_assert_uint_eq(probe[2].off, 0xff);
}
END_TEST

START_TEST(full_bus_refuses_the_next_device)
{
	unsigned int i;

	for (i = 0; i < BUS_DEVICES_MAX; i++) /* in no order */
		ck_assert_int_eq(add(i, 0x1000 * (1 + i * 37 % BUS_DEVICES_MAX), 8), 0);
	ck_assert_int_eq(add(i, 0x100000, 8), -ENOSPC);
	for (i = 0; i < BUS_DEVICES_MAX; i++) {
		bus_write(&bus, probe[i].d.base + 4, 4, i);
		ck_assert_uint_eq(probe[i].writes, 1);
		ck_assert_uint_eq(probe[i].val, i);
		ck_assert_uint_eq(probe[i].off, 4);
	}
}
END_TEST

START_TEST(nobody_home_reads_as_ones_of_the_size)
{
	ck_assert_int_eq(add(0, 0x1000, 0x100), 0);
	ck_assert_uint_eq(bus_read(&bus, 0, 1), 0xff);
	ck_assert_uint_eq(bus_read(&bus, 0x1100, 2), 0xffff);
	ck_assert_uint_eq(bus_read(&bus, 0xfff, 4), 0xffffffff);
	ck_assert_uint_eq(bus_read(&bus, UINT64_MAX, 8), UINT64_MAX);
	bus_write(&bus, 0x1100, 4, 1);
	ck_assert_uint_eq(probe[0].reads + probe[0].writes, 0);
}
END_TEST

START_TEST(access_across_the_end_of_a_window_reaches_nobody)
{
	ck_assert_int_eq(add(0, 0x1000, 0x102), 0);
	ck_assert_int_eq(add(1, 0x1102, 0x100), 0);
	ck_assert_uint_eq(bus_read(&bus, 0x1100, 4), 0xffffffff);
	bus_write(&bus, 0x10ff, 8, 0);
	ck_assert_uint_eq(bus_read(&bus, 0x1101, 2), 0xffff);
	ck_assert_uint_eq(probe[0].reads + probe[0].writes, 0);
	ck_assert_uint_eq(probe[1].reads + probe[1].writes, 0);
	(void)bus_read(&bus, 0x1100, 2);
	ck_assert_uint_eq(probe[0].reads, 1);
}
END_TEST

/* The window ends at the last address */
START_TEST(access_that_wraps_reaches_nobody)
{
	ck_assert_int_eq(add(0, UINT64_MAX - 0xff, 0xff), 0);
	ck_assert_uint_eq(bus_read(&bus, UINT64_MAX - 3, 8), UINT64_MAX);
	bus_write(&bus, UINT64_MAX - 1, 4, 0);
	bus_write(&bus, UINT64_MAX, 1, 0);
	ck_assert_uint_eq(probe[0].reads + probe[0].writes, 0);
	bus_write(&bus, UINT64_MAX - 8, 8, 0);
	ck_assert_uint_eq(probe[0].writes, 1);
}
END_TEST

START_TEST(values_are_cut_to_the_access)
{
	ck_assert_int_eq(add(0, 0x1000, 0x100), 0);
	ck_assert_uint_eq(bus_read(&bus, 0x1000, 1), 0x88);
	ck_assert_uint_eq(bus_read(&bus, 0x1000, 2), 0x7788);
	ck_assert_uint_eq(bus_read(&bus, 0x1000, 4), 0x55667788);
	ck_assert_uint_eq(bus_read(&bus, 0x1000, 8), 0x1122334455667788);
	bus_write(&bus, 0x1000, 2, 0xaabbccdd);
	ck_assert_uint_eq(probe[0].val, 0xccdd);
	ck_assert_uint_eq(probe[0].size, 2);
}
END_TEST

START_TEST(devices_are_called_under_their_lock)
{
	ck_assert_int_eq(add(0, 0x1000, 0x100), 0);
	(void)bus_read(&bus, 0x1000, 4);
	ck_assert(probe[0].locked);
	probe[0].locked = false;
	bus_write(&bus, 0x1000, 4, 0);
	ck_assert(probe[0].locked);
	ck_assert_int_eq(pthread_mutex_trylock(&probe[0].d.lock), 0);
}
END_TEST

START_TEST(device_without_registers_reads_as_ones)
{
	static const struct device_ops nop = {
		.arm = device_nop_arm,
		.read = device_nop_read,
		.write = device_nop_write,
		.reset = device_nop_reset,
		.rest = device_nop_rest,
		.wake = device_nop_wake,
		.state = device_nop_state,
		.destroy = device_fini,
	};
	struct device d;

	device_init(&d, &nop, DEVICE_ACPI_PM, "a name that is too long", 0x2000, 4);
	ck_assert_str_eq(d.name, "a name that is ");
	ck_assert_int_eq(d.irq.fd, -1);
	ck_assert_int_eq(bus_add(&bus, &d, &err), 0);
	bus_write(&bus, 0x2000, 4, 0);
	ck_assert_uint_eq(bus_read(&bus, 0x2000, 2), 0xffff);
	d.ops->destroy(&d);
}
END_TEST

UNIT_MAIN("bus", setup, NULL, t)
{
	tcase_add_test(t, empty_window_is_refused);
	tcase_add_test(t, wrapping_window_is_refused);
	tcase_add_test(t, overlap_is_refused_and_names_both);
	tcase_add_test(t, neighbours_do_not_overlap);
	tcase_add_test(t, full_bus_refuses_the_next_device);
	tcase_add_test(t, nobody_home_reads_as_ones_of_the_size);
	tcase_add_test(t, access_across_the_end_of_a_window_reaches_nobody);
	tcase_add_test(t, access_that_wraps_reaches_nobody);
	tcase_add_test(t, values_are_cut_to_the_access);
	tcase_add_test(t, devices_are_called_under_their_lock);
	tcase_add_test(t, device_without_registers_reads_as_ones);
}
