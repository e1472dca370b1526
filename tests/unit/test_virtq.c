/* SPDX-License-Identifier: Apache-2.0 */
/* test_virtq - a split virtqueue against an honest driver. */
#include <check.h>
#include <errno.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>

#include "tests/lib/unit.h"
#include "tests/unit/virtq_fixture.h"

START_TEST(chain_comes_out_as_it_went_in)
{
	const struct driver_buf b[] = {
		{DATA, 16, false}, {DATA + 100, 7, false}, {DRIVER_HIGH, 512, true}};
	uint32_t id, len;
	int head = driver_add(&r, b, 3);

	driver_publish(&r);
	ck_assert(virtq_pending(&q));
	ck_assert_int_eq(virtq_pop(&q, &c), 1);
	ck_assert_int_eq(c.head, head);
	ck_assert_uint_eq(c.from_driver.n, 2);
	ck_assert_uint_eq(c.from_driver.len, 23);
	ck_assert_uint_eq(c.to_driver.n, 1);
	ck_assert_uint_eq(c.to_driver.len, 512);
	ck_assert_ptr_eq(c.from_driver.v[1].iov_base, gmem_slice(&mem, DATA + 100, 1));
	ck_assert_ptr_eq(c.to_driver.v[0].iov_base, gmem_slice(&mem, DRIVER_HIGH, 1));
	ck_assert(!virtq_pending(&q));
	ck_assert_int_eq(virtq_pop(&q, &c), 0);

	virtq_push(&q, c.head, 99);
	ck_assert(!driver_used(&r, &id, &len));
	ck_assert(virtq_publish(&q));
	ck_assert(driver_used(&r, &id, &len));
	ck_assert_uint_eq(id, (unsigned int)head);
	ck_assert_uint_eq(len, 99);
	ck_assert_uint_eq(q.inflight, 0);
}
END_TEST

START_TEST(indirect_chain_may_use_the_whole_queue_size)
{
	struct driver_buf b[SIZE];

	for (unsigned int i = 0; i < SIZE; i++)
		b[i] = (struct driver_buf){DATA + i, 1, i >= 2};
	/* tables need no alignment */
	ck_assert_int_ge(driver_add_indirect(&r, TABLE + 1, b, SIZE), 0);
	driver_publish(&r);
	ck_assert_int_eq(virtq_pop(&q, &c), 1);
	ck_assert_uint_eq(c.from_driver.n, 2);
	ck_assert_uint_eq(c.to_driver.n, SIZE - 2);
}
END_TEST

START_TEST(table_may_follow_direct_buffers)
{
	driver_desc(&r, 0, DATA, 5, NEXT, 1);
	driver_desc(&r, 1, TABLE, 32, INDIRECT | WRITE,
		    0); /* WRITE is ignored: 2.7.5.3.2 */
	driver_desc_at(&mem, TABLE, 0, DATA, 6, NEXT, 1);
	driver_desc_at(&mem, TABLE, 1, DATA, 7, WRITE, 0);
	driver_offer(&r, 0);
	ck_assert_int_eq(virtq_pop(&q, &c), 1);
	ck_assert_uint_eq(c.from_driver.len, 11);
	ck_assert_uint_eq(c.to_driver.len, 7);
}
END_TEST

START_TEST(whole_queue_in_one_chain_is_fine)
{
	link_up(SIZE);
	driver_offer(&r, 0);
	ck_assert_int_eq(virtq_pop(&q, &c), 1);
	ck_assert_uint_eq(c.from_driver.n, SIZE);
}
END_TEST

START_TEST(largest_queue_full_of_chains_is_fine)
{
	start(VQ_SIZE_MAX, 0);
	for (unsigned int i = 0; i < VQ_SIZE_MAX; i++)
		driver_add(&r, &(struct driver_buf){DATA, 1, false}, 1);
	driver_publish(&r);
	for (unsigned int i = 0; i < VQ_SIZE_MAX; i++)
		ck_assert_int_eq(virtq_pop(&q, &c), 1);
	ck_assert_uint_eq(q.inflight, VQ_SIZE_MAX);
	ck_assert_int_eq(virtq_pop(&q, &c), 0);
}
END_TEST

