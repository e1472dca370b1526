/* SPDX-License-Identifier: Apache-2.0 */
/* cpuid_allow_x86 - what of a host's processor a guest may know: a list of what it may. */
#ifndef MICROVM_KVM_CPUID_ALLOW_X86_H
#define MICROVM_KVM_CPUID_ALLOW_X86_H

struct kvm_cpuid2;

/* cpuid_allow() - take out of @t, which is what KVM can give, each leaf and each bit that is
 * not on the list, and lower the numbers of the last leaves to what is left
 */
void cpuid_allow(struct kvm_cpuid2 *t);

#endif
