/* SPDX-License-Identifier: Apache-2.0 */
/* test_cpuid_x86 - what the guest's processors say of themselves, from made-up hosts. */
#include <asm/kvm_para.h>
#include <check.h>
#include <linux/kvm.h>
#include <stdlib.h>

#include "tests/lib/unit.h"
#include "vmm/core/util.h"
#include "vmm/kvm/cpuid_x86.h"

#define BIT(n) (UINT32_C(1) << (n))
#define ROOM   (CPUID_ENTRIES_MAX + CPUID_ENTRIES_ADDED)

static struct kvm_cpuid2 *t;

static struct kvm_cpuid_entry2 *add(uint32_t function, uint32_t index, uint32_t value)
{
	struct kvm_cpuid_entry2 *l = &t->entries[t->nent++];

	*l = (struct kvm_cpuid_entry2){.function = function,
				       .index = index,
				       .eax = value,
				       .ebx = value,
				       .ecx = value,
				       .edx = value};
	return l;
}

static struct kvm_cpuid_entry2 *find(uint32_t function, uint32_t index)
{
	struct kvm_cpuid_entry2 *found = NULL;

	for (uint32_t i = 0; i < t->nent; i++) {
		if (t->entries[i].function != function || t->entries[i].index != index)
			continue;
		ck_assert_ptr_null(found); /* once only */
		found = &t->entries[i];
	}
	return found;
}

static void setup(void)
{
	t = calloc(1, sizeof(*t) + ROOM * sizeof(t->entries[0]));
	ck_assert_ptr_nonnull(t);
	add(1, 0, ~0u);
	add(KVM_CPUID_SIGNATURE, 0, 0x40000001);
	add(KVM_CPUID_FEATURES, 0, BIT(KVM_FEATURE_CLOCKSOURCE2));
}

static void teardown(void)
{
	free(t);
}

START_TEST(attack_surface_is_off)
{
	add(5, 0, ~0u);
	add(0xa, 0, ~0u);
	add(0x80000001, 0, ~0u);
	add(0x8000000a, 0, ~0u);
	cpuid_adjust(t, 1, 0, true);
	ck_assert_uint_eq(find(1, 0)->ecx & (BIT(3) | BIT(5) | BIT(15)), 0);
	ck_assert_ptr_null(find(5, 0)); /* a leaf that is not there reads as zeroes */
	ck_assert_ptr_null(find(0xa, 0));
	ck_assert_uint_eq(find(0x80000001, 0)->ecx & (BIT(2) | BIT(23) | BIT(24)), 0);
	ck_assert_ptr_null(find(0x8000000a, 0));
}
END_TEST

/* A host that has everything, today's and tomorrow's: each bit of each leaf */
static void add_everything(void)
{
	static const uint32_t base[] = {0, 0x80000000};

	t->nent = 0;
	for (unsigned int b = 0; b < ARRAY_SIZE(base); b++)
		for (uint32_t leaf = 0; leaf < 0x2a; leaf++)
			add(base[b] + leaf, 0, ~0u);
	for (uint32_t sub = 1; sub < 4; sub++)
		add(7, sub, ~0u);
	for (uint32_t sub = 1; sub < 24; sub++)
		add(0xd, sub, ~0u);
	add(KVM_CPUID_SIGNATURE, 0, 0x40000001);
	add(KVM_CPUID_FEATURES, 0, ~0u);
	add(0xc0000001, 0, ~0u); /* Centaur's */
	ck_assert_uint_le(t->nent, CPUID_ENTRIES_MAX);
}

START_TEST(leaf_that_nobody_looked_at_is_shown)
{
	/* MONITOR, counters, RDT, SGX, processor trace, key locker, AMX, TDX, counters;
	 * SVM, IBS, LWP, SEV, counters, what is not yet
	 */
	static const uint32_t hidden[] = {
		0x3,        0x5,        0x8,        0x9,        0xa,        0xc,
		0xe,        0xf,        0x10,       0x12,       0x14,       0x17,
		0x19,       0x1c,       0x1d,       0x1e,       0x20,       0x21,
		0x23,       0x25,       0x29,       0x8000000a, 0x8000001b, 0x8000001c,
		0x8000001f, 0x80000020, 0x80000022, 0x80000023, 0x80000026, 0x80000029,
		0xc0000001};

	add_everything();
	cpuid_adjust(t, 2, 0, true);
	for (unsigned int i = 0; i < ARRAY_SIZE(hidden); i++)
		ck_assert_msg(!find(hidden[i], 0), "0x%x", hidden[i]);
	ck_assert_ptr_null(find(7, 3));
	for (uint32_t sub = 0; sub < 24; sub++) /* MPX, processor trace, PASID, AMX */
		ck_assert_int_eq(find(0xd, sub) != NULL,
				 sub < 3 || (sub > 4 && sub < 8) || sub == 9 ||
					 sub == 11 || sub == 12);
}
END_TEST

