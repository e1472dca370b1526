/* SPDX-License-Identifier: Apache-2.0 */
/* test_mmio - the virtio-mmio registers and status machine, in and out of order. */
#include <check.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include "tests/lib/unit.h"
#include "tests/unit/mmio_fixture.h"

#define ACK         VIRTIO_CONFIG_S_ACKNOWLEDGE
#define DRIVER      VIRTIO_CONFIG_S_DRIVER
#define FEATURES_OK VIRTIO_CONFIG_S_FEATURES_OK
#define DRIVER_OK   VIRTIO_CONFIG_S_DRIVER_OK
#define NEEDS_RESET VIRTIO_CONFIG_S_NEEDS_RESET
#define FAILED      VIRTIO_CONFIG_S_FAILED
#define SET_UP      (ACK | DRIVER | FEATURES_OK)
#define LIVE        (SET_UP | DRIVER_OK)
#define VERSION_1   (1ULL << VIRTIO_F_VERSION_1)
#define NO_SHMEM    UINT32_MAX

/* Every state that a driver can bring the device to */
static const uint32_t states[] = {0,
				  ACK,
				  ACK | DRIVER,
				  SET_UP,
				  LIVE,
				  LIVE | FAILED,
				  ACK | FAILED,
				  FAILED,
				  LIVE | NEEDS_RESET,
				  SET_UP | FAILED};

static void go_to(uint32_t state)
{
	static const uint32_t bits[] = {ACK, DRIVER, FEATURES_OK, DRIVER_OK};
	uint32_t s = 0;

	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(bits) && (state & bits[i]); i++) {
		if (bits[i] == FEATURES_OK) {
			driver_write(&d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
			driver_write(&d, VIRTIO_MMIO_DRIVER_FEATURES, VERSION_1 >> 32);
		}
		if (bits[i] == DRIVER_OK)
			driver_queue(&d, 0, FAKE_QUEUE_SIZE);
		s |= bits[i];
		driver_write(&d, VIRTIO_MMIO_STATUS, s);
	}
	if (state & FAILED)
		driver_write(&d, VIRTIO_MMIO_STATUS, s | FAILED);
	if (state & NEEDS_RESET)
		virtio_broken(&f->v, "the test says so");
	ck_assert_uint_eq(driver_status(&d), state);
}

static uint32_t page32(unsigned int off)
{
	uint32_t v;

	memcpy(&v, d.page + off, sizeof(v));
	return v;
}

START_TEST(registers_tell_who_we_are)
{
	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_VERSION), 2);
	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_DEVICE_ID), FAKE_ID);
	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_STATUS), 0);
	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_SHM_LEN_LOW), NO_SHMEM);
	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_SHM_LEN_HIGH), NO_SHMEM);
	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_QUEUE_NUM_MAX), FAKE_QUEUE_SIZE);
	ck_assert_uint_eq(driver_offered(&d),
			  FAKE_FEATURES | VERSION_1 | 1ULL << VIRTIO_RING_F_EVENT_IDX |
				  1ULL << VIRTIO_RING_F_INDIRECT_DESC);
}
END_TEST

START_TEST(every_value_written_to_status_in_every_state)
{
	uint32_t from = states[_i];

	for (uint32_t val = 1; val < 0x200; val++) {
		uint32_t to = from;

		go_to(from);
		if ((val & FAILED) && !(from & FAILED))
			to = from | FAILED;
		else if ((from == 0 && val == ACK) ||
			 (from == ACK && val == (ACK | DRIVER)))
			to = val;
		else if (from == SET_UP && val == LIVE)
			to = val;
		/* ACK | DRIVER -> SET_UP needs features: they were not written */
		driver_write(&d, VIRTIO_MMIO_STATUS, val);
		ck_assert_msg(driver_status(&d) == to, "%#x + %#x = %#x, not %#x", from,
			      val, driver_status(&d), to);
		ck_assert_uint_eq(page32(VIRTIO_MMIO_STATUS), to);
		ck_assert_int_eq(f->v.active, to == LIVE);
		d.heap = DRIVER_HEAP;
	}
	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	ck_assert_uint_eq(driver_status(&d), 0);
	ck_assert_uint_eq(f->activated, f->resets);
}
END_TEST

