/* SPDX-License-Identifier: Apache-2.0 */
/* test_balloon_stats - a guest says how its memory is, when it is asked and not before. */
#include "tests/unit/balloon_fixture.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "devices/virtio/balloon.h"
#include "tests/lib/unit.h"

struct stat {
	uint16_t tag;
	uint64_t value;
};

static unsigned int told;

static void on_told(struct balloon_asker *a)
{
	(void)a;
	ck_assert_int_eq(pthread_mutex_trylock(&d.dev->lock), EBUSY);
	told++;
}

static struct balloon_asker asker = {.told = on_told};

static void setup(void)
{
	driver_init(&d, RAM);
	balloon_plug((struct config_balloon){.reporting = true});
	ck_assert(driver_bring_up(&d, ~0ULL));
	told = 0;
}

static void teardown(void)
{
	driver_fini(&d);
}

static bool ask(void)
{
	bool ok;

	pthread_mutex_lock(&d.dev->lock);
	ok = balloon_ask(d.v, &asker);
	pthread_mutex_unlock(&d.dev->lock);
	return ok;
}

static const struct balloon_stats *last(void)
{
	return balloon_last_stats(d.v);
}

/* Put @n figures and @extra bytes into a buffer, and it into the ring */
static void say(const struct stat *s, unsigned int n, unsigned int extra)
{
	uint32_t bytes = n * 10 + extra;
	gpa_t at = driver_alloc(&d, bytes, 1);
	uint8_t *p = driver_ptr(&d, at, bytes);

	memset(p + (size_t)n * 10, 0xff, extra);
	for (unsigned int i = 0; i < n; i++) {
		uint16_t tag = htole16(s[i].tag);
		uint64_t value = htole64(s[i].value);

		memcpy(p + (size_t)i * 10, &tag, 2);
		memcpy(p + (size_t)i * 10 + 2, &value, 8);
	}
	driver_send(&d, STATS, &(struct driver_buf){at, bytes, false}, 1);
	driver_pump(&d);
}

/* Does the driver have its buffer back? */
static bool asked(void)
{
	uint32_t id, len;
	bool yes = driver_used(&d.ring[STATS], &id, &len);

	ck_assert(!yes || len == 0);
	return yes;
}

static const struct stat all[] = {
	{VIRTIO_BALLOON_S_SWAP_IN, 11},      {VIRTIO_BALLOON_S_SWAP_OUT, 12},
	{VIRTIO_BALLOON_S_MAJFLT, 13},       {VIRTIO_BALLOON_S_MINFLT, 14},
	{VIRTIO_BALLOON_S_MEMFREE, 15},      {VIRTIO_BALLOON_S_MEMTOT, UINT64_MAX},
	{VIRTIO_BALLOON_S_AVAIL, 17},        {VIRTIO_BALLOON_S_CACHES, 18},
	{VIRTIO_BALLOON_S_HTLB_PGALLOC, 19}, {VIRTIO_BALLOON_S_HTLB_PGFAIL, 20},
};

START_TEST(figure_is_lost_or_another)
{
	ck_assert_uint_eq(last()->at_ns, 0);
	say(all, ARRAY_SIZE(all), 0);
	ck_assert_uint_gt(last()->at_ns, 0);
	ck_assert_uint_eq(last()->known, (1U << BALLOON_STATS) - 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(all); i++)
		ck_assert_uint_eq(last()->value[all[i].tag], all[i].value);
	ck_assert_str_eq(balloon_stats_name(VIRTIO_BALLOON_S_MEMFREE), "free_bytes");
	ck_assert_str_eq(balloon_stats_name(VIRTIO_BALLOON_S_HTLB_PGFAIL),
			 "hugetlb_failures");
}
END_TEST

START_TEST(buffer_comes_back_without_being_asked_for)
{
	say(all, 3, 0);
	driver_run(&d, 20);
	ck_assert(!asked());
	ck_assert_uint_eq(told, 0);
	ck_assert_uint_eq(driver_irqs(&d), 0);
}
END_TEST

