/* SPDX-License-Identifier: Apache-2.0 */
/* test_balloon - memory goes to the host when it is asked for, and when it is free. */
#include "tests/unit/balloon_fixture.h"

#include <linux/virtio_ids.h>

#include "devices/virtio/balloon.h"
#include "tests/lib/unit.h"
#include "vmm/core/log.h"

static void setup(void)
{
	driver_init(&d, RAM);
	balloon_plug((struct config_balloon){
		.size = 5 * MIB, .reporting = true, .deflate_on_oom = true});
	ck_assert(driver_bring_up(&d, ~0ULL));
	balloon_fill();
}

static void setup_shared(void)
{
	driver_init_shared(&d, RAM);
	balloon_plug((struct config_balloon){.reporting = true});
	ck_assert(driver_bring_up(&d, ~0ULL));
	balloon_fill();
}

static void teardown(void)
{
	driver_fini(&d);
}

/* Bytes of the free part that the host holds, as it counts them */
static size_t held(void)
{
	unsigned char vec[FREE_LEN / 4096];
	size_t n = 0;

	ck_assert_int_eq(mincore(driver_ptr(&d, FREE, FREE_LEN), FREE_LEN, vec), 0);
	for (size_t i = 0; i < sizeof(vec); i++)
		n += vec[i] & 1;
	return n * 4096;
}

START_TEST(target_and_features_are_offered)
{
	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_BALLOON);
	ck_assert_uint_eq(driver_read(&d, CONFIG(num_pages)), 5 * MIB / 4096);
	ck_assert_uint_eq(driver_read(&d, CONFIG(actual)), 0);
	ck_assert_uint_eq(driver_offered(&d) & 0xff, F(STATS_VQ) | F(DEFLATE_ON_OOM) |
							     F(REPORTING) |
							     F(PAGE_POISON));
}
END_TEST

START_TEST(what_is_switched_off_is_not_offered)
{
	driver_unplug(&d);
	balloon_plug((struct config_balloon){.size = MIB});
	ck_assert_uint_eq(driver_offered(&d) & 0xff, F(STATS_VQ));
	driver_write(&d, VIRTIO_MMIO_QUEUE_SEL, REPORTING);
	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
}
END_TEST

/* Nothing of it would go back: its pool would give the page to others */
START_TEST(a_guest_in_huge_pages_is_not_asked_for_reports)
{
	driver_unplug(&d);
	d.mem.hugepages = true;
	log_threshold = LOG_ERROR;
	balloon_plug((struct config_balloon){.size = MIB, .reporting = true});
	ck_assert_uint_eq(driver_offered(&d) & 0xff, F(STATS_VQ));
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert(balloon_list(INFLATE, (uint32_t[]){FREE / 4096, FREE / 4096 + 1}, 2));
	ck_assert_uint_eq(balloon_gone(FREE, FREE_LEN), 0);
	d.mem.hugepages = false;
}
END_TEST

START_TEST(another_size_is_told_and_what_the_driver_gives_is_seen)
{
	uint64_t asked, given;

	(void)driver_irqs(&d);
	pthread_mutex_lock(&d.dev->lock);
	balloon_resize(d.v, 3 * MIB);
	pthread_mutex_unlock(&d.dev->lock);
	ck_assert_uint_eq(driver_irqs(&d), 1);
	ck_assert_uint_eq(driver_read_n(&d, CONFIG(num_pages), 4), 3 * MIB / 4096);
	driver_write_n(&d, CONFIG(actual), 4, 2 * MIB / 4096);
	pthread_mutex_lock(&d.dev->lock);
	balloon_size(d.v, &asked, &given);
	pthread_mutex_unlock(&d.dev->lock);
	ck_assert_uint_eq(asked, 3 * MIB);
	ck_assert_uint_eq(given, 2 * MIB);
	/* what it writes over the size is not believed */
	driver_write_n(&d, CONFIG(num_pages), 4, 7);
	ck_assert_uint_eq(driver_read_n(&d, CONFIG(num_pages), 4), 3 * MIB / 4096);
}
END_TEST

START_TEST(inflated_pages_go_to_the_host_and_no_others)
{
	uint32_t base = FREE / 4096;
	uint32_t list[] = {base,      base + 1,  base + 2,  /* up */
			   base + 20, base + 19, base + 18, /* down */
			   base + 7,  base + 7};            /* twice */

	ck_assert(balloon_list(INFLATE, list, ARRAY_SIZE(list)));
	ck_assert_uint_eq(FREE_LEN - held(), PAGES(7));
	ck_assert_uint_eq(balloon_gone(FREE, FREE_LEN), 7);
	ck_assert_uint_eq(balloon_gone(FREE, PAGES(3)), 3);
	ck_assert_uint_eq(balloon_gone(FREE + PAGES(18), PAGES(3)), 3);
	ck_assert_uint_eq(balloon_gone(FREE + PAGES(7), PAGES(1)), 1);
}
END_TEST

START_TEST(deflated_pages_can_be_used_again)
{
	uint32_t page = FREE / 4096;
	uint8_t *p = driver_ptr(&d, FREE, 4096);

	ck_assert(balloon_list(INFLATE, &page, 1));
	ck_assert(balloon_list(DEFLATE, &page, 1));
	*p = 7;
	ck_assert_uint_eq(*p, 7);
	ck_assert_uint_eq(balloon_gone(FREE + 4096, FREE_LEN - 4096), 0);
}
END_TEST

