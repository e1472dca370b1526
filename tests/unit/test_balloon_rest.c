/* SPDX-License-Identifier: Apache-2.0 */
/* test_balloon_rest - a balloon comes to rest while a worker has its pages, and is saved and loaded. */
#include "tests/unit/balloon_fixture.h"

#include <string.h>
#include <unistd.h>

#include "devices/virtio/balloon.h"
#include "tests/lib/rest.h"
#include "tests/lib/unit.h"
#include "vmm/core/log.h"

#define LIST   64 /* pages in a chain */
#define CHAINS 16

static unsigned int answers;

static void told(struct balloon_asker *a)
{
	(void)a;
	answers++;
}

static struct balloon_asker asker = {.told = told};

static void setup(void)
{
	log_threshold = LOG_ERROR;
	answers = 0;
	driver_init(&d, RAM);
	balloon_plug((struct config_balloon){.size = MIB, .reporting = true});
	ck_assert(driver_bring_up(&d, ~0ULL));
	balloon_fill();
}

static void teardown(void)
{
	driver_fini(&d);
}

START_TEST(pages_under_way_are_waited_for)
{
	gpa_t at = driver_alloc(&d, CHAINS * LIST * sizeof(uint32_t), 4);
	uint32_t *pfn = driver_ptr(&d, at, CHAINS * LIST * sizeof(uint32_t)), id, len;
	unsigned int sent = 0, back = 0;

	for (unsigned int i = 0; i < CHAINS * LIST; i++)
		pfn[i] = htole32((uint32_t)(FREE / 4096 + i * 2 % (FREE_LEN / 4096)));
	for (unsigned int i = 0; i < 400; i++) {
		uint16_t used;

		for (unsigned int k = 0; k < 3 && sent - back < CHAINS; k++, sent++)
			driver_send(&d, INFLATE,
				    &(struct driver_buf){at + sent % CHAINS * LIST * 4,
							 LIST * 4, false},
				    1);
		driver_pump(&d);
		ck_assert(rest_reached(&d));
		used = driver_used_idx(&d.ring[INFLATE]);
		driver_pump(&d);
		ck_assert_uint_eq(driver_used_idx(&d.ring[INFLATE]), used);
		driver_wake(&d);
		driver_pump(&d);
		while (driver_used(&d.ring[INFLATE], &id, &len))
			back++;
	}
	ck_assert(driver_until(
		&d, ((void)(driver_used(&d.ring[INFLATE], &id, &len) && back++),
		     back == sent)));
	ck_assert_uint_ge(balloon_gone(FREE, FREE_LEN), CHAINS * LIST / 2);
}
END_TEST

static bool ask(void)
{
	bool yes;

	pthread_mutex_lock(&d.dev->lock);
	yes = balloon_ask(d.v, &asker);
	pthread_mutex_unlock(&d.dev->lock);
	return yes;
}

/* The same buffer, found after a rest or a load, is no answer */
START_TEST(old_figures_do_not_become_new)
{
	gpa_t at = driver_alloc(&d, 10, 2);
	static uint8_t image[4096];
	uint32_t id, used;
	const char *why;
	uint64_t when;
	size_t len;

	driver_send(&d, STATS, &(struct driver_buf){at, 10, false}, 1);
	driver_settle(&d);
	when = balloon_last_stats(d.v)->at_ns;
	ck_assert_uint_gt(when, 0);
	ck_assert(rest_reached(&d));
	ck_assert(!ask());
	len = rest_save(&d, image, sizeof(image), &why);
	ck_assert_msg(len, "%s", why);
	driver_wake(&d);
	driver_settle(&d);
	ck_assert_uint_eq(balloon_last_stats(d.v)->at_ns, when);
	driver_unplug(&d);
	balloon_plug((struct config_balloon){.size = MIB, .reporting = true});
	ck_assert_ptr_null(rest_load(&d, image, len));
	driver_settle(&d);
	ck_assert_uint_eq(balloon_last_stats(d.v)->at_ns, 0);
	ck_assert(ask());
	driver_settle(&d);
	ck_assert_uint_eq(answers, 0);
	ck_assert(driver_used(&d.ring[STATS], &id, &used));
	driver_send(&d, STATS, &(struct driver_buf){at, 10, false}, 1);
	driver_settle(&d);
	ck_assert_uint_eq(answers, 1);
}
END_TEST

START_TEST(loaded_balloon_is_as_large_as_it_was)
{
	static uint8_t image[4096];
	const char *why;
	size_t len;

	driver_write_n(&d, CONFIG(actual), 4, 17);
	ck_assert(rest_reached(&d));
	len = rest_save(&d, image, sizeof(image), &why);
	driver_unplug(&d);
	balloon_plug((struct config_balloon){.size = 2 * MIB, .reporting = true});
	ck_assert_ptr_null(rest_load(&d, image, len));
	ck_assert_uint_eq(driver_read(&d, CONFIG(num_pages)), MIB / 4096);
	ck_assert_uint_eq(driver_read(&d, CONFIG(actual)), 17);
	driver_unplug(&d);
	balloon_plug((struct config_balloon){.size = 2 * MIB}); /* without reporting */
	ck_assert_ptr_nonnull(strstr(rest_load(&d, image, len), "balloon0"));
	ck_assert_uint_eq(driver_read(&d, CONFIG(num_pages)), 2 * MIB / 4096);
	ck_assert_uint_eq(driver_status(&d), 0);
}
END_TEST

START_TEST(reset_or_lie_at_rest)
{
	static const uint32_t lie = 0xffffffff;
	gpa_t at = driver_alloc(&d, 4, 4);

	memcpy(driver_ptr(&d, at, 4), &lie, 4);
	driver_send(&d, INFLATE, &(struct driver_buf){at, 4, false}, 1);
	driver_pump(&d);
	ck_assert(rest_reached(&d));
	driver_wake(&d);
	driver_settle(&d);
	ck_assert(driver_broken(&d));
	ck_assert(rest_reached(&d));
	d.heap = DRIVER_HEAP;
	ck_assert(driver_bring_up(&d, ~0ULL));
	driver_wake(&d);
	ck_assert(balloon_list(INFLATE, (uint32_t[]){htole32(FREE / 4096)}, 1));
}
END_TEST

UNIT_MAIN("balloon_rest", setup, teardown, t)
{
	tcase_add_test(t, pages_under_way_are_waited_for);
	tcase_add_test(t, old_figures_do_not_become_new);
	tcase_add_test(t, loaded_balloon_is_as_large_as_it_was);
	tcase_add_test(t, reset_or_lie_at_rest);
}