/* As Linux does it: a buffer, and a kick, before DRIVER_OK */
START_TEST(buffer_from_before_the_device_ran)
{
	gpa_t at;

	for (unsigned int round = 1; round <= 3; round++) {
		d.heap = DRIVER_HEAP;
		ck_assert(driver_negotiate(&d, ~0ULL));
		for (unsigned int qi = 0; qi < d.v->nvq; qi++)
			driver_queue(&d, qi, 32);
		at = driver_alloc(&d, 10 * round, 1);
		memset(driver_ptr(&d, at, 10 * round), 0, 10 * round);
		*(uint8_t *)driver_ptr(&d, at, 1) = (uint8_t)round;
		driver_send(&d, STATS, &(struct driver_buf){at, 10 * round, false}, 1);
		driver_write(&d, VIRTIO_MMIO_STATUS, driver_status(&d) | 4);
		driver_pump(&d);
		ck_assert(last()->known & 1U << round);
		ck_assert(ask());
		ck_assert(asked());
		ck_assert_uint_eq(told, 0);
	}
}
END_TEST

START_TEST(question_or_answer_is_lost)
{
	say(all, 3, 0);
	for (unsigned int i = 1; i <= 100; i++) {
		driver_want_irqs(&d.ring[STATS], true);
		ck_assert(ask());
		ck_assert_uint_eq(driver_irqs(&d), 1);
		ck_assert(asked());
		ck_assert_uint_eq(told, i - 1);
		d.heap = DRIVER_HEAP + MIB;
		say(&(struct stat){VIRTIO_BALLOON_S_MEMFREE, i}, 1, 0);
		ck_assert_uint_eq(told, i);
		ck_assert_uint_eq(last()->value[VIRTIO_BALLOON_S_MEMFREE], i);
		ck_assert_uint_eq(last()->known, 1U << VIRTIO_BALLOON_S_MEMFREE);
	}
}
END_TEST

/* Before the driver's first buffer, or before it answered who asked last */
START_TEST(impatient_asker_is_told_once)
{
	ck_assert(ask());
	ck_assert(ask());
	ck_assert(!asked());
	say(all, 1, 0);
	ck_assert_uint_eq(told, 1);
	ck_assert(ask());
	ck_assert(ask());
	ck_assert(asked());
	ck_assert(!asked());
	say(all, 1, 0);
	ck_assert_uint_eq(told, 2);
}
END_TEST

/* The driver, on another processor, answers before we have looked for its answer. */
START_TEST(answer_that_comes_at_once)
{
	say(all, 1, 0);
	say(all, 2, 0); /* there already when the first is given back */
	ck_assert(ask());
	ck_assert_uint_eq(told, 1);
	ck_assert_uint_eq(last()->known, 3);
}
END_TEST

START_TEST(unknown_figures_and_halves_are_passed_over)
{
	struct stat s[] = {{10, 1}, {VIRTIO_BALLOON_S_AVAIL, 5}, {UINT16_MAX, 2}};

	say(s, 3, 9);
	ck_assert_uint_eq(last()->known, 1U << VIRTIO_BALLOON_S_AVAIL);
	ck_assert_uint_eq(last()->value[VIRTIO_BALLOON_S_AVAIL], 5);
	ck_assert(!driver_broken(&d));
}
END_TEST

START_TEST(too_short_for_a_figure)
{
	say(NULL, 0, 1 + (unsigned int)_i);
	ck_assert_uint_gt(last()->at_ns, 0);
	ck_assert_uint_eq(last()->known, 0);
	ck_assert(!driver_broken(&d));
	ck_assert(ask());
	ck_assert(asked());
}
END_TEST

START_TEST(megabytes_of_figures)
{
	driver_send(&d, STATS, &(struct driver_buf){FREE, FREE_LEN, false}, 1);
	driver_pump(&d);
	ck_assert_uint_eq(last()->known, 1); /* all zeroes: of tag 0 */
	ck_assert(!driver_broken(&d));
}
END_TEST

START_TEST(figures_for_us_to_write)
{
	driver_send(&d, STATS, &(struct driver_buf){FREE, 100, true}, 1);
	driver_pump(&d);
	ck_assert(driver_broken(&d));
	ck_assert(!ask());
	d.heap = DRIVER_HEAP;
	ck_assert(driver_bring_up(&d, ~0ULL));
	say(all, 1, 0);
	ck_assert(ask());
	ck_assert(asked());
}
END_TEST

