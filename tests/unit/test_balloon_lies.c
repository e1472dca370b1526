/* SPDX-License-Identifier: Apache-2.0 */
/* test_balloon_lies - what a guest can say wrong about its memory costs it the balloon. */
#include "tests/lib/unit.h"
#include "tests/unit/balloon_fixture.h"

static void setup(void)
{
	driver_init(&d, RAM);
	balloon_plug((struct config_balloon){.size = 5 * MIB, .reporting = true});
	ck_assert(driver_bring_up(&d, ~0ULL));
	balloon_fill();
}

static void teardown(void)
{
	driver_fini(&d);
}

static const uint32_t beyond[] = {
	RAM / 4096,                             /* just above the first region */
	DRIVER_BASE / 4096,                     /* our registers */
	(DRIVER_HIGH + DRIVER_HIGH_LEN) / 4096, /* above the second */
	UINT32_MAX,
};

START_TEST(page_that_is_no_memory)
{
	ck_assert(!balloon_list(INFLATE, &beyond[_i], 1));
	ck_assert(driver_broken(&d));
	ck_assert_uint_eq(balloon_gone(FREE, FREE_LEN), 0);
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert(balloon_list(INFLATE, &(uint32_t){FREE / 4096}, 1));
	ck_assert_uint_eq(balloon_gone(FREE, FREE_LEN), 1);
}
END_TEST

/* The guest's last pages are next to our guard. */
START_TEST(run_over_the_end_of_memory)
{
	uint32_t list[] = {RAM / 4096 - 2, RAM / 4096 - 1, RAM / 4096};

	ck_assert(!balloon_list(INFLATE, list, 3));
	ck_assert(driver_broken(&d));
}
END_TEST

START_TEST(list_that_ends_in_the_middle_of_a_number)
{
	gpa_t at = driver_alloc(&d, 8, 4);
	uint32_t id, len;

	driver_send(&d, INFLATE, &(struct driver_buf){at, 7, false}, 1);
	ck_assert(!driver_wait(&d, INFLATE, &id, &len));
	ck_assert(driver_broken(&d));
}
END_TEST

START_TEST(list_without_end)
{
	uint32_t id, len;

	driver_send(&d, INFLATE, &(struct driver_buf){FREE, FREE_LEN, false}, 1);
	ck_assert(!driver_wait(&d, INFLATE, &id, &len));
	ck_assert(driver_broken(&d));
	ck_assert_uint_eq(balloon_gone(FREE, FREE_LEN), 0);
}
END_TEST

/* Every page number is valid; there are too many of them */
START_TEST(list_with_one_page_too_many)
{
	static uint32_t list[64 * KIB / sizeof(uint32_t) + 1];

	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		list[i] = FREE / 4096;
	ck_assert(balloon_list(INFLATE, list, ARRAY_SIZE(list) - 1));
	ck_assert_uint_eq(balloon_gone(FREE, FREE_LEN), 1);
	balloon_fill();
	ck_assert(!balloon_list(INFLATE, list, ARRAY_SIZE(list)));
	ck_assert(driver_broken(&d));
	ck_assert_uint_eq(balloon_gone(FREE, FREE_LEN), 0);
}
END_TEST

START_TEST(list_for_us_to_write)
{
	uint32_t id, len;

	driver_send(&d, INFLATE, &(struct driver_buf){FREE, 4, true}, 1);
	ck_assert(!driver_wait(&d, INFLATE, &id, &len));
	ck_assert(driver_broken(&d));
}
END_TEST

START_TEST(free_range_for_us_to_read)
{
	ck_assert(!balloon_report(&(struct driver_buf){FREE, 4096, false}, 1));
	ck_assert(driver_broken(&d));
	ck_assert_uint_eq(balloon_gone(FREE, FREE_LEN), 0);
}
END_TEST

START_TEST(free_range_over_the_end_of_memory)
{
	ck_assert(!balloon_report(&(struct driver_buf){RAM - 4096, 8192, true}, 1));
	ck_assert(driver_broken(&d));
}
END_TEST

