/* SPDX-License-Identifier: Apache-2.0 */
/* clock - the TSC in nanoseconds, at the rate that the VMM tells in CPUID. */
#include "guest-images/payloads/rt/rt.h"

#define CPUID_TSC_CRYSTAL 0x15
#define CPUID_HYPERVISOR  0x40000000
#define CPUID_TSC_KHZ     0x40000010 /* as VMware defined it and others took it over */
#define KHZ_GUESS         2500000    /* a guess: timeouts will be roughly right */

static uint64_t clock_read_khz(void)
{
	uint32_t r[4];

	cpuid(CPUID_HYPERVISOR, r);
	if (r[0] >= CPUID_TSC_KHZ) {
		cpuid(CPUID_TSC_KHZ, r);
		if (r[0])
			return r[0];
	}
	cpuid(0, r);
	if (r[0] >= CPUID_TSC_CRYSTAL) {
		cpuid(CPUID_TSC_CRYSTAL, r);
		if (r[0] && r[1] && r[2])
			return (uint64_t)r[2] * r[1] / r[0] / 1000;
	}
	return KHZ_GUESS;
}

uint64_t tsc_khz(void)
{
	static uint64_t khz;

	if (!khz)
		khz = clock_read_khz();
	return khz;
}

uint64_t now_ns(void)
{
	uint64_t t = rdtsc(), khz = tsc_khz();

	return t / khz * 1000000 + t % khz * 1000000 / khz;
}