START_TEST(features_that_were_not_offered_are_refused)
{
	go_to(ACK | DRIVER);
	driver_write(&d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	driver_write(&d, VIRTIO_MMIO_DRIVER_FEATURES, VERSION_1 >> 32 | 1 << 30);
	driver_write(&d, VIRTIO_MMIO_STATUS, SET_UP);
	ck_assert_uint_eq(driver_status(&d), ACK | DRIVER);
	ck_assert_uint_eq(f->v.acked, 0);
	driver_write(&d, VIRTIO_MMIO_DRIVER_FEATURES, VERSION_1 >> 32);
	driver_write(&d, VIRTIO_MMIO_STATUS, SET_UP);
	ck_assert_uint_eq(driver_status(&d), SET_UP);
	ck_assert_uint_eq(f->v.acked, VERSION_1);
}
END_TEST

START_TEST(driver_without_version_1_is_refused)
{
	ck_assert_uint_eq(driver_negotiate(&d, ~VERSION_1), 0);
	ck_assert_uint_eq(driver_status(&d), ACK | DRIVER);
}
END_TEST

START_TEST(features_are_final_after_features_ok)
{
	go_to(SET_UP);
	driver_write(&d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	driver_write(&d, VIRTIO_MMIO_DRIVER_FEATURES, 1);
	driver_write(&d, VIRTIO_MMIO_STATUS, SET_UP);
	ck_assert_uint_eq(f->v.acked, VERSION_1);
}
END_TEST

START_TEST(reset_forgets_what_was_negotiated)
{
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert_uint_ne(f->v.acked, VERSION_1);
	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	ck_assert_uint_eq(f->v.acked, 0);
	driver_write(&d, VIRTIO_MMIO_STATUS, ACK);
	driver_write(&d, VIRTIO_MMIO_STATUS, ACK | DRIVER);
	driver_write(&d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	driver_write(&d, VIRTIO_MMIO_DRIVER_FEATURES, VERSION_1 >> 32);
	driver_write(&d, VIRTIO_MMIO_STATUS, SET_UP);
	ck_assert_uint_eq(f->v.acked,
			  VERSION_1); /* nothing of what the last driver wrote */
}
END_TEST

static const uint32_t wild[] = {2,          3,          4,          31,
				32,         255,        256,        0x7fffffff,
				0x80000000, 0x80000001, 0xfffffffe, 0xffffffff,
				0x10000,    8,          FAKE_QUEUES};

START_TEST(feature_selectors_beyond_the_last_select_nothing)
{
	go_to(ACK | DRIVER);
	for (unsigned int i = 0; i < ARRAY_SIZE(wild); i++) {
		driver_write(&d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, wild[i]);
		ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_DEVICE_FEATURES), 0);
		driver_write(&d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, wild[i]);
		driver_write(&d, VIRTIO_MMIO_DRIVER_FEATURES, UINT32_MAX);
	}
	driver_write(&d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	driver_write(&d, VIRTIO_MMIO_DRIVER_FEATURES, VERSION_1 >> 32);
	driver_write(&d, VIRTIO_MMIO_STATUS, SET_UP);
	ck_assert_uint_eq(f->v.acked, VERSION_1);
}
END_TEST

START_TEST(queue_selectors_beyond_the_last_select_nothing)
{
	go_to(SET_UP);
	for (unsigned int i = 0; i < ARRAY_SIZE(wild); i++) {
		if (wild[i] < FAKE_QUEUES)
			continue;
		driver_write(&d, VIRTIO_MMIO_QUEUE_SEL, wild[i]);
		ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
		driver_write(&d, VIRTIO_MMIO_QUEUE_NUM, 4);
		driver_write(&d, VIRTIO_MMIO_QUEUE_READY, 1);
		ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_QUEUE_READY), 0);
	}
	for (unsigned int i = 0; i < FAKE_QUEUES; i++)
		ck_assert(!f->vq[i].ready && !f->vq[i].size);
	driver_write(&d, VIRTIO_MMIO_QUEUE_SEL, 2);
	ck_assert_uint_eq(page32(VIRTIO_MMIO_QUEUE_NUM_MAX), FAKE_QUEUE_SIZE);
}
END_TEST

/* Which registers say where a queue is, and what go_to(LIVE) left in queue 1: zeroes */
static const unsigned int queue_registers[] = {
	VIRTIO_MMIO_QUEUE_NUM,        VIRTIO_MMIO_QUEUE_DESC_LOW,
	VIRTIO_MMIO_QUEUE_DESC_HIGH,  VIRTIO_MMIO_QUEUE_AVAIL_LOW,
	VIRTIO_MMIO_QUEUE_AVAIL_HIGH, VIRTIO_MMIO_QUEUE_USED_LOW,
	VIRTIO_MMIO_QUEUE_USED_HIGH,  VIRTIO_MMIO_QUEUE_READY};

