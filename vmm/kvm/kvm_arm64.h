/* SPDX-License-Identifier: Apache-2.0 */
/* kvm_arm64 - what the rest of an arm64 machine asks of its VM. */
#ifndef MICROVM_KVM_KVM_ARM64_H
#define MICROVM_KVM_KVM_ARM64_H

#include <linux/kvm.h>
#include <stdbool.h>

#include "vmm/kvm/kvm_arch.h"

/* kvm_arm64_gic() - the version of the interrupt controller that KVM can give: 3 or 2 */
unsigned int kvm_arm64_gic(const struct kvm *k);

/* kvm_arm64_vcpu() - the processor type of all vCPUs, as KVM_ARM_VCPU_INIT takes it: the host's,
 * with all features that a guest can use. Owned by @k
 */
const struct kvm_vcpu_init *kvm_arm64_vcpu(const struct kvm *k);
/* kvm_arm64_has() - is KVM_ARM_VCPU_* @feature among the above? */
bool kvm_arm64_has(const struct kvm *k, unsigned int feature);

/* kvm_arm64_set_coherent() - these processors can be made to read through their caches
 * (FEAT_S2FWB), as kvm_arch_check_rom() needs it
 */
void kvm_arm64_set_coherent(struct kvm *k, bool coherent);

#endif