START_TEST(bit_that_nobody_looked_at_is_shown)
{
	add_everything();
	cpuid_adjust(t, 2, 0, true);
	/* debug store, EST, TM2, SDBG, xTPR, DCA; serial number, debug store, thermal */
	ck_assert_uint_eq(find(1, 0)->ecx & 0x0005cdfc, 0);
	ck_assert_uint_eq(find(1, 0)->edx & 0xe0740400, 0);
	ck_assert_uint_eq(find(6, 0)->eax, BIT(2));
	ck_assert_uint_eq(find(6, 0)->ebx | find(6, 0)->ecx | find(6, 0)->edx, 0);
	/* SGX, HLE, RTM, RDT, MPX, processor trace; TME, key locker, ENQCMD, SGX, PKS */
	ck_assert_uint_eq(find(7, 0)->ebx & 0x0240d814, 0);
	ck_assert_uint_eq(find(7, 0)->ecx & 0xe4bea000, 0);
	/* UINTR, SRBDS, RTM, hybrid, TSX's tracking, PCONFIG, LBR, AMX, core capabilities */
	ck_assert_uint_eq(find(7, 0)->edx & 0x436fbae3, 0);
	ck_assert_uint_eq(find(7, 1)->eax & 0xfb71e308, 0);
	ck_assert_uint_eq(find(7, 1)->ebx | find(7, 1)->ecx, 0);
	ck_assert_uint_eq(find(0xd, 0)->eax, 0x2e7);
	ck_assert_uint_eq(find(0xd, 1)->eax, 0xf);
	ck_assert_uint_eq(find(0xd, 1)->ecx, 0x1800);
	/* SVM, IBS, SKINIT, watchdog, LWP, counters, breakpoints, MWAITX */
	ck_assert_uint_eq(find(0x80000001, 0)->ecx & 0xff9ef40c, 0);
	ck_assert_uint_eq(find(0x80000007, 0)->edx, BIT(8));
	ck_assert_uint_eq(find(0x80000008, 0)->ebx & BIT(4), 0); /* RDPRU */
	/* encrypted and nested guests */
	ck_assert_uint_eq(find(KVM_CPUID_FEATURES, 0)->eax & 0xfeff0504, 0);
}
END_TEST

START_TEST(feature_that_guests_use_is_hidden)
{
	add_everything();
	cpuid_adjust(t, 2, 0, true);
	ck_assert_uint_eq(find(1, 0)->ecx, 0xfffa3203);
	ck_assert_uint_eq(find(1, 0)->edx, 0x1f8bfbff);
	ck_assert_uint_eq(find(7, 0)->ebx, 0xfdbf27eb);
	ck_assert_uint_eq(find(7, 0)->ecx, 0x1b415fff);
	ck_assert_uint_eq(find(7, 0)->edx, 0xbc90451c);
	ck_assert_uint_eq(find(7, 2)->edx, 0x3f);
	ck_assert_uint_eq(find(0x80000001, 0)->edx, 0xefd3fbff);
	ck_assert_uint_eq(find(0x80000001, 0)->ecx, 0x00610bf3);
	ck_assert_uint_eq(find(0x80000008, 0)->ebx, 0x770fd205);
	ck_assert_uint_eq(find(0x80000021, 0)->eax, 0xf8100f67);
	ck_assert_uint_eq(find(KVM_CPUID_FEATURES, 0)->eax, 0x0100fafb);
}
END_TEST

START_TEST(last_leaves_are_the_hosts)
{
	add_everything();
	cpuid_adjust(t, 2, 0, true);
	ck_assert_uint_eq(find(0, 0)->eax, 0x24);
	ck_assert_uint_eq(find(0x80000000, 0)->eax, 0x80000021);
	ck_assert_uint_eq(find(7, 0)->eax, 2);
	/* an older processor keeps its own */
	t->nent = 0;
	add(0, 0, ~0u)->eax = 0xd;
	add(0xd, 0, ~0u);
	add(0x80000000, 0, 0)->eax = 0x80000004;
	add(0x80000004, 0, ~0u);
	cpuid_adjust(t, 1, 0, true);
	ck_assert_uint_eq(find(0, 0)->eax, 0xd);
	ck_assert_uint_eq(find(0x80000000, 0)->eax, 0x80000004);
}
END_TEST

