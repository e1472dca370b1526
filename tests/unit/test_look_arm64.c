/* SPDX-License-Identifier: Apache-2.0 */
/* test_look_arm64 - what a kernel is taken to be at, by where its processor stands. */
#include "vmm/kvm/look_arm64.h"

#include <check.h>

#include "tests/lib/unit.h"
#include "vmm/core/util.h"

#define EL0  0x0u
#define EL1H 0x5u
#define A32  0x10u
#define I    0x80u
#define DIF  0x2c0u
#define DAIF 0x3c0u
#define NOP  0xd503201fu
#define WFI  0xd503207fu
#define SELF 0x14000000u

static const struct {
	uint64_t pstate;
	uint32_t at, before;
	bool code;
	enum vcpu_look look;
} looks[] = {
	{EL0, NOP, NOP, false, VCPU_BUSY},
	{EL0 | I, WFI, NOP, false, VCPU_BUSY},
	{A32 | EL1H, NOP, NOP, false, VCPU_BUSY},
	{EL1H, NOP, NOP, false, VCPU_KERNEL},    /* panicked, or at work */
	{EL1H | I, NOP, NOP, true, VCPU_KERNEL}, /* in its timer's interrupt */
	{EL1H | DIF, NOP, NOP, true, VCPU_KERNEL},
	{EL1H | I, WFI, NOP, true, VCPU_BUSY}, /* idle */
	{EL1H | DIF, NOP, WFI, true, VCPU_BUSY},
	{EL1H | I, SELF, NOP, true, VCPU_DEAD}, /* halted */
	{EL1H | DAIF, WFI, NOP, false, VCPU_DEAD},
	{EL1H | DAIF, NOP, NOP, false, VCPU_DEAD},
};

START_TEST(each_place_has_its_answer)
{
	ck_assert_int_eq(look_needs_code(looks[_i].pstate), looks[_i].code);
	ck_assert_int_eq(look_at(looks[_i].pstate, looks[_i].at, looks[_i].before),
			 looks[_i].look);
}
END_TEST

UNIT_MAIN("look_arm64", NULL, NULL, t)
{
	tcase_add_loop_test(t, each_place_has_its_answer, 0, ARRAY_SIZE(looks));
}
