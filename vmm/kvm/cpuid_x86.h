/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpuid_x86 - what the guest's processors say of themselves.
 *
 * Starts from what KVM can give on this host, then: one package of @ncpu cores, one
 * thread each, APIC id = vCPU id; x2APIC, TSC deadline, kvmclock and KVM's other
 * paravirtual features on; nested virtualization and the performance counters off (both
 * are attack surface that no guest of ours needs).
 */
#ifndef MICROVM_KVM_CPUID_X86_H
#define MICROVM_KVM_CPUID_X86_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/core/err.h"

struct kvm;
struct kvm_cpuid2;
struct kvm_cpuid_entry2;

#define CPUID_ENTRIES_MAX   128
#define CPUID_ENTRIES_ADDED 3 /* at most: by cpuid_adjust() */

/* cpuid_create() - KVM's table for this host, made ours for @ncpu vCPUs.  @tsc_khz 0: not
 * known.  The caller frees it.  NULL with @e set
 */
struct kvm_cpuid2 *cpuid_create(const struct kvm *k, unsigned int ncpu, uint32_t tsc_khz,
				struct err *e);
/* cpuid_adjust() - the part of cpuid_create() that needs no KVM; @t has room for
 * CPUID_ENTRIES_ADDED more entries
 */
void cpuid_adjust(struct kvm_cpuid2 *t, unsigned int ncpu, uint32_t tsc_khz,
		  bool tsc_deadline);
/* cpuid_set_id() - the leaves that tell one vCPU from another */
void cpuid_set_id(struct kvm_cpuid2 *t, uint32_t apic_id);

#endif
