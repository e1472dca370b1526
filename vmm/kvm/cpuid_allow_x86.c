/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpuid_allow_x86 - the list (Intel SDM 2A, CPUID; AMD APM 3, appendix E; KVM document,
 * x86/cpuid.rst).
 *
 * A bit that is not here was not examined yet, or is one of
 *  - nested virtualization (VMX, SVM), SGX, SEV, key locker, TME, PCONFIG: host code that no
 *    guest of ours needs is not within its reach
 *  - performance counters, LBR, processor trace, IBS, debug store, RDT: they tell a guest
 *    about the host and its neighbours
 *  - HLE, RTM, TSX's tracking, RDPRU: timing channels, and microcode switches TSX off
 *  - MONITOR, MWAITX, power and frequency management: the host's business
 *  - MPX, LWP, 3DNow's successors that no kernel uses any more
 *  - AMX: its state takes a permission of the host's kernel that we do not ask for
 */
#include "vmm/kvm/cpuid_allow_x86.h"

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/core/util.h"

#define ALL     (~UINT32_C(0))
#define ANY     ALL /* the last subleaf */
#define B(n)    (UINT32_C(1) << (n))
#define R(a, b) (ALL >> (31 - (b)) & ALL << (a)) /* bits @a to @b */

/* The user states that XSAVE saves: x87, SSE, AVX, AVX-512, protection keys */
#define STATES (R(0, 2) | R(5, 7) | B(9))

struct cpuid_row {
	uint32_t function, first,
		last; /* subleaves; 0 and ANY: it has none, or all are told */
	uint32_t eax, ebx, ecx, edx;
};

static const struct cpuid_row cpuid_rows[] = {
	/* Vendor and the last leaf, which cpuid_allow() lowers; what the caches are like */
	{0x0, 0, ANY, ALL, ALL, ALL, ALL},
	{0x2, 0, ANY, ALL, ALL, ALL, ALL},
	{0x4, 0, ANY, ALL, ALL, ALL, ALL},
	/* Family, model and ids. Instructions: SSE3, PCLMULQDQ, SSSE3, FMA, CX16, PCID, SSE4.1,
	 * SSE4.2, x2APIC, MOVBE, POPCNT, TSC deadline, AES, XSAVE, OSXSAVE, AVX, F16C, RDRAND,
	 * hypervisor. The old PC's: FPU to CX8, APIC, SEP, MTRR to PSE36, CLFLUSH, MMX to
	 * self-snoop, HTT.
	 */
	{0x1, 0, ANY, ALL, ALL, R(0, 1) | B(9) | R(12, 13) | B(17) | R(19, 31),
	 R(0, 9) | R(11, 17) | B(19) | R(23, 28)},
	/* The APIC timer does not stop (ARAT) */
	{0x6, 0, ANY, B(2), 0, 0, 0},
	/* FSGSBASE, TSC_ADJUST, BMI1, AVX2, FDP, SMEP, BMI2, ERMS, INVPCID, FCS, AVX512F,
	 * AVX512DQ, RDSEED, ADX, SMAP, IFMA, CLFLUSHOPT, CLWB, AVX512PF to AVX512VL;
	 * PREFETCHWT1, VBMI, UMIP, PKU, OSPKE, WAITPKG, VBMI2, SHSTK, GFNI, VAES, VPCLMULQDQ,
	 * VNNI, BITALG, VPOPCNTDQ, LA57, RDPID, bus-lock detection, CLDEMOTE, MOVDIRI,
	 * MOVDIR64B; 4VNNIW, 4FMAPS, FSRM, VP2INTERSECT, SERIALIZE, IBT, AVX512_FP16.
	 * Against speculation: MD_CLEAR, IBRS, STIBP, FLUSH_L1D, ARCH_CAPABILITIES, SSBD.
	 */
	{0x7, 0, 0, ALL,
	 R(0, 1) | B(3) | R(5, 10) | B(13) | R(16, 21) | R(23, 24) | R(26, 31),
	 R(0, 12) | B(14) | B(16) | B(22) | R(24, 25) | R(27, 28),
	 R(2, 4) | B(8) | B(10) | B(14) | B(20) | B(23) | R(26, 29) | B(31)},
	/* SHA512, SM3, SM4, AVX_VNNI, AVX512_BF16, LASS, CMPCCXADD, FZRM, FSRS, FSRC, FRED,
	 * LKGS, WRMSRNS, AVX_IFMA, LAM; AVX_VNNI_INT8, AVX_NE_CONVERT, AVX_VNNI_INT16,
	 * PREFETCHI, AVX10
	 */
	{0x7, 1, 1, R(0, 2) | R(4, 7) | R(10, 12) | R(17, 19) | B(23) | B(26), 0, 0,
	 R(4, 5) | B(10) | B(14) | B(19)},
	/* Against speculation: PSFD, IPRED_CTRL, RRSBA_CTRL, DDPD_U, BHI_CTRL, MCDT_NO */
	{0x7, 2, 2, 0, 0, 0, R(0, 5)},
	/* Topology: ours (cpuid_adjust()) */
	{0xb, 0, ANY, ALL, ALL, ALL, ALL},
	{0x1f, 0, ANY, ALL, ALL, ALL, ALL},
	/* XSAVE: what it saves, where, and its variants OPT, C, XGETBV1, S.  Of the
	 * supervisor's states those of control-flow enforcement (SHSTK, IBT).
	 */
	{0xd, 0, 0, STATES, ALL, ALL, 0},
	{0xd, 1, 1, R(0, 3), ALL, R(11, 12), 0},
	{0xd, 2, 2, ALL, ALL, ALL, ALL},
	{0xd, 5, 7, ALL, ALL, ALL, ALL},
	{0xd, 9, 9, ALL, ALL, ALL, ALL},
	{0xd, 11, 12, ALL, ALL, ALL, ALL},
	/* AVX10: version and vector lengths */
	{0x24, 0, ANY, ALL, ALL, 0, 0},
	/* KVM: its name and leaves; the clocks, I/O needs no delay, asynchronous page faults,
	 * steal time, EOI, unhalt, TLB flush, IPIs, polling, yield, the fault's interrupt,
	 * wide destinations, a clock that is stable.  Not: those of encrypted guests and of
	 * nested ones.  The rate of TSC and APIC timer.
	 */
	{0x40000000, 0, ANY, ALL, ALL, ALL, ALL},
	{0x40000001, 0, ANY, R(0, 1) | R(3, 7) | B(9) | R(11, 15) | B(24), 0, 0, 0},
	{0x40000010, 0, ANY, ALL, ALL, 0, 0},
	/* AMD's leaves, which Intel's processors have in part.  Last leaf; LAHF, CMP_LEGACY,
	 * CR8, LZCNT, SSE4A, misaligned SSE, PREFETCHW, OSVW, XOP, FMA4, TBM, topology;
	 * SYSCALL, NX, MMX and FXSR extensions, 1 GiB pages, RDTSCP, long mode, 3DNow, and
	 * leaf 1's again
	 */
	{0x80000000, 0, ANY, ALL, ALL, ALL, ALL},
	{0x80000001, 0, ANY, ALL, ALL, R(0, 1) | R(4, 9) | B(11) | B(16) | R(21, 22),
	 R(0, 9) | R(11, 17) | B(20) | R(22, 27) | R(29, 31)},
	/* The name, the caches, TLBs, the TSC's rate does not change */
	{0x80000002, 0, ANY, ALL, ALL, ALL, ALL},
	{0x80000003, 0, ANY, ALL, ALL, ALL, ALL},
	{0x80000004, 0, ANY, ALL, ALL, ALL, ALL},
	{0x80000005, 0, ANY, ALL, ALL, ALL, ALL},
	{0x80000006, 0, ANY, ALL, ALL, ALL, ALL},
	{0x80000007, 0, ANY, 0, 0, 0, B(8)},
	/* Widths of addresses; CLZERO, XSAVEERPTR, WBNOINVD; against speculation: IBPB, IBRS,
	 * STIBP and how they are best used, SSBD, SSB_NO, PSFD, BTC_NO, IBPB_RET
	 */
	{0x80000008, 0, ANY, ALL,
	 B(0) | B(2) | B(9) | B(12) | R(14, 19) | R(24, 26) | R(28, 30), ALL, 0},
	{0x80000019, 0, ANY, ALL, ALL, 0, 0},
	{0x8000001a, 0, ANY, ALL, 0, 0, 0},
	{0x8000001d, 0, ANY, ALL, ALL, ALL, ALL},
	{0x8000001e, 0, ANY, ALL, ALL, ALL, ALL},
	/* No nested data breakpoints, WRMSR to FS and GS bases does not serialize, LFENCE does,
	 * VERW clears, null selectors clear, AutoIBRS, no SMM_CTL, FSRS, FSRC, PREFETCHI; against
	 * speculation: SBPB, IBPB_BRTYPE, SRSO_NO and the like, TSA's
	 */
	{0x80000021, 0, ANY, R(0, 2) | R(5, 6) | R(8, 11) | B(20) | R(27, 31), 0, R(1, 2),
	 0},
};

