/* SPDX-License-Identifier: Apache-2.0 */
/* cpuid_x86 - the CPUID table (Intel SDM 2A, CPUID; AMD APM 3, appendix E). */
#include "vmm/kvm/cpuid_x86.h"

#include <asm/kvm_para.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/core/util.h"
#include "vmm/kvm/cpuid_allow_x86.h"
#include "vmm/kvm/kvm.h"

#define BIT(n) (UINT32_C(1) << (n))

/* Leaf 1 */
#define L1_ECX_X2APIC       BIT(21)
#define L1_ECX_TSC_DEADLINE BIT(24)
#define L1_ECX_HYPERVISOR   BIT(31)
#define L1_EDX_HTT          BIT(28)
/* Leaf 0x80000001 */
#define E1_ECX_CMP_LEGACY BIT(1)
#define E1_ECX_TOPOEXT    BIT(22)
/* KVM's leaves (KVM document, x86/cpuid.rst) */
#define KVM_LEAF_TIMING  0x40000010u
#define KVM_APIC_BUS_KHZ 1000000u /* KVM's local APIC timer counts nanoseconds */

struct kvm_cpuid2 *cpuid_alloc(void)
{
	size_t n = CPUID_ENTRIES_MAX + CPUID_ENTRIES_ADDED;
	struct kvm_cpuid2 *t = calloc(1, sizeof(*t) + n * sizeof(t->entries[0]));

	if (t)
		t->nent = CPUID_ENTRIES_MAX;
	return t;
}

int cpuid_fetch(struct kvm_cpuid2 *t, int dev_fd)
{
	return ioctl(dev_fd, KVM_GET_SUPPORTED_CPUID, t) < 0 ? -errno : 0;
}

/* Bits that hold the APIC ids of @ncpu processors */
static uint32_t cpuid_id_bits(unsigned int ncpu)
{
	uint32_t bits = 0;

	while (bits < 31 && (UINT32_C(1) << bits) < ncpu)
		bits++;
	return bits;
}

static void cpuid_adjust_features(struct kvm_cpuid_entry2 *l, unsigned int ncpu,
				  bool tsc_deadline)
{
	l->ecx &= ~L1_ECX_TSC_DEADLINE;
	l->ecx |= L1_ECX_HYPERVISOR | L1_ECX_X2APIC;
	if (tsc_deadline)
		l->ecx |= L1_ECX_TSC_DEADLINE;
	l->ebx = (l->ebx & 0x0000ffffu) | MIN(ncpu, 255u) << 16;
	l->edx &= ~L1_EDX_HTT;
	if (ncpu > 1)
		l->edx |= L1_EDX_HTT;
}

/* Leaf 4 (Intel) and 0x8000001d (AMD): which processors share a cache. Levels 1 and 2 are a
 * core's own, all cores share level 3.
 */
static void cpuid_adjust_cache(struct kvm_cpuid_entry2 *l, unsigned int ncpu)
{
	uint32_t all = (UINT32_C(1) << cpuid_id_bits(ncpu)) - 1;
	uint32_t level = l->eax >> 5 & 7;

	if ((l->eax & 0x1f) == 0)
		return; /* no more caches */
	l->eax &= 0x3fffu;
	l->eax |= (level >= 3 ? MIN(all, 4095u) : 0) << 14;
	if (l->function == 4)
		l->eax |= MIN(all, 63u) << 26; /* cores in the package, less one */
}

/* Leaves 0xb and 0x1f: one thread a core, then @ncpu cores a package */
static void cpuid_adjust_topology(struct kvm_cpuid_entry2 *l, unsigned int ncpu)
{
	l->eax = l->ebx = 0;
	l->ecx = l->index & 0xff;
	if (l->index == 0) {
		l->ebx = 1;
		l->ecx |= 1 << 8;
	} else if (l->index == 1) {
		l->eax = cpuid_id_bits(ncpu);
		l->ebx = ncpu;
		l->ecx |= 2 << 8;
	}
}

static void cpuid_adjust_amd(struct kvm_cpuid_entry2 *l, unsigned int ncpu)
{
	switch (l->function) {
	case 0x80000001:
		l->ecx &= ~E1_ECX_CMP_LEGACY;
		if (ncpu > 1 && (l->ecx & E1_ECX_TOPOEXT))
			l->ecx |= E1_ECX_CMP_LEGACY;
		break;
	case 0x80000008:
		l->ecx = cpuid_id_bits(ncpu) << 12 | MIN(ncpu - 1, 255u);
		break;
	case 0x8000001d:
		cpuid_adjust_cache(l, ncpu);
		break;
	case 0x8000001e: /* ids: filled by cpuid_set_id() */
		l->eax = l->ebx = l->ecx = l->edx = 0;
		break;
	default:
		break;
	}
}

static bool cpuid_has(const struct kvm_cpuid2 *t, uint32_t function, uint32_t index)
{
	for (uint32_t i = 0; i < t->nent; i++)
		if (t->entries[i].function == function && t->entries[i].index == index)
			return true;
	return false;
}

/* Since Linux 6.2 KVM gives the topology leaves with their first subleaf only, which means
 * "no topology": a guest would then take every vCPU for a package of its own.
 */
static void cpuid_complete_topology(struct kvm_cpuid2 *t, uint32_t function)
{
	if (cpuid_has(t, function, 0) && !cpuid_has(t, function, 1))
		t->entries[t->nent++] = (struct kvm_cpuid_entry2){
			.function = function,
			.index = 1,
			.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX};
}

void cpuid_adjust(struct kvm_cpuid2 *t, unsigned int ncpu, uint32_t tsc_khz,
		  bool tsc_deadline)
{
	cpuid_allow(t);
	cpuid_complete_topology(t, 0xb);
	cpuid_complete_topology(t, 0x1f);
	if (!cpuid_has(t, KVM_LEAF_TIMING, 0))
		t->entries[t->nent++] =
			(struct kvm_cpuid_entry2){.function = KVM_LEAF_TIMING};
	for (uint32_t i = 0; i < t->nent; i++) {
		struct kvm_cpuid_entry2 *l = &t->entries[i];

		switch (l->function) {
		case 1:
			cpuid_adjust_features(l, ncpu, tsc_deadline);
			break;
		case 4:
			cpuid_adjust_cache(l, ncpu);
			break;
		case 0xb:
		case 0x1f:
			cpuid_adjust_topology(l, ncpu);
			break;
		case KVM_CPUID_SIGNATURE:
			l->eax = KVM_LEAF_TIMING;
			break;
		case KVM_CPUID_FEATURES:
			/* ours, not KVM's: the IOAPIC puts 15 bits of id into the message */
			l->eax |= BIT(KVM_FEATURE_MSI_EXT_DEST_ID);
			break;
		case KVM_LEAF_TIMING:
			l->eax = tsc_khz;
			l->ebx = KVM_APIC_BUS_KHZ;
			break;
		default:
			cpuid_adjust_amd(l, ncpu);
		}
	}
}

void cpuid_set_id(struct kvm_cpuid2 *t, uint32_t apic_id)
{
	for (uint32_t i = 0; i < t->nent; i++) {
		struct kvm_cpuid_entry2 *l = &t->entries[i];

		if (l->function == 1)
			l->ebx = (l->ebx & 0x00ffffffu) | MIN(apic_id, 255u) << 24;
		else if (l->function == 0xb || l->function == 0x1f)
			l->edx = apic_id;
		else if (l->function == 0x8000001e) {
			l->eax = apic_id;
			l->ebx = apic_id & 0xff; /* core id; one thread a core */
		}
	}
}
