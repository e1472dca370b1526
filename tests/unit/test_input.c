/* SPDX-License-Identifier: Apache-2.0 */
/* test_input - the power button that is a virtio device, through its registers. */
#include <check.h>
#include <linux/input.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_input.h>
#include <linux/virtio_mmio.h>
#include <stddef.h>
#include <string.h>

#include "devices/virtio/devices.h"
#include "tests/lib/driver.h"
#include "tests/lib/unit.h"
#include "vmm/core/util.h"

#define CONFIG(field) (VIRTIO_MMIO_CONFIG + offsetof(struct virtio_input_config, field))
#define EVENT_LEN     sizeof(struct virtio_input_event)

enum { EVENTS, STATUS };

static struct driver d;
static gpa_t buffers[64];

static void plug(void)
{
	driver_plug(&d, input_create(&d.env, 0, &d.err));
}

static void setup(void)
{
	driver_init(&d, 16 * MIB);
	plug();
	ck_assert(driver_bring_up(&d, ~0ULL));
}

static void teardown(void)
{
	driver_fini(&d);
}

/* @n buffers more for events, the first of them event @first */
static void give(unsigned int first, unsigned int n)
{
	for (unsigned int i = first; i < first + n; i++) {
		buffers[i] = driver_alloc(&d, EVENT_LEN, 1);
		driver_send(&d, EVENTS, &(struct driver_buf){buffers[i], EVENT_LEN, true},
			    1);
	}
	driver_settle(&d);
}

static bool press(void)
{
	bool heard = input_press(d.v);

	driver_settle(&d);
	return heard;
}

/* Return: how many events came */
static unsigned int taken(void)
{
	uint32_t id, len;
	unsigned int n = 0;

	while (driver_used(&d.ring[EVENTS], &id, &len)) {
		ck_assert_uint_eq(len, EVENT_LEN);
		n++;
	}
	return n;
}

/* Are the buffers from @first on a whole press? */
static void is_press(unsigned int first)
{
	static const struct virtio_input_event want[] = {{EV_KEY, KEY_POWER, 1},
							 {EV_SYN, SYN_REPORT, 0},
							 {EV_KEY, KEY_POWER, 0},
							 {EV_SYN, SYN_REPORT, 0}};

	for (unsigned int i = 0; i < ARRAY_SIZE(want); i++)
		ck_assert_mem_eq(driver_ptr(&d, buffers[first + i], EVENT_LEN), &want[i],
				 EVENT_LEN);
}

static void choose(uint8_t select, uint8_t subsel)
{
	driver_write_n(&d, CONFIG(select), 1, select);
	driver_write_n(&d, CONFIG(subsel), 1, subsel);
}

static unsigned int answer_len(void)
{
	return (unsigned int)driver_read_n(&d, CONFIG(size), 1);
}

START_TEST(power_is_its_only_key)
{
	unsigned int bytes;

	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_INPUT);
	choose(VIRTIO_INPUT_CFG_EV_BITS, EV_KEY);
	bytes = answer_len();
	ck_assert_uint_gt(bytes, KEY_POWER / 8);
	for (unsigned int i = 0; i < bytes; i++)
		ck_assert_uint_eq(driver_read_n(&d, CONFIG(u) + i, 1),
				  i == KEY_POWER / 8 ? 1u << KEY_POWER % 8 : 0);
}
END_TEST

START_TEST(nothing_else_is_claimed)
{
	for (unsigned int select = 0; select < 256; select++)
		for (unsigned int subsel = 0; subsel < 32; subsel++) {
			choose((uint8_t)select, (uint8_t)subsel);
			if (select == VIRTIO_INPUT_CFG_ID_NAME ||
			    select == VIRTIO_INPUT_CFG_ID_DEVIDS ||
			    (select == VIRTIO_INPUT_CFG_EV_BITS && subsel == EV_KEY))
				continue;
			ck_assert_uint_eq(answer_len(), 0);
			ck_assert_uint_eq(driver_read(&d, CONFIG(u)), 0);
		}
}
END_TEST