static const struct cpuid_row *cpuid_find_row(const struct kvm_cpuid_entry2 *l)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(cpuid_rows); i++) {
		const struct cpuid_row *row = &cpuid_rows[i];

		if (row->function == l->function && l->index >= row->first &&
		    l->index <= row->last)
			return row;
	}
	return NULL;
}

/* The last leaf of those that begin like @base */
static uint32_t cpuid_last(const struct kvm_cpuid2 *t, uint32_t base)
{
	uint32_t last = base;

	for (uint32_t i = 0; i < t->nent; i++)
		if (t->entries[i].function >> 16 == base >> 16)
			last = MAX(last, t->entries[i].function);
	return last;
}

static void cpuid_lower_last(struct kvm_cpuid2 *t)
{
	for (uint32_t i = 0; i < t->nent; i++) {
		struct kvm_cpuid_entry2 *l = &t->entries[i];

		if (l->function == 0 || l->function == 0x80000000)
			l->eax = MIN(l->eax, cpuid_last(t, l->function));
		if (l->function == 7 && l->index == 0)
			l->eax = MIN(l->eax, 2U);
	}
}

void cpuid_allow(struct kvm_cpuid2 *t)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->nent; i++) {
		struct kvm_cpuid_entry2 l = t->entries[i];
		const struct cpuid_row *row = cpuid_find_row(&l);

		if (!row)
			continue;
		l.eax &= row->eax;
		l.ebx &= row->ebx;
		l.ecx &= row->ecx;
		l.edx &= row->edx;
		t->entries[n++] = l;
	}
	t->nent = n;
	cpuid_lower_last(t);
}