START_TEST(more_free_memory_than_there_is)
{
	struct driver_buf b[] = {
		{FREE, FREE_LEN, true}, {FREE, FREE_LEN, true}, {FREE, FREE_LEN, true}};

	ck_assert(!balloon_report(b, 3));
	ck_assert(driver_broken(&d));
	ck_assert_uint_eq(balloon_gone(FREE, FREE_LEN), 0);
}
END_TEST

START_TEST(overlapping_ranges_are_the_guests_own_business)
{
	struct driver_buf b[] = {{FREE, PAGES(8), true},
				 {FREE + PAGES(4), PAGES(8), true}};

	ck_assert(balloon_report(b, 2));
	ck_assert_uint_eq(balloon_gone(FREE, FREE_LEN), 12);
}
END_TEST

/* What is left and right of whole pages may be in use. */
START_TEST(parts_of_pages_stay)
{
	struct driver_buf b[] = {{FREE + 1, PAGES(3), true}, {FREE + MIB, 4095, true}};

	ck_assert(balloon_report(b, 2));
	ck_assert_uint_eq(balloon_gone(FREE, FREE_LEN), 2);
	ck_assert_uint_eq(balloon_gone(FREE + PAGES(1), PAGES(2)), 2);
}
END_TEST

START_TEST(target_is_not_the_drivers_to_write)
{
	driver_write(&d, CONFIG(num_pages), 1);
	driver_write(&d, CONFIG(free_page_hint_cmd_id), 1);
	driver_write_n(&d, CONFIG(num_pages), 8, UINT64_MAX);
	ck_assert_uint_eq(driver_read(&d, CONFIG(num_pages)), 5 * MIB / 4096);
	ck_assert_uint_eq(driver_read(&d, CONFIG(free_page_hint_cmd_id)), 0);
	ck_assert_uint_eq(driver_read(&d, CONFIG(actual)), UINT32_MAX);
}
END_TEST

/* The rings themselves, and with them what the driver has yet to be told */
START_TEST(device_survives_the_loss_of_its_own_rings)
{
	(void)balloon_report(&(struct driver_buf){0, FREE, true}, 1);
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert(balloon_list(INFLATE, &(uint32_t){FREE / 4096}, 1));
}
END_TEST

START_TEST(reset_in_the_middle)
{
	for (unsigned int i = 0; i < 50; i++) {
		driver_send(&d, REPORTING, &(struct driver_buf){FREE, FREE_LEN, true}, 1);
		driver_pump(&d);
		d.heap = DRIVER_HEAP;
		ck_assert(driver_bring_up(&d, ~0ULL));
	}
	balloon_fill();
	ck_assert(balloon_report(&(struct driver_buf){FREE, PAGES(1), true}, 1));
	ck_assert_uint_eq(balloon_gone(FREE, FREE_LEN), 1);
}
END_TEST

UNIT_MAIN("balloon_lies", setup, teardown, t)
{
	tcase_add_loop_test(t, page_that_is_no_memory, 0, (int)ARRAY_SIZE(beyond));
	tcase_add_test(t, run_over_the_end_of_memory);
	tcase_add_test(t, list_that_ends_in_the_middle_of_a_number);
	tcase_add_test(t, list_without_end);
	tcase_add_test(t, list_with_one_page_too_many);
	tcase_add_test(t, list_for_us_to_write);
	tcase_add_test(t, free_range_for_us_to_read);
	tcase_add_test(t, free_range_over_the_end_of_memory);
	tcase_add_test(t, more_free_memory_than_there_is);
	tcase_add_test(t, overlapping_ranges_are_the_guests_own_business);
	tcase_add_test(t, parts_of_pages_stay);
	tcase_add_test(t, target_is_not_the_drivers_to_write);
	tcase_add_test(t, device_survives_the_loss_of_its_own_rings);
	tcase_add_test(t, reset_in_the_middle);
}