START_TEST(it_says_its_name)
{
	char name[129] = "";

	driver_write_n(&d, CONFIG(select), 2, VIRTIO_INPUT_CFG_ID_NAME);
	for (unsigned int i = 0; i < answer_len(); i++)
		name[i] = (char)driver_read_n(&d, CONFIG(u) + i, 1);
	ck_assert_str_eq(name, "microvm power button");
}
END_TEST

START_TEST(answers_cannot_be_written)
{
	choose(VIRTIO_INPUT_CFG_EV_BITS, EV_KEY);
	driver_write_n(&d, CONFIG(size), 1, 255);
	driver_write(&d, CONFIG(u), 0xffffffff);
	driver_write(&d, CONFIG(select), 0xffffffff);
	ck_assert_uint_eq(answer_len(), KEY_POWER / 8 + 1);
	ck_assert_uint_eq(driver_read(&d, CONFIG(u)), 0);
	ck_assert_uint_eq(driver_read_n(&d, CONFIG(select), 1), VIRTIO_INPUT_CFG_EV_BITS);
}
END_TEST

START_TEST(press_is_down_and_up_and_interrupts)
{
	give(0, 8);
	ck_assert_uint_eq(taken(), 0);
	(void)driver_irqs(&d);
	ck_assert(press());
	ck_assert_uint_eq(taken(), 4);
	is_press(0);
	ck_assert_uint_eq(driver_irqs(&d), 1);
	ck_assert(press());
	ck_assert_uint_eq(taken(), 4);
	is_press(4);
}
END_TEST

START_TEST(press_that_finds_too_few_buffers_is_ended_later_and_is_one)
{
	give(0, 1);
	ck_assert(press());
	ck_assert(press());
	ck_assert_uint_eq(taken(), 1);
	give(1, 2);
	ck_assert(press());
	ck_assert_uint_eq(taken(), 2);
	give(3, 8);
	ck_assert_uint_eq(taken(), 1);
	is_press(0);
	ck_assert(press());
	ck_assert_uint_eq(taken(), 4);
	is_press(4);
}
END_TEST

/* More than a kick gives leave for, and than the ring has room for */
START_TEST(many_presses_arrive)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < 100; i++) {
		give(0, 4);
		ck_assert(press());
		n += taken();
		is_press(0);
	}
	ck_assert_uint_eq(n, 400);
}
END_TEST

START_TEST(without_a_driver_nobody_listens)
{
	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	ck_assert(!press());
	ck_assert(driver_negotiate(&d, ~0ULL));
	ck_assert(!press());
	ck_assert(driver_bring_up(&d, ~0ULL));
	give(0, 4);
	ck_assert_uint_eq(taken(), 0);
}
END_TEST

START_TEST(press_does_not_outlive_a_reset)
{
	give(0, 2);
	ck_assert(press());
	ck_assert(driver_bring_up(&d, ~0ULL));
	give(0, 4);
	ck_assert_uint_eq(taken(), 0);
	ck_assert(press());
	ck_assert_uint_eq(taken(), 4);
	is_press(0);
}
END_TEST

START_TEST(buffer_too_small_costs_the_device_and_a_reset_revives_it)
{
	gpa_t at = driver_alloc(&d, EVENT_LEN, 1);

	driver_send(&d, EVENTS, &(struct driver_buf){at, EVENT_LEN - 1, true}, 1);
	driver_settle(&d);
	ck_assert(!driver_broken(&d));
	ck_assert(press());
	ck_assert(driver_broken(&d));
	ck_assert(!press());
	ck_assert(driver_bring_up(&d, ~0ULL));
	give(0, 4);
	ck_assert(press());
	ck_assert_uint_eq(taken(), 4);
}
END_TEST

START_TEST(buffer_that_only_we_may_read_costs_the_device)
{
	gpa_t at = driver_alloc(&d, EVENT_LEN, 1);

	driver_send(&d, EVENTS, &(struct driver_buf){at, EVENT_LEN, false}, 1);
	driver_settle(&d);
	ck_assert(press());
	ck_assert(driver_broken(&d));
}
END_TEST

