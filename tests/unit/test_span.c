/* SPDX-License-Identifier: Apache-2.0 */
/* test_span - cursors over scattered bytes, against a flat copy of the same bytes. */
#include <check.h>
#include <string.h>

#include "devices/virtio/virtq.h"
#include "tests/lib/unit.h"

/* "abc" "d" "efghij" */
static char bytes[] = "abcdefghij";
static struct iovec iov[3];
static struct span s;

static void setup(void)
{
	memcpy(bytes, "abcdefghij", 10);
	iov[0] = (struct iovec){bytes, 3};
	iov[1] = (struct iovec){bytes + 3, 1};
	iov[2] = (struct iovec){bytes + 4, 6};
	s = (struct span){iov, 3, 10};
}

START_TEST(pieces_come_in_order_across_buffers)
{
	char got[11] = "";

	ck_assert(span_get(&s, got, 2));
	ck_assert(span_get(&s, got + 2, 3));
	ck_assert_uint_eq(s.len, 5);
	ck_assert_uint_eq(s.n, 1);
	ck_assert(span_get(&s, got + 5, 5));
	ck_assert_str_eq(got, "abcdefghij");
	ck_assert_uint_eq(s.len, 0);
	ck_assert_uint_eq(s.n, 0);
}
END_TEST

START_TEST(more_than_there_is_takes_nothing)
{
	char got[12] = "";

	ck_assert(!span_get(&s, got, 11));
	ck_assert_str_eq(got, "");
	ck_assert(!span_put(&s, "0123456789A", 11));
	ck_assert(!span_skip(&s, 11));
	ck_assert(!span_skip(&s, SIZE_MAX));
	ck_assert_str_eq(bytes, "abcdefghij");
	ck_assert_uint_eq(s.len, 10);
	ck_assert_uint_eq(s.n, 3);
}
END_TEST

START_TEST(nothing_is_always_there)
{
	ck_assert(span_skip(&s, 10));
	ck_assert(span_get(&s, NULL, 0));
	ck_assert(span_put(&s, NULL, 0));
	ck_assert(span_skip(&s, 0));
	ck_assert(!span_skip(&s, 1));
}
END_TEST

START_TEST(written_bytes_land_in_order)
{
	ck_assert(span_put(&s, "01", 2));
	ck_assert(span_skip(&s, 1));
	ck_assert(span_put(&s, "3456", 4));
	ck_assert_str_eq(bytes, "01c3456hij");
	ck_assert_uint_eq(s.len, 3);
}
END_TEST

/* A driver's buffers need be neither adjacent nor in order */
START_TEST(nothing_is_written_between_the_buffers)
{
	char apart[16] = "..........";

	iov[0].iov_base = apart + 8;
	iov[1].iov_base = apart + 6;
	iov[2].iov_base = apart;
	iov[0].iov_len = 2;
	s.len = 9;
	ck_assert(span_put(&s, "0123456", 7));
	ck_assert_str_eq(apart, "3456..2.01");
}
END_TEST

START_TEST(skip_ends_inside_a_buffer)
{
	char c;

	ck_assert(span_skip(&s, 6));
	ck_assert(span_get(&s, &c, 1));
	ck_assert_int_eq(c, 'g');
}
END_TEST

START_TEST(tail_is_cut_off)
{
	uint8_t *tail = span_split_tail(&s, 2);

	ck_assert_ptr_eq(tail, bytes + 8);
	ck_assert_uint_eq(s.len, 8);
	ck_assert(!span_skip(&s, 9));
	ck_assert(span_skip(&s, 8));
}
END_TEST

START_TEST(tail_that_is_the_whole_last_buffer)
{
	ck_assert_ptr_eq(span_split_tail(&s, 6), bytes + 4);
	ck_assert_uint_eq(s.n, 2);
	ck_assert_uint_eq(s.len, 4);
	ck_assert_ptr_eq(span_split_tail(&s, 1), bytes + 3);
	ck_assert_uint_eq(s.n, 1);
}
END_TEST

START_TEST(tail_over_two_buffers_is_refused)
{
	ck_assert_ptr_null(span_split_tail(&s, 7));
	ck_assert_uint_eq(s.len, 10);
}
END_TEST

START_TEST(tail_of_nothing_is_refused)
{
	struct span empty = {iov, 0, 0};

	ck_assert_ptr_null(span_split_tail(&empty, 1));
	ck_assert_ptr_null(span_split_tail(&s, 0));
}
END_TEST

UNIT_MAIN("span", setup, NULL, t)
{
	tcase_add_test(t, pieces_come_in_order_across_buffers);
	tcase_add_test(t, more_than_there_is_takes_nothing);
	tcase_add_test(t, nothing_is_always_there);
	tcase_add_test(t, written_bytes_land_in_order);
	tcase_add_test(t, nothing_is_written_between_the_buffers);
	tcase_add_test(t, skip_ends_inside_a_buffer);
	tcase_add_test(t, tail_is_cut_off);
	tcase_add_test(t, tail_that_is_the_whole_last_buffer);
	tcase_add_test(t, tail_over_two_buffers_is_refused);
	tcase_add_test(t, tail_of_nothing_is_refused);
}
