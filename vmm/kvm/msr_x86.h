/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msr_x86 - the model-specific registers that a guest reaches: those that KVM lists, and a few
 * that kernels touch without asking whether they are there. Any other access is a general
 * protection fault in the guest, whatever else this host's KVM implements.
 */
#ifndef MICROVM_KVM_MSR_X86_H
#define MICROVM_KVM_MSR_X86_H

#include "vmm/kvm/kvm.h"

struct kvm_msr_list;

/* msr_limit() - make KVM enforce that for @k's vCPUs.  Before the first slot, vCPU or doorbell:
 * KVM waits for a grace period, which is short only while nothing else waits for one. Hosts
 * before Linux 5.10 cannot, and there nothing is limited.
 * Return: 0, or -errno in @e
 */
int msr_limit(const struct kvm *k, struct err *e);

/* msr_fetch() - the registers that KVM names by @request: KVM_GET_MSR_INDEX_LIST (what has to
 * be saved) or KVM_GET_MSR_FEATURE_INDEX_LIST.  The caller frees it.  NULL: errno says why not
 */
struct kvm_msr_list *msr_fetch(const struct kvm *k, unsigned long request);

#endif