START_TEST(what_a_driver_says_of_lamps_comes_back)
{
	gpa_t at = driver_alloc(&d, EVENT_LEN, 1);
	uint32_t id, len;

	for (unsigned int i = 0; i < 100; i++) {
		driver_send(&d, STATUS, &(struct driver_buf){at, EVENT_LEN, false}, 1);
		ck_assert(driver_wait(&d, STATUS, &id, &len));
		ck_assert_uint_eq(len, 0);
	}
}
END_TEST

static void state(struct state *s)
{
	pthread_mutex_lock(&d.dev->lock);
	d.dev->ops->state(d.dev, s);
	pthread_mutex_unlock(&d.dev->lock);
	driver_settle(&d);
}

START_TEST(press_under_way_goes_on_from_a_snapshot)
{
	uint8_t buf[1024];
	struct state s;

	give(0, 2);
	choose(VIRTIO_INPUT_CFG_EV_BITS, EV_KEY);
	ck_assert(press());
	ck_assert_uint_eq(taken(), 2);
	ck_assert(driver_rest(&d));
	state_saver(&s, buf, sizeof(buf));
	state(&s);
	ck_assert_ptr_null(s.why);
	driver_unplug(&d);
	plug();
	state_loader(&s, buf, s.pos);
	state(&s);
	ck_assert_ptr_null(s.why);
	ck_assert_uint_eq(answer_len(), KEY_POWER / 8 + 1);
	give(2, 2);
	ck_assert_uint_eq(taken(), 2);
	is_press(0);
}
END_TEST

START_TEST(press_of_a_machine_at_rest_arrives_when_it_goes_on)
{
	give(0, 4);
	ck_assert(driver_rest(&d));
	ck_assert(press());
	ck_assert_uint_eq(taken(), 0);
	driver_wake(&d);
	driver_settle(&d);
	ck_assert_uint_eq(taken(), 4);
	is_press(0);
}
END_TEST

START_TEST(snapshot_that_owes_more_than_a_press_is_refused)
{
	uint8_t buf[1024];
	struct state s;

	state_saver(&s, buf, sizeof(buf));
	state(&s);
	buf[s.pos - 1] = 5;
	driver_unplug(&d);
	plug();
	state_loader(&s, buf, s.pos);
	state(&s);
	ck_assert_ptr_nonnull(s.why);
	ck_assert(!press());
}
END_TEST

/* Refused or, as of a broken device, loaded: a driver comes, and begins with a reset */
START_TEST(snapshot_without_a_driver_leaves_no_debt)
{
	uint8_t buf[1024];
	struct state s;

	driver_unplug(&d);
	plug();
	state_saver(&s, buf, sizeof(buf));
	state(&s);
	buf[s.pos - 1] = _i ? 2 : 255;
	state_loader(&s, buf, s.pos);
	state(&s);
	ck_assert_int_eq(!s.why, _i);
	ck_assert(driver_bring_up(&d, ~0ULL));
	give(0, 5);
	ck_assert_uint_eq(taken(), 0);
	ck_assert(press());
	ck_assert_uint_eq(taken(), 4);
	is_press(0);
}
END_TEST

UNIT_MAIN("input", setup, teardown, t)
{
	tcase_add_test(t, power_is_its_only_key);
	tcase_add_test(t, nothing_else_is_claimed);
	tcase_add_test(t, it_says_its_name);
	tcase_add_test(t, answers_cannot_be_written);
	tcase_add_test(t, press_is_down_and_up_and_interrupts);
	tcase_add_test(t, press_that_finds_too_few_buffers_is_ended_later_and_is_one);
	tcase_add_test(t, many_presses_arrive);
	tcase_add_test(t, without_a_driver_nobody_listens);
	tcase_add_test(t, press_does_not_outlive_a_reset);
	tcase_add_test(t, buffer_too_small_costs_the_device_and_a_reset_revives_it);
	tcase_add_test(t, buffer_that_only_we_may_read_costs_the_device);
	tcase_add_test(t, what_a_driver_says_of_lamps_comes_back);
	tcase_add_test(t, press_under_way_goes_on_from_a_snapshot);
	tcase_add_test(t, press_of_a_machine_at_rest_arrives_when_it_goes_on);
	tcase_add_test(t, snapshot_that_owes_more_than_a_press_is_refused);
	tcase_add_loop_test(t, snapshot_without_a_driver_leaves_no_debt, 0, 2);
}