START_TEST(reported_ranges_go_to_the_host)
{
	struct driver_buf b[] = {{FREE, 2 * MIB, true}, {FREE + 4 * MIB, 3 * MIB, true}};

	ck_assert(balloon_report(b, 2));
	ck_assert_uint_eq(held(), FREE_LEN - 5 * MIB);
	ck_assert_uint_eq(balloon_gone(FREE + 2 * MIB, 2 * MIB), 0);
	ck_assert_uint_eq(d.dev->io.written_bytes, 5 * MIB);
}
END_TEST

/* A guest that fills free pages with a pattern would find zeroes in place of it. */
START_TEST(free_pages_with_a_pattern_stay)
{
	driver_write(&d, CONFIG(poison_val), 0xaaaaaaaa);
	ck_assert(balloon_report(&(struct driver_buf){FREE, 2 * MIB, true}, 1));
	ck_assert_uint_eq(held(), FREE_LEN);
	driver_write(&d, CONFIG(poison_val), 0);
	ck_assert(balloon_report(&(struct driver_buf){FREE, 2 * MIB, true}, 1));
	ck_assert_uint_eq(held(), FREE_LEN - 2 * MIB);
}
END_TEST

START_TEST(pattern_counts_only_if_negotiated)
{
	ck_assert(driver_bring_up(&d, ~F(PAGE_POISON)));
	driver_write(&d, CONFIG(poison_val), 0xaaaaaaaa);
	ck_assert(balloon_report(&(struct driver_buf){FREE, 2 * MIB, true}, 1));
	ck_assert_uint_eq(held(), FREE_LEN - 2 * MIB);
}
END_TEST

START_TEST(many_chains_at_once_all_come_back)
{
	uint32_t id, len;

	for (unsigned int i = 0; i < 32; i++) {
		struct driver_buf b = {FREE + i * PAGES(4), PAGES(2), true};

		ck_assert_int_ge(driver_add(&d.ring[REPORTING], &b, 1), 0);
	}
	(void)driver_publish(&d.ring[REPORTING]);
	driver_kick(&d, REPORTING);
	for (unsigned int i = 0; i < 32; i++)
		ck_assert(driver_wait(&d, REPORTING, &id, &len));
	ck_assert_uint_eq(held(), FREE_LEN - PAGES(64));
	/* and a kick that follows is heard */
	ck_assert(balloon_report(&(struct driver_buf){FREE, PAGES(4), true}, 1));
	ck_assert_uint_eq(held(), FREE_LEN - PAGES(66));
}
END_TEST

START_TEST(idle_device_has_nothing_to_do)
{
	uint64_t before;

	ck_assert(balloon_report(&(struct driver_buf){FREE, PAGES(4), true}, 1));
	driver_pump(&d);
	(void)driver_irqs(&d);
	before = d.dev->io.requests;
	driver_run(&d, 50);
	ck_assert_uint_eq(d.dev->io.requests, before);
	ck_assert_uint_eq(driver_irqs(&d), 0);
}
END_TEST

START_TEST(reset_forgets_what_the_driver_said)
{
	driver_write(&d, CONFIG(actual), 99);
	driver_write(&d, CONFIG(poison_val), 0xaaaaaaaa);
	ck_assert_uint_eq(driver_read(&d, CONFIG(actual)), 99);
	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	ck_assert_uint_eq(driver_read(&d, CONFIG(actual)), 0);
	ck_assert_uint_eq(driver_read(&d, CONFIG(poison_val)), 0);
	ck_assert_uint_eq(driver_read(&d, CONFIG(num_pages)), 5 * MIB / 4096);
}
END_TEST

START_TEST(memory_of_several_processes_loses_the_pages_for_all)
{
	uint8_t *other = mmap(NULL, RAM, PROT_READ, MAP_SHARED, d.mem.region[0].fd, 0);
	uint32_t page = (FREE + 6 * MIB) / 4096;

	ck_assert_ptr_ne(other, MAP_FAILED);
	ck_assert_uint_eq(other[FREE], 0x5a);
	ck_assert(balloon_report(&(struct driver_buf){FREE, 2 * MIB, true}, 1));
	ck_assert(balloon_list(INFLATE, &page, 1));
	ck_assert_uint_eq(d.dev->io.written_bytes, 2 * MIB + 4096);
	ck_assert_uint_eq(other[FREE], 0);
	ck_assert_uint_eq(other[FREE + 2 * MIB], 0x5a);
	ck_assert_uint_eq(other[FREE + 6 * MIB], 0);
	munmap(other, RAM);
}
END_TEST

UNIT_MAIN("balloon", setup, teardown, t)
{
	TCase *shared = unit_case(suite, "shared", setup_shared, teardown);

	tcase_add_test(t, target_and_features_are_offered);
	tcase_add_test(t, what_is_switched_off_is_not_offered);
	tcase_add_test(t, a_guest_in_huge_pages_is_not_asked_for_reports);
	tcase_add_test(t, another_size_is_told_and_what_the_driver_gives_is_seen);
	tcase_add_test(t, inflated_pages_go_to_the_host_and_no_others);
	tcase_add_test(t, deflated_pages_can_be_used_again);
	tcase_add_test(t, reported_ranges_go_to_the_host);
	tcase_add_test(t, free_pages_with_a_pattern_stay);
	tcase_add_test(t, pattern_counts_only_if_negotiated);
	tcase_add_test(t, many_chains_at_once_all_come_back);
	tcase_add_test(t, idle_device_has_nothing_to_do);
	tcase_add_test(t, reset_forgets_what_the_driver_said);
	tcase_add_test(shared, memory_of_several_processes_loses_the_pages_for_all);
}