START_TEST(guests_know_of_their_hypervisor_and_x2apic)
{
	find(1, 0)->ecx = 0;
	cpuid_adjust(t, 1, 2500000, true);
	ck_assert_uint_eq(find(1, 0)->ecx, BIT(31) | BIT(21) | BIT(24));
	ck_assert_uint_ne(
		find(KVM_CPUID_FEATURES, 0)->eax & BIT(KVM_FEATURE_CLOCKSOURCE2), 0);
	ck_assert_uint_ne(
		find(KVM_CPUID_FEATURES, 0)->eax & BIT(KVM_FEATURE_MSI_EXT_DEST_ID), 0);
}
END_TEST

START_TEST(no_tsc_deadline_where_kvm_has_none)
{
	cpuid_adjust(t, 1, 0, false);
	ck_assert_uint_eq(find(1, 0)->ecx & BIT(24), 0);
}
END_TEST

START_TEST(timing_leaf_is_added_once_and_announced)
{
	cpuid_adjust(t, 1, 2500000, true);
	ck_assert_uint_eq(find(0x40000010, 0)->eax, 2500000);
	ck_assert_uint_eq(find(0x40000010, 0)->ebx, 1000000);
	ck_assert_uint_ge(find(KVM_CPUID_SIGNATURE, 0)->eax, 0x40000010);
	cpuid_adjust(t, 1, 2600000, true);
	ck_assert_uint_eq(find(0x40000010, 0)->eax, 2600000);
}
END_TEST

START_TEST(one_cpu_is_no_package_of_many)
{
	cpuid_adjust(t, 1, 0, true);
	ck_assert_uint_eq(find(1, 0)->edx & BIT(28), 0);
	ck_assert_uint_eq(find(1, 0)->ebx >> 16 & 0xff, 1);
}
END_TEST

START_TEST(cores_are_counted_in_leaf_one)
{
	cpuid_adjust(t, 6, 0, true);
	ck_assert_uint_ne(find(1, 0)->edx & BIT(28), 0);
	ck_assert_uint_eq(find(1, 0)->ebx >> 16 & 0xff, 6);
	ck_assert_uint_eq(find(1, 0)->ebx & 0xffff, 0xffff); /* not ours */
	cpuid_adjust(t, 1024, 0, true);
	ck_assert_uint_eq(find(1, 0)->ebx >> 16 & 0xff, 255);
}
END_TEST

/* Bits to shift an APIC id by to get the package, by the topology leaf */
static uint32_t package_shift(uint32_t function)
{
	return find(function, 1)->eax & 0x1f;
}

static void check_topology(uint32_t function, unsigned int ncpu, uint32_t shift)
{
	struct kvm_cpuid_entry2 *thread, *core;

	cpuid_adjust(t, ncpu, 0, true);
	thread = find(function, 0);
	core = find(function, 1);
	ck_assert_uint_eq(thread->eax & 0x1f, 0);
	ck_assert_uint_eq(thread->ebx & 0xffff, 1);
	ck_assert_uint_eq(thread->ecx, 1 << 8);
	ck_assert_ptr_nonnull(core);
	ck_assert_uint_eq(core->ebx & 0xffff, ncpu);
	ck_assert_uint_eq(core->ecx, 1 | 2 << 8);
	ck_assert_uint_eq(package_shift(function), shift);
	for (unsigned int i = 0; i < ncpu; i++)
		ck_assert_uint_eq(i >> shift, 0);
}

START_TEST(topology_of_the_host_does_not_show)
{
	add(0xb, 0, 0x11);
	add(0xb, 1, 0x22);
	add(0x1f, 0, 0x11);
	add(0x1f, 1, 0x22);
	add(0x1f, 2, 0x33);
	check_topology(0xb, 4, 2);
	check_topology(0x1f, 4, 2);
	ck_assert_uint_eq(find(0x1f, 2)->eax | find(0x1f, 2)->ebx, 0);
	ck_assert_uint_eq(find(0x1f, 2)->ecx, 2);
}
END_TEST