START_TEST(queue_registers_out_of_turn_are_dropped)
{
	uint32_t state = states[_i];
	struct virtq before[FAKE_QUEUES];

	go_to(state);
	for (uint32_t qi = 0; qi < FAKE_QUEUES; qi++) {
		memcpy(before, f->vq, sizeof(before));
		driver_write(&d, VIRTIO_MMIO_QUEUE_SEL, qi);
		for (unsigned int i = 0; i < ARRAY_SIZE(queue_registers); i++)
			driver_write(&d, queue_registers[i], 8 + (i == 7));
		if (state == SET_UP) {
			ck_assert_uint_eq(f->vq[qi].size, 8);
			ck_assert_uint_eq(f->vq[qi].used, 0x800000008);
			ck_assert(f->vq[qi].ready);
		} else {
			ck_assert_mem_eq(before, f->vq, sizeof(before));
		}
		ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_QUEUE_READY),
				  f->vq[qi].ready);
	}
}
END_TEST

START_TEST(ready_queue_keeps_its_registers)
{
	go_to(SET_UP);
	driver_queue(&d, 0, 8);
	for (unsigned int i = 0; i < ARRAY_SIZE(queue_registers) - 1; i++)
		driver_write(&d, queue_registers[i], 4);
	ck_assert_uint_eq(f->vq[0].size, 8);
	ck_assert_uint_eq(f->vq[0].desc, d.ring[0].desc);
	driver_write(&d, VIRTIO_MMIO_QUEUE_READY, 0);
	ck_assert_uint_eq(page32(VIRTIO_MMIO_QUEUE_READY), 0);
	driver_write(&d, VIRTIO_MMIO_QUEUE_NUM, 4);
	ck_assert_uint_eq(f->vq[0].size, 4);
}
END_TEST

START_TEST(impossible_ring_costs_the_device)
{
	static const struct {
		unsigned int reg;
		uint32_t val;
	} bad[] = {{VIRTIO_MMIO_QUEUE_NUM, 0},
		   {VIRTIO_MMIO_QUEUE_NUM, 2 * FAKE_QUEUE_SIZE},
		   {VIRTIO_MMIO_QUEUE_NUM, 0x10000 + FAKE_QUEUE_SIZE},
		   {VIRTIO_MMIO_QUEUE_NUM, 5},
		   {VIRTIO_MMIO_QUEUE_DESC_LOW, MIB},
		   {VIRTIO_MMIO_QUEUE_AVAIL_HIGH, UINT32_MAX},
		   {VIRTIO_MMIO_QUEUE_USED_LOW, 0x2002}};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		go_to(SET_UP);
		driver_queue(&d, 0, FAKE_QUEUE_SIZE);
		driver_write(&d, VIRTIO_MMIO_QUEUE_READY, 0);
		driver_write(&d, bad[i].reg, bad[i].val);
		driver_write(&d, VIRTIO_MMIO_QUEUE_READY, 1);
		driver_write(&d, VIRTIO_MMIO_STATUS, LIVE);
		ck_assert(driver_broken(&d));
		ck_assert_uint_eq(driver_irqs(&d), 1);
		ck_assert_uint_eq(f->activated, 0);
	}
	go_to(LIVE);
}
END_TEST

START_TEST(any_width_at_any_offset_in_any_state)
{
	static const uint64_t vals[] = {0x0101010101010101, UINT64_MAX,
					0x8000000080000000};

	for (unsigned int v = 0; v < ARRAY_SIZE(vals); v++) {
		for (unsigned int off = 0; off < VIRTIO_MMIO_WINDOW; off++) {
			go_to(states[_i]);
			for (unsigned int size = 1; size <= 8; size *= 2) {
				if (off + size > VIRTIO_MMIO_WINDOW)
					continue;
				driver_write_n(&d, off, size, vals[v]);
				driver_read_n(&d, off, size);
			}
			driver_pump(&d);
			d.heap = DRIVER_HEAP;
		}
	}
	go_to(LIVE);
	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_DEVICE_ID), FAKE_ID);
}
END_TEST

START_TEST(registers_take_whole_aligned_words_only)
{
	driver_write_n(&d, VIRTIO_MMIO_STATUS, 1, ACK);
	driver_write_n(&d, VIRTIO_MMIO_STATUS, 2, ACK);
	driver_write_n(&d, VIRTIO_MMIO_STATUS, 8, ACK);
	driver_write_n(&d, VIRTIO_MMIO_STATUS - 1, 4, ACK << 8);
	ck_assert_uint_eq(driver_status(&d), 0);
}
END_TEST