START_TEST(figures_outside_of_memory)
{
	driver_send(&d, STATS, &(struct driver_buf){RAM - 5, 10, false}, 1);
	driver_pump(&d);
	ck_assert(driver_broken(&d));
	ck_assert_uint_eq(last()->at_ns, 0);
}
END_TEST

START_TEST(driver_without_statistics_has_reporting_third)
{
	d.heap = DRIVER_HEAP;
	ck_assert(driver_bring_up(&d, ~F(STATS_VQ)));
	ck_assert(!ask());
	memset(driver_ptr(&d, FREE, 4096), 1, 4096);
	driver_send(&d, 2, &(struct driver_buf){FREE, 4096, true}, 1);
	ck_assert(driver_wait(&d, 2, &(uint32_t){0}, &(uint32_t){0}));
	ck_assert_uint_eq(balloon_gone(FREE, 4096), 1);
	/* and the queue after it is nobody's */
	driver_send(&d, 3, &(struct driver_buf){FREE, 4096, true}, 1);
	driver_run(&d, 5);
	ck_assert(!driver_broken(&d));
	ck_assert_uint_eq(driver_used_idx(&d.ring[3]), 0);
}
END_TEST

START_TEST(reporting_that_is_off_is_no_queue)
{
	driver_unplug(&d);
	d.heap = DRIVER_HEAP;
	balloon_plug((struct config_balloon){.size = MIB});
	ck_assert(driver_bring_up(&d, ~F(STATS_VQ)));
	memset(driver_ptr(&d, FREE, 4096), 1, 4096);
	driver_send(&d, 2, &(struct driver_buf){FREE, 4096, true}, 1);
	driver_run(&d, 5);
	ck_assert_uint_eq(balloon_gone(FREE, 4096), 0);
}
END_TEST

/* Nobody is told what an earlier driver was asked; what it said is still known. */
START_TEST(reset_between_question_and_answer)
{
	say(all, 2, 0);
	ck_assert(ask());
	d.heap = DRIVER_HEAP;
	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	ck_assert(!ask());
	ck_assert_uint_eq(last()->known, 3);
	ck_assert(driver_bring_up(&d, ~0ULL));
	say(all, 4, 0);
	ck_assert_uint_eq(told, 0);
	ck_assert_uint_eq(last()->known, 15);
}
END_TEST

/* A buffer that waits to be asked for does not keep a machine from being saved. */
START_TEST(saved_and_loaded_while_the_driver_waits)
{
	static uint8_t buf[4096];
	struct state s;

	say(all, 2, 0);
	state_saver(&s, buf, sizeof(buf));
	pthread_mutex_lock(&d.dev->lock);
	d.dev->ops->state(d.dev, &s);
	ck_assert_ptr_null(s.why);
	state_loader(&s, buf, s.pos);
	d.dev->ops->state(d.dev, &s);
	pthread_mutex_unlock(&d.dev->lock);
	ck_assert_ptr_null(s.why);
	ck_assert(ask());
	ck_assert(asked());
	say(all, 3, 0);
	ck_assert_uint_eq(told, 1);
}
END_TEST

UNIT_MAIN("balloon_stats", setup, teardown, t)
{
	tcase_add_test(t, figure_is_lost_or_another);
	tcase_add_test(t, buffer_comes_back_without_being_asked_for);
	tcase_add_test(t, buffer_from_before_the_device_ran);
	tcase_add_test(t, question_or_answer_is_lost);
	tcase_add_test(t, impatient_asker_is_told_once);
	tcase_add_test(t, answer_that_comes_at_once);
	tcase_add_test(t, unknown_figures_and_halves_are_passed_over);
	tcase_add_loop_test(t, too_short_for_a_figure, 0, 9);
	tcase_add_test(t, megabytes_of_figures);
	tcase_add_test(t, figures_for_us_to_write);
	tcase_add_test(t, figures_outside_of_memory);
	tcase_add_test(t, driver_without_statistics_has_reporting_third);
	tcase_add_test(t, reporting_that_is_off_is_no_queue);
	tcase_add_test(t, reset_between_question_and_answer);
	tcase_add_test(t, saved_and_loaded_while_the_driver_waits);
}
