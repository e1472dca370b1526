/* SPDX-License-Identifier: Apache-2.0 */
/* test_state - saved fields: their bytes, the way back, and states that lie. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/state.h"

struct fields {
	uint8_t a;
	uint16_t b;
	uint32_t c;
	uint64_t d;
	bool e;
	char f[3];
};

#define FIELDS_LEN (1 + 2 + 4 + 8 + 1 + 3)

static const struct fields sample = {1,    0x0203,         0x04050607, 0x08090a0b0c0d0e0f,
				     true, {'x', 'y', 'z'}};

static void fields_state(struct fields *f, struct state *s)
{
	state_u8(s, &f->a);
	state_u16(s, &f->b);
	state_u32(s, &f->c);
	state_u64(s, &f->d);
	state_bool(s, &f->e);
	state_bytes(s, f->f, sizeof(f->f));
}

static uint8_t buf[64];
static struct state s;

static void setup(void)
{
	struct fields f = sample;

	memset(buf, 0xee, sizeof(buf));
	state_saver(&s, buf, sizeof(buf));
	ck_assert(!state_loading(&s));
	fields_state(&f, &s);
	ck_assert_ptr_null(s.why);
	ck_assert_uint_eq(s.pos, FIELDS_LEN);
}

START_TEST(fields_are_little_endian_in_order)
{
	static const uint8_t want[] = {1,    3,    2,    7, 6, 5, 4,   0x0f, 0x0e, 0x0d,
				       0x0c, 0x0b, 0x0a, 9, 8, 1, 'x', 'y',  'z',  0xee};

	ck_assert_mem_eq(buf, want, sizeof(want));
}
END_TEST

START_TEST(what_was_saved_is_loaded)
{
	struct fields f = {0};

	state_loader(&s, buf, FIELDS_LEN);
	ck_assert(state_loading(&s));
	fields_state(&f, &s);
	ck_assert_ptr_null(s.why);
	ck_assert_uint_eq(f.a, sample.a);
	ck_assert_uint_eq(f.b, sample.b);
	ck_assert_uint_eq(f.c, sample.c);
	ck_assert_uint_eq(f.d, sample.d);
	ck_assert(f.e);
	ck_assert_mem_eq(f.f, sample.f, sizeof(f.f));
}
END_TEST

START_TEST(saving_changes_nothing)
{
	struct fields f = sample;

	state_saver(&s, buf, sizeof(buf));
	fields_state(&f, &s);
	ck_assert_mem_eq(f.f, sample.f, sizeof(f.f));
	ck_assert_uint_eq(f.d, sample.d);
	ck_assert(f.e);
}
END_TEST

START_TEST(truncated_state_is_refused_wherever_it_ends)
{
	for (size_t len = 0; len < FIELDS_LEN; len++) {
		struct fields f = {0};

		state_loader(&s, buf, len);
		fields_state(&f, &s);
		ck_assert_str_eq(s.why, "state ends too early");
		ck_assert_uint_le(s.pos, len);
	}
}
END_TEST

START_TEST(full_buffer_is_not_overrun)
{
	for (size_t cap = 0; cap < FIELDS_LEN; cap++) {
		struct fields f = sample;

		memset(buf, 0xee, sizeof(buf));
		state_saver(&s, buf, cap);
		fields_state(&f, &s);
		ck_assert_str_eq(s.why, "state buffer is full");
		for (size_t i = cap; i < sizeof(buf); i++)
			ck_assert_uint_eq(buf[i], 0xee);
	}
}
END_TEST

START_TEST(length_that_wraps_is_refused)
{
	char byte = 'q';

	state_loader(&s, buf, FIELDS_LEN);
	state_bytes(&s, &byte, 1);
	byte = 'q';
	state_bytes(&s, &byte, SIZE_MAX);
	ck_assert_ptr_nonnull(s.why);
	ck_assert_int_eq(byte, 'q');
}
END_TEST

START_TEST(first_error_sticks_and_the_rest_does_nothing)
{
	uint32_t v = 7;

	state_loader(&s, buf, FIELDS_LEN);
	state_fail(&s, "first");
	state_fail(&s, "second");
	state_u32(&s, &v);
	ck_assert_str_eq(s.why, "first");
	ck_assert_uint_eq(v, 7);
	ck_assert_uint_eq(s.pos, 0);
}
END_TEST

START_TEST(a_bool_that_is_neither_is_refused)
{
	bool b = true;

	buf[0] = 2;
	state_loader(&s, buf, 1);
	state_bool(&s, &b);
	ck_assert_ptr_nonnull(s.why);
	ck_assert(b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("state");
	TCase *t = tcase_create("state");
	SRunner *r = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, fields_are_little_endian_in_order);
	tcase_add_test(t, what_was_saved_is_loaded);
	tcase_add_test(t, saving_changes_nothing);
	tcase_add_test(t, truncated_state_is_refused_wherever_it_ends);
	tcase_add_test(t, full_buffer_is_not_overrun);
	tcase_add_test(t, length_that_wraps_is_refused);
	tcase_add_test(t, first_error_sticks_and_the_rest_does_nothing);
	tcase_add_test(t, a_bool_that_is_neither_is_refused);
	suite_add_tcase(suite, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
