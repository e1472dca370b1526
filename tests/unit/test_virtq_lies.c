/* SPDX-License-Identifier: Apache-2.0 */
/* test_virtq_lies - a split virtqueue against a driver that lies: each lie is refused, for
 * the right reason, and nothing of it stays in flight.
 */
#include <check.h>
#include <errno.h>
#include <linux/virtio_ring.h>
#include <pthread.h>
#include <stdatomic.h>

#include "tests/lib/unit.h"
#include "tests/unit/virtq_fixture.h"

/* The next chain must be refused for a reason that has @word in it, leaving nothing */
static void refused(const char *word)
{
	uint16_t inflight = q.inflight;

	ck_assert_int_eq(virtq_pop(&q, &c), -EPROTO);
	ck_assert_msg(strstr(q.why, word), "refused, but because: %s", q.why);
	ck_assert_uint_eq(q.inflight, inflight);
}

START_TEST(table_and_direct_buffers_share_one_bound)
{
	driver_desc(&r, 0, DATA, 5, NEXT, 1);
	driver_desc(&r, 1, TABLE, 16 * SIZE, INDIRECT, 0);
	for (unsigned int i = 0; i < SIZE; i++)
		driver_desc_at(&mem, TABLE, i, DATA, 1, i + 1 < SIZE ? NEXT : 0,
			       (uint16_t)(i + 1));
	driver_offer(&r, 0);
	refused("longer than the queue");
}
END_TEST

START_TEST(loop_in_a_chain)
{
	link_up(3);
	driver_desc(&r, 2, DATA, 1, NEXT, 0);
	driver_offer(&r, 0);
	refused("loop");
}
END_TEST

START_TEST(descriptor_that_follows_itself)
{
	driver_desc(&r, 5, DATA, 1, NEXT, 5);
	driver_offer(&r, 5);
	refused("loop");
}
END_TEST

START_TEST(loop_in_a_table)
{
	driver_desc(&r, 0, TABLE, 32, INDIRECT, 0);
	driver_desc_at(&mem, TABLE, 0, DATA, 1, NEXT, 1);
	driver_desc_at(&mem, TABLE, 1, DATA, 1, NEXT, 0);
	driver_offer(&r, 0);
	refused("loop");
}
END_TEST

START_TEST(next_out_of_range)
{
	driver_desc(&r, 0, DATA, 1, NEXT, SIZE);
	driver_offer(&r, 0);
	refused("next descriptor");
}
END_TEST

START_TEST(next_out_of_the_table_but_in_the_queue)
{
	driver_desc(&r, 0, TABLE, 32, INDIRECT, 0);
	driver_desc_at(&mem, TABLE, 0, DATA, 1, NEXT, 2);
	driver_desc_at(&mem, TABLE, 2, DATA, 1, 0, 0);
	driver_offer(&r, 0);
	refused("next descriptor");
}
END_TEST

START_TEST(head_out_of_range)
{
	driver_offer(&r, SIZE);
	refused("head outside");
}
END_TEST

START_TEST(buffer_of_no_bytes)
{
	driver_desc(&r, 0, DATA, 0, 0, 0);
	driver_offer(&r, 0);
	refused("no bytes");
}
END_TEST

START_TEST(readable_after_writable)
{
	driver_desc(&r, 0, DATA, 1, WRITE | NEXT, 1);
	driver_desc(&r, 1, DATA, 1, 0, 0);
	driver_offer(&r, 0);
	refused("readable buffer after");
}
END_TEST

/* Each end of each region, and addresses that wrap */
static const struct {
	uint64_t addr;
	uint32_t len;
} outside[] = {
	{RAM - 1, 2},
	{RAM, 1},
	{0, RAM + 1},
	{0xd0000000, 4},
	{DRIVER_HIGH - 1, 1},
	{DRIVER_HIGH - 1, 2},
	{DRIVER_HIGH + DRIVER_HIGH_LEN - 8, 9},
	{DRIVER_HIGH + DRIVER_HIGH_LEN, 1},
	{DRIVER_HIGH, UINT32_MAX},
	{0, UINT32_MAX},
	{UINT64_MAX, 1},
	{UINT64_MAX - 15, 32},
};

