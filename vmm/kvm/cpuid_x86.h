/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpuid_x86 - what the guest's processors say of themselves.
 *
 * Starts from what KVM can give on this host and what a guest may know of it
 * (cpuid_allow_x86.h), then: one package of @ncpu cores, one thread each, APIC id = vCPU
 * id; x2APIC, TSC deadline, kvmclock and KVM's other paravirtual features on.
 */
#ifndef MICROVM_KVM_CPUID_X86_H
#define MICROVM_KVM_CPUID_X86_H

#include <stdbool.h>
#include <stdint.h>

struct kvm_cpuid2;
struct kvm_cpuid_entry2;

#define CPUID_ENTRIES_MAX   128
#define CPUID_ENTRIES_ADDED 3 /* at most: by cpuid_adjust() */

/* cpuid_alloc() - an empty table with room for all; the caller frees it.  NULL: no memory */
struct kvm_cpuid2 *cpuid_alloc(void);
/* cpuid_fetch() - what KVM can give on this host (0.4 ms).  Any thread.  Return: 0 or -errno */
int cpuid_fetch(struct kvm_cpuid2 *t, int dev_fd);
/* cpuid_adjust() - make it ours for @ncpu vCPUs; @tsc_khz 0: not known.  @t has room for
 * CPUID_ENTRIES_ADDED more entries
 */
void cpuid_adjust(struct kvm_cpuid2 *t, unsigned int ncpu, uint32_t tsc_khz,
		  bool tsc_deadline);
/* cpuid_set_id() - the leaves that tell one vCPU from another */
void cpuid_set_id(struct kvm_cpuid2 *t, uint32_t apic_id);

#endif
