/* SPDX-License-Identifier: Apache-2.0 */
/* test_rng - the entropy device, through its registers. */
#include <check.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>

#include "devices/virtio/devices.h"
#include "tests/lib/driver.h"
#include "tests/lib/unit.h"
#include "vmm/core/util.h"

static struct driver d;

static void setup(void)
{
	driver_init(&d, 16 * MIB);
	driver_plug(&d, rng_create(&d.env, 0, &d.err));
	ck_assert(driver_bring_up(&d, ~0ULL));
}

static void teardown(void)
{
	driver_fini(&d);
}

static size_t zeroes(gpa_t at, size_t len)
{
	const uint8_t *p = driver_ptr(&d, at, len);
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += p[i] == 0;
	return n;
}

START_TEST(a_buffer_is_filled_and_interrupts)
{
	gpa_t at = driver_alloc(&d, 64, 1);
	uint32_t id, len;
	int head;

	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_RNG);
	head = driver_send(&d, 0, &(struct driver_buf){at, 64, true}, 1);
	ck_assert(driver_wait(&d, 0, &id, &len));
	ck_assert_int_eq(head, (int)id);
	ck_assert_uint_eq(len, 64);
	ck_assert_uint_lt(zeroes(at, 64), 16);
	ck_assert_uint_eq(driver_irqs(&d), 1);
}
END_TEST

START_TEST(two_requests_get_different_bytes)
{
	gpa_t a = driver_alloc(&d, 32, 1), b = driver_alloc(&d, 32, 1);
	uint32_t id, len;

	driver_send(&d, 0, &(struct driver_buf){a, 32, true}, 1);
	driver_send(&d, 0, &(struct driver_buf){b, 32, true}, 1);
	ck_assert(driver_wait(&d, 0, &id, &len));
	ck_assert(driver_wait(&d, 0, &id, &len));
	ck_assert_mem_ne(driver_ptr(&d, a, 32), driver_ptr(&d, b, 32), 32);
}
END_TEST

START_TEST(huge_request_is_answered_with_a_bounded_part)
{
	gpa_t at = driver_alloc(&d, 8 * MIB, 1);
	uint32_t id, len;

	driver_send(&d, 0, &(struct driver_buf){at, 8 * MIB, true}, 1);
	ck_assert(driver_wait(&d, 0, &id, &len));
	ck_assert_uint_eq(len, 4096);
	ck_assert_uint_eq(zeroes(at + 4096, 4096), 4096);
}
END_TEST

START_TEST(bound_holds_over_many_buffers)
{
	gpa_t at = driver_alloc(&d, 3 * 3000, 1);
	struct driver_buf b[] = {
		{at, 3000, true}, {at + 3000, 3000, true}, {at + 6000, 3000, true}};
	uint32_t id, len;

	driver_send(&d, 0, b, 3);
	ck_assert(driver_wait(&d, 0, &id, &len));
	ck_assert_uint_eq(len, 4096);
	ck_assert_uint_eq(zeroes(at + 4096, 9000 - 4096), 9000 - 4096);
}
END_TEST

START_TEST(request_without_room_is_given_back_empty)
{
	gpa_t at = driver_alloc(&d, 16, 1);
	uint32_t id, len;

	driver_send(&d, 0, &(struct driver_buf){at, 16, false}, 1);
	ck_assert(driver_wait(&d, 0, &id, &len));
	ck_assert_uint_eq(len, 0);
	ck_assert_uint_eq(zeroes(at, 16), 16);
	ck_assert(!driver_broken(&d));
}
END_TEST

START_TEST(buffer_across_the_end_of_memory_costs_the_device_and_a_reset_revives_it)
{
	gpa_t at = driver_alloc(&d, 16, 1);
	uint32_t id, len;

	driver_send(&d, 0, &(struct driver_buf){16 * MIB - 8, 16, true}, 1);
	ck_assert(!driver_wait(&d, 0, &id, &len));
	ck_assert(driver_broken(&d));
	ck_assert(driver_bring_up(&d, ~0ULL));
	driver_send(&d, 0, &(struct driver_buf){at, 16, true}, 1);
	ck_assert(driver_wait(&d, 0, &id, &len));
	ck_assert_uint_eq(len, 16);
}
END_TEST

UNIT_MAIN("rng", setup, teardown, t)
{
	tcase_add_test(t, a_buffer_is_filled_and_interrupts);
	tcase_add_test(t, two_requests_get_different_bytes);
	tcase_add_test(t, huge_request_is_answered_with_a_bounded_part);
	tcase_add_test(t, bound_holds_over_many_buffers);
	tcase_add_test(t, request_without_room_is_given_back_empty);
	tcase_add_test(
		t,
		buffer_across_the_end_of_memory_costs_the_device_and_a_reset_revives_it);
}