START_TEST(buffer_outside_of_memory)
{
	driver_desc(&r, 0, outside[_i].addr, outside[_i].len, WRITE, 0);
	driver_offer(&r, 0);
	refused("outside of memory");
}
END_TEST

START_TEST(table_outside_of_memory)
{
	uint32_t len = MIN(ALIGN_UP(outside[_i].len, 16U), 16U * SIZE);

	if (outside[_i].addr == 0 || outside[_i].addr == DRIVER_HIGH)
		return; /* those are about lengths that no table has */
	driver_desc(&r, 0, outside[_i].addr, len ? len : 16, INDIRECT, 0);
	driver_offer(&r, 0);
	refused("table outside of memory");
}
END_TEST

START_TEST(buffers_that_add_up_to_4_gib)
{
	struct err e;

	/* 4 GiB in eight buffers of the same 512 MiB, never touched */
	ck_assert_int_eq(gmem_add(&mem, 2 * DRIVER_HIGH, 512 * MIB, &e), 0);
	for (unsigned int i = 0; i < SIZE; i++)
		driver_desc(&r, i, 2 * DRIVER_HIGH, 512 * MIB, i + 1 < SIZE ? NEXT : 0,
			    (uint16_t)(i + 1));
	driver_offer(&r, 0);
	refused("4 GiB");
}
END_TEST

static const uint32_t bad_table_len[] = {
	0, 1, 15, 17, 16 * SIZE + 16, 16 * 65536, 16 * 65537, 0xfffffff0, UINT32_MAX};

START_TEST(table_of_an_impossible_length)
{
	driver_desc_at(&mem, TABLE, 0, DATA, 1, 0, 0);
	driver_desc(&r, 0, TABLE, bad_table_len[_i], INDIRECT, 0);
	driver_offer(&r, 0);
	refused("impossible length");
}
END_TEST

START_TEST(table_in_a_table)
{
	driver_desc(&r, 0, TABLE, 16, INDIRECT, 0);
	driver_desc_at(&mem, TABLE, 0, TABLE + 16, 16, INDIRECT, 0);
	driver_desc_at(&mem, TABLE, 1, DATA, 1, 0, 0);
	driver_offer(&r, 0);
	refused("in an indirect table");
}
END_TEST

START_TEST(table_in_the_middle_of_a_chain)
{
	driver_desc(&r, 0, TABLE, 16, INDIRECT | NEXT, 1);
	driver_desc(&r, 1, DATA, 1, 0, 0);
	driver_desc_at(&mem, TABLE, 0, DATA, 1, 0, 0);
	driver_offer(&r, 0);
	refused("middle of a chain");
}
END_TEST

START_TEST(table_without_the_feature)
{
	start(SIZE, 0);
	driver_desc(&r, 0, TABLE, 16, INDIRECT, 0);
	driver_desc_at(&mem, TABLE, 0, DATA, 1, 0, 0);
	driver_offer(&r, 0);
	refused("without the feature");
}
END_TEST

START_TEST(same_head_twice_in_flight)
{
	link_up(1);
	driver_offer(&r, 0);
	driver_offer(&r, 0);
	ck_assert_int_eq(virtq_pop(&q, &c), 1);
	refused("in flight");
	virtq_push(&q, 0, 0);
	ck_assert_int_eq(virtq_pop(&q, &c), 1);
}
END_TEST

START_TEST(index_too_far_ahead)
{
	link_up(1);
	driver_avail_idx(&r, SIZE + 1);
	refused("further ahead");
	driver_avail_idx(&r, 0x8000);
	refused("further ahead");
	driver_avail_idx(&r, UINT16_MAX); /* that is: it went backwards */
	refused("further ahead");
}
END_TEST

/* Registers that virtq_map() must refuse, as changes to good ones */
START_TEST(bad_registers_are_not_mapped)
{
	static const uint16_t bad_size[] = {0, 3, 12, 511, 512, 0x8000, 0xffff};
	struct virtq good = q, *p = &q;

	virtq_unmap(p);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad_size); i++) {
		*p = good;
		p->size = bad_size[i];
		ck_assert_int_eq(virtq_map(p, &mem, 0), -EINVAL);
	}
