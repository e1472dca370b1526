/* SPDX-License-Identifier: Apache-2.0 */
/* cpuid_names_x86 - see cpuid_names_x86.h. */
#include "vmm/kvm/cpuid_names_x86.h"

#include <stdio.h>
#include <string.h>

#include "vmm/core/util.h"

/* Of bit 0 on; "-": it has none */
static const struct cpuid_row {
	uint32_t function, index;
	unsigned int reg;
	const char *names;
} rows[] = {
	{0x1u, 0, 2,
	 "sse3 pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 "
	 "cid sdbg fma cx16 xtpr pdcm - pcid dca sse4_1 sse4_2 x2apic "
	 "movbe popcnt tsc_deadline_timer aes xsave osxsave avx f16c "
	 "rdrand hypervisor"},
	{0x1u, 0, 3,
	 "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca "
	 "cmov pat pse36 pn clflush - dts acpi mmx fxsr sse sse2 ss "
	 "ht tm ia64 pbe"},
	{0x7u, 0, 1,
	 "fsgsbase tsc_adjust sgx bmi1 hle avx2 - smep bmi2 erms "
	 "invpcid rtm cqm - mpx rdt_a avx512f avx512dq rdseed adx "
	 "smap avx512ifma - clflushopt clwb intel_pt avx512pf "
	 "avx512er avx512cd sha_ni avx512bw avx512vl"},
	{0x7u, 0, 2,
	 "prefetchwt1 avx512vbmi umip pku ospke waitpkg avx512_vbmi2 "
	 "shstk gfni vaes vpclmulqdq avx512_vnni avx512_bitalg tme "
	 "avx512_vpopcntdq - la57 - - - - - rdpid - bus_lock_detect "
	 "cldemote - movdiri movdir64b enqcmd sgx_lc pks"},
	{0x7u, 0, 3,
	 "- - avx512_4vnniw avx512_4fmaps fsrm - - - "
	 "avx512_vp2intersect - md_clear - - - serialize hybrid "
	 "tsxldtrk - pconfig arch_lbr ibt - amx_bf16 avx512_fp16 "
	 "amx_tile amx_int8 spec_ctrl intel_stibp flush_l1d "
	 "arch_capabilities core_capabilities ssbd"},
	{0x7u, 1, 0,
	 "- - - - avx_vnni avx512_bf16 - cmpccxadd - - fzrm fsrs fsrc "
	 "- - - - - - - - amx_fp16 - avx_ifma - - lam"},
	{0xdu, 1, 0, "xsaveopt xsavec xgetbv1 xsaves xfd"},
	{0x80000001u, 0, 2,
	 "lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a "
	 "misalignsse 3dnowprefetch osvw ibs xop skinit wdt - lwp "
	 "fma4 tce - nodeid_msr - tbm topoext perfctr_core perfctr_nb "
	 "- bpext ptsc perfctr_llc mwaitx"},
	{0x80000001u, 0, 3,
	 "fpu vme de pse tsc msr pae mce cx8 apic - syscall mtrr pge "
	 "mca cmov pat pse36 - mp nx - mmxext mmx fxsr fxsr_opt "
	 "pdpe1gb rdtscp - lm 3dnowext 3dnow"},
	{0x80000008u, 0, 1,
	 "clzero irperf xsaveerptr - rdpru - - - mcommit wbnoinvd - - "
	 "amd_ibpb - amd_ibrs amd_stibp - amd_stibp_always_on - "
	 "ibrs_preferred - - - amd_ppin amd_ssbd virt_ssbd amd_ssb_no"},
};

/* The @nr-th word of @names */
static size_t cpuid_word(const char *names, unsigned int nr, const char **word)
{
	for (*word = names; nr > 0 && **word; nr--) {
		*word += strcspn(*word, " ");
		*word += strspn(*word, " ");
	}
	return strcspn(*word, " ");
}

int cpuid_names(uint32_t function, uint32_t index, unsigned int reg, uint32_t bits,
		char *buf, size_t size)
{
	const struct cpuid_row *r = rows;
	size_t n = 0;

	while (r < rows + ARRAY_SIZE(rows) &&
	       !(r->function == function && r->index == index && r->reg == reg))
		r++;
	if (r == rows + ARRAY_SIZE(rows))
		return 0;
	buf[0] = '\0';
	for (unsigned int bit = 0; bit < 32 && n < size; bit++) {
		const char *word;
		size_t len = cpuid_word(r->names, bit, &word);

		if (!(bits >> bit & 1))
			continue;
		if (!len || *word == '-')
			n += (size_t)snprintf(buf + n, size - n, "%sbit %u of 0x%x",
					      n ? ", " : "", bit, function);
		else
			n += (size_t)snprintf(buf + n, size - n, "%s%.*s", n ? ", " : "",
					      (int)len, word);
	}
	return 1;
}
