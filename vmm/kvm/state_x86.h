/* SPDX-License-Identifier: Apache-2.0 */
/* state_x86 - the parts of a vCPU's state; each long one has its own file. */
#ifndef MICROVM_KVM_STATE_X86_H
#define MICROVM_KVM_STATE_X86_H

#include "vmm/core/state.h"
#include "vmm/kvm/kvm.h"
#include "vmm/kvm/vcpu.h"

/* state_cpuid() - identity: each leaf of @c's identification, except the clock rates */
void state_cpuid(struct vcpu *c, struct kvm *k, struct state *s);

/* state_tsc() - the time-stamp counter and its rate.  vCPU 0 comes first: the others keep their
 * distance to it
 */
void state_tsc(struct vcpu *c, struct kvm *k, struct state *s);

/* state_msrs() - the model-specific registers that KVM lists and this vCPU has, and those of the
 * memory types. After the TSC and the local APIC, because one of them, the deadline, depends on
 * both. The MSR filter (msr_x86.h) applies to the guest, not to us.
 */
void state_msrs(struct vcpu *c, struct kvm *k, struct state *s);

#endif