#define BAD(field, val)                                           \
	do {                                                      \
		*p = good;                                        \
		virtq_unmap(p);                                   \
		p->field = (val);                                 \
		ck_assert_int_eq(virtq_map(p, &mem, 0), -EINVAL); \
		ck_assert_ptr_null(p->desc_p);                    \
	} while (0)
	BAD(desc, RING + 8);
	BAD(avail, RING + 1);
	BAD(used, RING + 2);
	BAD(desc, RAM - 16 * SIZE + 16);
	BAD(avail, RAM - (6 + 2 * SIZE) + 2); /* all of it but used_event's end */
	BAD(used, RAM - (6 + 8 * SIZE) + 2);
	BAD(desc, RAM);
	BAD(avail, DRIVER_HIGH - 2);
	BAD(used, UINT64_MAX - 3);
	BAD(desc, UINT64_MAX - 15);
#undef BAD
	*p = good;
}
END_TEST

static atomic_bool stop;

/* Flips descriptor 0 between a good buffer and one that reaches out of memory */
static void *flipper(void *arg)
{
	struct vring_desc *d = arg;

	while (!atomic_load(&stop)) {
		__atomic_store_n(&d->len, UINT32_MAX, __ATOMIC_RELAXED);
		__atomic_store_n(&d->len, 16, __ATOMIC_RELAXED);
	}
	return NULL;
}

#define ENOUGH UINT64_C(1000000000)
#define LONG   UINT64_C(30000000000)

START_TEST(descriptor_rewritten_while_it_is_read)
{
	uint64_t start = monotonic_ns(), ns = 0;
	unsigned int good = 0, bad = 0, turns = 0;
	pthread_t t;
	int last = 0;

	link_up(1);
	ck_assert_int_eq(pthread_create(&t, NULL, flipper, gmem_slice(&mem, r.desc, 16)),
			 0);
	driver_offer(&r, 0);
	/* until both threads have really run at once, if this machine lets them */
	for (; turns < 1000 && ns < LONG; ns = monotonic_ns() - start) {
		int rc = virtq_pop(&q, &c);

		if (ns > ENOUGH && good && bad)
			break;

		turns += rc != last;
		last = rc;
		if (rc < 0) {
			bad++;
			continue;
		}
		good++;
		ck_assert(c.from_driver.len == 16 || c.from_driver.len == 1);
		ck_assert_uint_eq(c.iov[0].iov_len, c.from_driver.len);
		virtq_unpop(&q, &c);
	}
	atomic_store(&stop, true);
	pthread_join(t, NULL);
	ck_assert_uint_gt(good, 0);
	ck_assert_uint_gt(bad, 0);
}
END_TEST

UNIT_MAIN("virtq_lies", setup, teardown, t)
{
	tcase_add_test(t, table_and_direct_buffers_share_one_bound);
	tcase_add_test(t, loop_in_a_chain);
	tcase_add_test(t, descriptor_that_follows_itself);
	tcase_add_test(t, loop_in_a_table);
	tcase_add_test(t, next_out_of_range);
	tcase_add_test(t, next_out_of_the_table_but_in_the_queue);
	tcase_add_test(t, head_out_of_range);
	tcase_add_test(t, buffer_of_no_bytes);
	tcase_add_test(t, readable_after_writable);
	tcase_add_loop_test(t, buffer_outside_of_memory, 0, ARRAY_SIZE(outside));
	tcase_add_loop_test(t, table_outside_of_memory, 0, ARRAY_SIZE(outside));
	tcase_add_test(t, buffers_that_add_up_to_4_gib);
	tcase_add_loop_test(t, table_of_an_impossible_length, 0,
			    ARRAY_SIZE(bad_table_len));
	tcase_add_test(t, table_in_a_table);
	tcase_add_test(t, table_in_the_middle_of_a_chain);
	tcase_add_test(t, table_without_the_feature);
	tcase_add_test(t, same_head_twice_in_flight);
	tcase_add_test(t, index_too_far_ahead);
	tcase_add_test(t, bad_registers_are_not_mapped);
	tcase_add_test(t, descriptor_rewritten_while_it_is_read);
}
