/* SPDX-License-Identifier: Apache-2.0 */
/*
 * look_arm64 - what an arm64 kernel is doing, judged by where its processor stands.
 *
 * Linux stops its other processors with all exceptions masked, and the last one in a jump to
 * itself. One that is idle has its interrupts masked as well, but stands at a WFI, or right after
 * it. A kernel merely passes through any other place with interrupts masked: one that panicked
 * still takes its timer's interrupts, and on a slow host it is often in their handler.
 */
#include "vmm/kvm/look_arm64.h"

#include "vmm/kvm/regs_arm64.h"

#define PSTATE_MODE        0x1fu
#define PSTATE_EL1T        0x4u
#define PSTATE_DAIF        0x3c0u
#define PSTATE_I           0x80u
#define A64_BRANCH_TO_SELF 0x14000000u
#define A64_WFI            0xd503207fu

static bool look_is_kernel(uint64_t pstate)
{
	return !(pstate & PSTATE_A32) && (pstate & PSTATE_MODE) >= PSTATE_EL1T;
}

bool look_needs_code(uint64_t pstate)
{
	return look_is_kernel(pstate) && (pstate & PSTATE_I) &&
	       (pstate & PSTATE_DAIF) != PSTATE_DAIF;
}

enum vcpu_look look_at(uint64_t pstate, uint32_t at, uint32_t before)
{
	if (!look_is_kernel(pstate))
		return VCPU_BUSY;
	if ((pstate & PSTATE_DAIF) == PSTATE_DAIF)
		return VCPU_DEAD;
	if (!(pstate & PSTATE_I))
		return VCPU_KERNEL;
	if (at == A64_BRANCH_TO_SELF)
		return VCPU_DEAD;
	return at == A64_WFI || before == A64_WFI ? VCPU_BUSY : VCPU_KERNEL;
}