START_TEST(topology_is_there_where_kvm_gives_an_empty_one)
{
	add(0xb, 0, 0)->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	add(0x1f, 0, 0)->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	check_topology(0xb, 5, 3);
	check_topology(0x1f, 5, 3);
	ck_assert_uint_eq(find(0xb, 1)->flags, KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
}
END_TEST

START_TEST(no_topology_leaf_is_made_up_for_an_old_processor)
{
	cpuid_adjust(t, 4, 0, true);
	ck_assert_ptr_null(find(0xb, 0));
	ck_assert_ptr_null(find(0xb, 1));
	ck_assert_ptr_null(find(0x1f, 0));
}
END_TEST

START_TEST(room_for_added_leaves_is_enough)
{
	add(0xb, 0, 0);
	add(0x1f, 0, 0);
	while (t->nent < CPUID_ENTRIES_MAX)
		add(0x7, t->nent, 0);
	cpuid_adjust(t, 4, 0, true);
	ck_assert_uint_le(t->nent, ROOM);
}
END_TEST

START_TEST(near_caches_are_a_cores_own_and_the_last_everybodys)
{
	add(4, 0, 0)->eax = 0xfc000121 | 0xfffu << 14; /* L1, shared by the host's */
	add(4, 1, 0)->eax = 0xfc000143 | 0xfffu << 14; /* L2 */
	add(4, 2, 0)->eax = 0x163;                     /* L3 */
	add(4, 3, 0);
	add(0x8000001d, 0, 0)->eax = 0x121 | 1 << 14;
	add(0x8000001d, 1, 0)->eax = 0x163;
	cpuid_adjust(t, 4, 0, true);
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_uint_eq(find(4, i)->eax >> 26, 3);
		ck_assert_uint_eq(find(4, i)->eax >> 14 & 0xfff, i == 2 ? 3 : 0);
	}
	ck_assert_uint_eq(find(4, 0)->eax & 0x3fff, 0x121);
	ck_assert_uint_eq(find(4, 3)->eax, 0);
	ck_assert_uint_eq(find(0x8000001d, 0)->eax, 0x121);
	ck_assert_uint_eq(find(0x8000001d, 1)->eax, 0x163 | 3 << 14);
}
END_TEST

START_TEST(amd_core_counts_are_ours)
{
	add(0x80000001, 0, 0)->ecx = BIT(1) | BIT(22);
	add(0x80000008, 0, 0)->ecx = 0x703f;
	add(0x8000001e, 0, ~0u);
	cpuid_adjust(t, 3, 0, true);
	cpuid_set_id(t, 2);
	ck_assert_uint_eq(find(0x80000001, 0)->ecx, BIT(1) | BIT(22));
	ck_assert_uint_eq(find(0x80000008, 0)->ecx, 2 << 12 | 2);
	ck_assert_uint_eq(find(0x8000001e, 0)->eax, 2);
	ck_assert_uint_eq(find(0x8000001e, 0)->ebx, 2);
	ck_assert_uint_eq(find(0x8000001e, 0)->ecx, 0);
	cpuid_adjust(t, 1, 0, true);
	ck_assert_uint_eq(find(0x80000001, 0)->ecx, BIT(22));
}
END_TEST

START_TEST(each_vcpu_has_its_own_id_everywhere)
{
	add(0xb, 0, 0);
	add(0x1f, 0, 0);
	cpuid_adjust(t, 300, 0, true);
	cpuid_set_id(t, 7);
	ck_assert_uint_eq(find(1, 0)->ebx >> 24, 7);
	ck_assert_uint_eq(find(1, 0)->ebx >> 16 & 0xff, 255);
	for (uint32_t i = 0; i < 2; i++) {
		ck_assert_uint_eq(find(0xb, i)->edx, 7);
		ck_assert_uint_eq(find(0x1f, i)->edx, 7);
	}
	cpuid_set_id(t, 299); /* does not fit into eight bits */
	ck_assert_uint_eq(find(1, 0)->ebx >> 24, 255);
	ck_assert_uint_eq(find(0xb, 1)->edx, 299);
}
END_TEST

UNIT_MAIN("cpuid_x86", setup, teardown, tc)
{
	tcase_add_test(tc, attack_surface_is_off);
	tcase_add_test(tc, leaf_that_nobody_looked_at_is_shown);
	tcase_add_test(tc, bit_that_nobody_looked_at_is_shown);
	tcase_add_test(tc, feature_that_guests_use_is_hidden);
	tcase_add_test(tc, last_leaves_are_the_hosts);
	tcase_add_test(tc, guests_know_of_their_hypervisor_and_x2apic);
	tcase_add_test(tc, no_tsc_deadline_where_kvm_has_none);
	tcase_add_test(tc, timing_leaf_is_added_once_and_announced);
	tcase_add_test(tc, one_cpu_is_no_package_of_many);
	tcase_add_test(tc, cores_are_counted_in_leaf_one);
	tcase_add_test(tc, topology_of_the_host_does_not_show);
	tcase_add_test(tc, topology_is_there_where_kvm_gives_an_empty_one);
	tcase_add_test(tc, no_topology_leaf_is_made_up_for_an_old_processor);
	tcase_add_test(tc, room_for_added_leaves_is_enough);
	tcase_add_test(tc, near_caches_are_a_cores_own_and_the_last_everybodys);
	tcase_add_test(tc, amd_core_counts_are_ours);
	tcase_add_test(tc, each_vcpu_has_its_own_id_everywhere);
}
