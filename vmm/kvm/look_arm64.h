/* SPDX-License-Identifier: Apache-2.0 */
/* look_arm64 - what an arm64 kernel is doing, judged by where its processor stands. */
#ifndef MICROVM_KVM_LOOK_ARM64_H
#define MICROVM_KVM_LOOK_ARM64_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/kvm/vcpu.h"

/* look_needs_code() - does the answer for a running vCPU with this @pstate (SPSR_EL2's layout,
 * Arm ARM C5.2.19) depend on the code where it stands?
 */
bool look_needs_code(uint64_t pstate);

/* look_at() - the answer.  @at and @before are the instructions at the program counter and before
 * it; without look_needs_code() they do not count
 */
enum vcpu_look look_at(uint64_t pstate, uint32_t at, uint32_t before);

#endif