START_TEST(config_is_read_by_any_width)
{
	ck_assert_uint_eq(driver_read_n(&d, VIRTIO_MMIO_CONFIG + 1, 1), 0x11);
	ck_assert_uint_eq(driver_read_n(&d, VIRTIO_MMIO_CONFIG + 2, 2), 0x1312);
	ck_assert_uint_eq(driver_read_n(&d, VIRTIO_MMIO_CONFIG + 3, 4), 0x16151413);
	ck_assert_uint_eq(driver_read_n(&d, VIRTIO_MMIO_CONFIG, 8), 0x1716151413121110);
	/* what lies after the image */
	ck_assert_uint_eq(driver_read_n(&d, VIRTIO_MMIO_CONFIG + 12, 8), 0x1c);
	ck_assert_uint_eq(driver_read_n(&d, VIRTIO_MMIO_WINDOW - 8, 8), 0);
}
END_TEST

START_TEST(config_is_written_where_it_may_be)
{
	driver_write_n(&d, VIRTIO_MMIO_CONFIG + 4, 2, 0xbeef);
	ck_assert_uint_eq(f->written, 1);
	ck_assert_uint_eq(f->written_off, 4);
	ck_assert_uint_eq(f->written_len, 2);
	ck_assert_uint_eq(driver_read_n(&d, VIRTIO_MMIO_CONFIG + 4, 4), 0x1716beef);
	for (unsigned int off = 0; off <= VIRTIO_MMIO_WINDOW - VIRTIO_MMIO_CONFIG - 8;
	     off++)
		for (unsigned int size = 1; size <= 8; size *= 2)
			if (off + size > FAKE_WRITABLE)
				driver_write_n(&d, VIRTIO_MMIO_CONFIG + off, size, 0);
	ck_assert_uint_eq(f->written, 1);
	ck_assert_uint_eq(driver_read_n(&d, VIRTIO_MMIO_CONFIG, 8), 0x1716beef13121110);
}
END_TEST

START_TEST(changed_config_is_shown_and_told)
{
	uint32_t generation = driver_read(&d, VIRTIO_MMIO_CONFIG_GENERATION);

	f->config[12] = 0xaa;
	virtio_config_changed(&f->v);
	ck_assert_uint_eq(driver_irqs(&d), 0); /* nobody is driving yet */
	ck_assert_uint_ne(driver_read(&d, VIRTIO_MMIO_CONFIG_GENERATION), generation);
	ck_assert_uint_eq(page32(VIRTIO_MMIO_CONFIG + 12), 0xaa);
	go_to(LIVE);
	virtio_config_changed(&f->v);
	ck_assert_uint_eq(driver_irqs(&d), 1);
	ck_assert_uint_eq(page32(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
	driver_write(&d, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_CONFIG);
	ck_assert_uint_eq(page32(VIRTIO_MMIO_INTERRUPT_STATUS), 0);
}
END_TEST

UNIT_MAIN("mmio", setup, teardown, t)
{
	tcase_add_test(t, registers_tell_who_we_are);
	tcase_add_loop_test(t, every_value_written_to_status_in_every_state, 0,
			    ARRAY_SIZE(states));
	tcase_add_test(t, features_that_were_not_offered_are_refused);
	tcase_add_test(t, driver_without_version_1_is_refused);
	tcase_add_test(t, features_are_final_after_features_ok);
	tcase_add_test(t, reset_forgets_what_was_negotiated);
	tcase_add_test(t, feature_selectors_beyond_the_last_select_nothing);
	tcase_add_test(t, queue_selectors_beyond_the_last_select_nothing);
	tcase_add_loop_test(t, queue_registers_out_of_turn_are_dropped, 0,
			    ARRAY_SIZE(states));
	tcase_add_test(t, ready_queue_keeps_its_registers);
	tcase_add_test(t, impossible_ring_costs_the_device);
	tcase_add_loop_test(t, any_width_at_any_offset_in_any_state, 0,
			    ARRAY_SIZE(states));
	tcase_add_test(t, registers_take_whole_aligned_words_only);
	tcase_add_test(t, config_is_read_by_any_width);
	tcase_add_test(t, config_is_written_where_it_may_be);
	tcase_add_test(t, changed_config_is_shown_and_told);
}