START_TEST(buffers_that_add_up_to_one_byte_less)
{
	struct err e;

	ck_assert_int_eq(gmem_add(&mem, 2 * DRIVER_HIGH, 512 * MIB, &e), 0);
	for (unsigned int i = 0; i < SIZE; i++)
		driver_desc(&r, i, 2 * DRIVER_HIGH, 512 * MIB - (i == 3),
			    i + 1 < SIZE ? NEXT : 0, (uint16_t)(i + 1));
	driver_offer(&r, 0);
	ck_assert_int_eq(virtq_pop(&q, &c), 1);
	ck_assert_uint_eq(c.from_driver.len, UINT32_MAX);
}
END_TEST

START_TEST(unpopped_chain_comes_again)
{
	uint16_t head;

	driver_add(&r, &(struct driver_buf){DATA, 1, false}, 1);
	driver_add(&r, &(struct driver_buf){DATA, 2, false}, 1);
	driver_publish(&r);
	ck_assert_int_eq(virtq_pop(&q, &c), 1);
	head = c.head;
	virtq_unpop(&q, &c);
	ck_assert_uint_eq(q.inflight, 0);
	ck_assert(virtq_pending(&q));
	ck_assert_int_eq(virtq_pop(&q, &c), 1);
	ck_assert_uint_eq(c.head, head);
	ck_assert_uint_eq(c.from_driver.len, 1);
}
END_TEST

START_TEST(rings_that_end_where_memory_ends_are_fine)
{
	q.desc = RAM - 16 * SIZE;
	ck_assert_int_eq(virtq_map(&q, &mem, 0), 0);
	q.avail = DRIVER_HIGH + DRIVER_HIGH_LEN - (6 + 2 * SIZE);
	ck_assert_int_eq(virtq_map(&q, &mem, 0), 0);
}
END_TEST

START_TEST(queue_that_is_not_mapped_is_empty)
{
	driver_add(&r, &(struct driver_buf){DATA, 1, false}, 1);
	driver_publish(&r);
	virtq_unmap(&q);
	ck_assert(!virtq_pending(&q));
	ck_assert_int_eq(virtq_pop(&q, &c), 0);
	ck_assert(!virtq_publish(&q));
	virtq_no_kicks(&q);
}
END_TEST

/* One request through, with whatever suppression both sides set */
static bool one_round(bool *kick)
{
	uint32_t id, len;

	driver_add(&r, &(struct driver_buf){DATA, 1, false}, 1);
	*kick = driver_publish(&r);
	ck_assert_int_eq(virtq_pop(&q, &c), 1);
	virtq_push(&q, c.head, 0);
	if (virtq_publish(&q)) {
		ck_assert(driver_used(&r, &id, &len));
		return true;
	}
	ck_assert(driver_used(&r, &id, &len));
	return false;
}

START_TEST(kicks_and_interrupts_only_when_wanted)
{
	bool kick;

	start(SIZE, _i ? ALL : 0);
	for (unsigned int n = 1; n < 70000; n++) { /* past the wrap of all indices */
		bool want = n % 3 != 0, idle = n % 5 != 0;

		if (idle)
			ck_assert_int_eq(virtq_pop(&q, &c), 0); /* asks for kicks */
		else
			virtq_no_kicks(&q);
		driver_want_irqs(&r, want);
		ck_assert_int_eq(one_round(&kick), want);
		ck_assert_int_eq(kick, idle);
	}
}
END_TEST

/* virtio 1.2, 2.7.7.2: interrupt iff an element was written where used_event points */
START_TEST(used_event_means_what_the_standard_says)
{
	uint16_t at = 0;

	start(VQ_SIZE_MAX, ALL);
	srandom(1);
	for (unsigned int n = 0; n < 20000; n++) {
		uint16_t batch = (uint16_t)(random() % 9);
		uint16_t event = (uint16_t)(at + random() % 16 - 4);
		uint8_t *p = gmem_slice(&mem, r.avail + 4 + 2 * VQ_SIZE_MAX, 2);
		uint32_t id, len;
		bool want = false;

		shared_store16(p, event);
		for (uint16_t i = 0; i < batch; i++) {
			want |= (uint16_t)(at + i) == event;
			driver_add(&r, &(struct driver_buf){DATA, 1, false}, 1);
			driver_publish(&r);
			ck_assert_int_eq(virtq_pop(&q, &c), 1);
			virtq_push(&q, c.head, 0);
		}
		at = (uint16_t)(at + batch);
		ck_assert_int_eq(virtq_publish(&q), want);
		ck_assert(!virtq_publish(&q)); /* nothing new */
		while (driver_used(&r, &id, &len))
			;
	}
}
END_TEST

