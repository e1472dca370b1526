/* SPDX-License-Identifier: Apache-2.0 */
/* kvm_arch - the part of a VM that depends on the architecture (kvm_<arch>.c). */
#ifndef MICROVM_KVM_KVM_ARCH_H
#define MICROVM_KVM_KVM_ARCH_H

#include "vmm/kvm/kvm.h"

struct kvm_arch; /* private to kvm_<arch>.c */

/* kvm_arch_cure - how to get a missing /dev/kvm, as a clause */
extern const char kvm_arch_cure[];
/* kvm_arch_type() - the type for KVM_CREATE_VM; @k has only its dev_fd */
unsigned long kvm_arch_type(const struct kvm *k);

/* kvm_arch_open() - right after KVM_CREATE_VM.  Return: 0 or -errno in @e */
int kvm_arch_open(struct kvm *k, struct err *e);
void kvm_arch_close(struct kvm *k);

/* kvm_arch_check_rom() - does a guest's device access to read-only memory see what we
 * write there?  After the first vCPU was made.  Return: 0 or -errno in @e
 */
int kvm_arch_check_rom(const struct kvm *k, struct err *e);

#endif
