/* SPDX-License-Identifier: Apache-2.0 */
/* kvm_x86 - what vcpu_x86.c needs of an x86 VM. */
#ifndef MICROVM_KVM_KVM_X86_H
#define MICROVM_KVM_KVM_X86_H

#include "vmm/kvm/kvm_arch.h"

struct kvm_cpuid2;

/* kvm_x86_cpuid() - the identification of this VM's @ncpu vCPUs, which differ by
 * cpuid_set_id() only.  @tsc_khz counts at the first call.  Owned by @k.
 * Return: NULL with @e set
 */
struct kvm_cpuid2 *kvm_x86_cpuid(struct kvm *k, unsigned int ncpu, uint32_t tsc_khz,
				 struct err *e);

/* kvm_x86_tsc_shift() - distance of the vCPUs' TSC offsets from those of the state that was
 * loaded last; for state_tsc_x86.c
 */
uint64_t *kvm_x86_tsc_shift(struct kvm *k);

#endif