/* A side that looks by itself is not kicked, and is told at the end of what it has not seen */
START_TEST(polled_queue_asks_for_no_kicks)
{
	const struct driver_buf b = {DATA, 16, false};

	for (unsigned int idx = 0; idx < 2; idx++) {
		start(SIZE, idx ? ALL : 0);
		ck_assert_int_eq(virtq_pop(&q, &c), 0);
		virtq_poll_begin(&q);
		for (unsigned int i = 0; i < 3; i++) {
			ck_assert_int_ge(driver_add(&r, &b, 1), 0);
			ck_assert(!driver_publish(&r));
			ck_assert(virtq_pending(&q));
			ck_assert_int_eq(virtq_pop(&q, &c), 1);
			ck_assert_int_eq(virtq_pop(&q, &c), 0);
		}
		ck_assert(!virtq_poll_end(&q));
		ck_assert_int_ge(driver_add(&r, &b, 1), 0);
		ck_assert(driver_publish(&r));
		virtq_poll_begin(&q);
		ck_assert(virtq_poll_end(&q));
	}
}
END_TEST

START_TEST(state_goes_through_a_snapshot)
{
	uint8_t buf[256];
	struct state s;
	struct virtq copy;
	bool kick;

	one_round(&kick);
	one_round(&kick);
	state_saver(&s, buf, sizeof(buf));
	virtq_state(&q, &s);
	ck_assert_ptr_null(s.why);
	virtq_init(&copy, VQ_SIZE_MAX);
	state_loader(&s, buf, s.pos);
	virtq_state(&copy, &s);
	ck_assert_ptr_null(s.why);
	ck_assert_ptr_null(copy.desc_p);
	ck_assert_int_eq(virtq_map(&copy, &mem, ALL), 0);
	q = copy;
	one_round(&kick);
	ck_assert_uint_eq(driver_used_idx(&r), 3);
}
END_TEST

START_TEST(state_with_requests_in_flight_is_not_saved)
{
	uint8_t buf[256];
	struct state s;

	driver_add(&r, &(struct driver_buf){DATA, 1, false}, 1);
	driver_publish(&r);
	ck_assert_int_eq(virtq_pop(&q, &c), 1);
	state_saver(&s, buf, sizeof(buf));
	virtq_state(&q, &s);
	ck_assert_ptr_nonnull(s.why);
}
END_TEST

START_TEST(state_of_a_larger_queue_is_refused)
{
	uint8_t buf[256];
	struct state s;

	state_saver(&s, buf, sizeof(buf));
	virtq_state(&q, &s);
	virtq_init(&q, SIZE / 2);
	state_loader(&s, buf, s.pos);
	virtq_state(&q, &s);
	ck_assert_ptr_nonnull(s.why);
}
END_TEST

UNIT_MAIN("virtq", setup, teardown, t)
{
	tcase_add_test(t, chain_comes_out_as_it_went_in);
	tcase_add_test(t, indirect_chain_may_use_the_whole_queue_size);
	tcase_add_test(t, table_may_follow_direct_buffers);
	tcase_add_test(t, whole_queue_in_one_chain_is_fine);
	tcase_add_test(t, largest_queue_full_of_chains_is_fine);
	tcase_add_test(t, buffers_that_add_up_to_one_byte_less);
	tcase_add_test(t, unpopped_chain_comes_again);
	tcase_add_test(t, rings_that_end_where_memory_ends_are_fine);
	tcase_add_test(t, queue_that_is_not_mapped_is_empty);
	tcase_add_loop_test(t, kicks_and_interrupts_only_when_wanted, 0, 2);
	tcase_add_test(t, used_event_means_what_the_standard_says);
	tcase_add_test(t, polled_queue_asks_for_no_kicks);
	tcase_add_test(t, state_goes_through_a_snapshot);
	tcase_add_test(t, state_with_requests_in_flight_is_not_saved);
	tcase_add_test(t, state_of_a_larger_queue_is_refused);
}
