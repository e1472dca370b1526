/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_arm64 - which instructions are stores, as the assembler encodes them. */
#include "vmm/kvm/store_arm64.h"

#include <check.h>

#include "tests/lib/unit.h"
#include "vmm/core/util.h"

static const struct {
	uint32_t code;
	unsigned int base;
	int64_t add;
} stores[] = {
	{0xa902340c, 0, 0},    /* stp x12, x13, [x0, #32] */
	{0xa984346c, 3, 64},   /* stp x12, x13, [x3, #64]! */
	{0x28bf0861, 3, -8},   /* stp w1, w2, [x3], #-8 */
	{0xa8010881, 4, 0},    /* stnp x1, x2, [x4, #16] */
	{0xacbf04a0, 5, -32},  /* stp q0, q1, [x5], #-32 */
	{0x6dbf04a0, 5, -16},  /* stp d0, d1, [x5, #-16]! */
	{0xf8008441, 2, 8},    /* str x1, [x2], #8 */
	{0xf81f8c41, 2, -8},   /* str x1, [x2, #-8]! */
	{0x38001441, 2, 1},    /* strb w1, [x2], #1 */
	{0x3c810440, 2, 16},   /* str q0, [x2], #16 */
	{0x3c9f0c40, 2, -16},  /* str q0, [x2, #-16]! */
	{0x3d001440, 2, 0},    /* str b0, [x2, #5] */
	{0xf81f8041, 2, 0},    /* stur x1, [x2, #-8] */
	{0xf81f8841, 2, 0},    /* sttr x1, [x2, #-8] */
	{0xf8237841, 2, 0},    /* str x1, [x2, x3, lsl #3] */
	{0xf9000841, 2, 0},    /* str x1, [x2, #16] */
	{0xa9bf7bfd, 31, -16}, /* stp x29, x30, [sp, #-16]! */
};

static const uint32_t others[] = {
	0xa8c10861, /* ldp x1, x2, [x3], #16 */
	0x68808861, /* stgp x1, x2, [x3], #16 */
	0x69400861, /* ldpsw x1, x2, [x3] */
	0xf8408441, /* ldr x1, [x2], #8 */
	0x38808441, /* ldrsb x1, [x2], #8 */
	0x3cc10440, /* ldr q0, [x2], #16 */
	0xc8017c62, /* stxr w1, x2, [x3] */
	0xd50b7421, /* dc zva, x1 */
	0x58000041, /* ldr x1, a literal */
	0xf9800020, /* prfm pldl1keep, [x1] */
	0xf8210062, /* ldadd x1, x2, [x3] */
	0x4c9f7020, /* st1 {v0.16b}, [x1], #16 */
	0xf8bfc041, /* ldapr x1, [x2] */
	0x8b030041, /* add x1, x2, x3 */
};

START_TEST(store_is_missed_or_changes_another_register)
{
	for (size_t i = 0; i < ARRAY_SIZE(stores); i++) {
		unsigned int base = 99;
		int64_t add = 99;

		ck_assert_msg(store_skip(stores[i].code, &base, &add), "%08x",
			      stores[i].code);
		ck_assert_uint_eq(base, stores[i].base);
		ck_assert_msg(add == stores[i].add, "%08x: %lld", stores[i].code,
			      (long long)add);
	}
}
END_TEST

START_TEST(what_is_no_plain_store_is_taken_for_one)
{
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		unsigned int base;
		int64_t add;

		ck_assert_msg(!store_skip(others[i], &base, &add), "%08x", others[i]);
	}
}
END_TEST

UNIT_MAIN("store_arm64", NULL, NULL, t)
{
	tcase_add_test(t, store_is_missed_or_changes_another_register);
	tcase_add_test(t, what_is_no_plain_store_is_taken_for_one);
}
