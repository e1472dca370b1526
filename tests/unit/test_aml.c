/* SPDX-License-Identifier: Apache-2.0 */
/* test_aml - the encodings whose length depends on their value. */
#include "boot/aml.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/unit.h"
#include "vmm/core/util.h"

START_TEST(integers_take_the_shortest_form)
{
	static const struct {
		uint64_t v;
		size_t len;
	} row[] = {{0, 1},          {1, 1},         {2, 2},       {0xff, 2},
		   {0x100, 3},      {0xffff, 3},    {0x10000, 5}, {0xffffffff, 5},
		   {1ull << 32, 9}, {UINT64_MAX, 9}};
	uint8_t buf[16];
	struct aml a;

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		uint64_t v = 0;

		aml_init(&a, buf, sizeof(buf));
		aml_integer(&a, row[i].v);
		ck_assert_uint_eq(a.len, row[i].len);
		if (a.len > 1)
			memcpy(&v, buf + 1, a.len - 1);
		else
			v = buf[0];
		ck_assert_uint_eq(v, row[i].v);
	}
}
END_TEST

START_TEST(package_length_grows_at_its_limits)
{
	static const struct {
		size_t body, len; /* body is the element count and the elements */
	} row[] = {{62, 1},      {63, 2},      {4093, 2},      {4094, 3},
		   {1048572, 3}, {1048573, 4}, {268435451, 4}, {268435452, 0}};
	size_t cap = (256u << 20) + 64;
	uint8_t *buf = malloc(cap);
	struct aml a;

	ck_assert_ptr_nonnull(buf);
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		size_t mark;

		aml_init(&a, buf, cap);
		mark = aml_open_package(&a, 0);
		a.len += row[i].body - 1; /* whatever lies there */
		aml_close(&a, mark);
		ck_assert_int_eq(a.overflow, row[i].len == 0);
		if (a.overflow)
			continue;
		ck_assert_uint_eq(a.len, 1 + row[i].len + row[i].body);
		size_t len = buf[1] & (row[i].len == 1 ? 0x3f : 0xf);

		ck_assert_uint_eq(buf[1] >> 6, row[i].len - 1);
		for (size_t b = 1; b < row[i].len; b++)
			len |= (size_t)buf[1 + b] << (8 * b - 4);
		ck_assert_uint_eq(len, a.len - 1);
	}
	free(buf);
}
END_TEST

START_TEST(overflow_sticks_and_writes_nothing_more)
{
	uint8_t buf[8] = {0};
	struct aml a;
	size_t mark;

	aml_init(&a, buf, 6);
	mark = aml_open_scope(&a, "_SB");
	aml_string(&a, "x");
	ck_assert(a.overflow);
	aml_le(&a, 1, 1);
	aml_close(&a, mark);
	aml_set(&a, 100, 1, 8);
	ck_assert(a.overflow);
	ck_assert_uint_eq(a.len, 6);
	ck_assert_mem_eq(buf, "\x10_SB_\x0d\0\0", 8);
}
END_TEST

START_TEST(length_that_does_not_fit_overflows)
{
	uint8_t buf[6];
	struct aml a;
	size_t mark;

	aml_init(&a, buf, 5);
	mark = aml_open_scope(&a, "_SB");
	ck_assert(!a.overflow);
	aml_close(&a, mark);
	ck_assert(a.overflow);
}
END_TEST

UNIT_MAIN("aml", NULL, NULL, t)
{
	tcase_add_test(t, integers_take_the_shortest_form);
	tcase_add_test(t, package_length_grows_at_its_limits);
	tcase_add_test(t, overflow_sticks_and_writes_nothing_more);
	tcase_add_test(t, length_that_does_not_fit_overflows);
}
