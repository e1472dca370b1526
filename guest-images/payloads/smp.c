/* SPDX-License-Identifier: Apache-2.0 */
/* smp - every processor of cpus= starts and counts, at the same time as the others. */
#include "guest-images/payloads/rt/rt.h"

#define ROUNDS 100000

static unsigned int arrived, counter;

static void smp_count(void)
{
	for (unsigned int i = 0; i < ROUNDS; i++)
		__atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&arrived, 1, __ATOMIC_RELEASE);
}

int main(void)
{
	unsigned int n = (unsigned int)cmdline_u64("cpus", 1);
	uint64_t end;

	for (unsigned int i = 1; i < n; i++)
		if (!rt_ap_start(i, smp_count)) {
			print("FAIL: processor %u does not start\n", i);
			return 1;
		}
	end = now_ns() + UINT64_C(5000000000);
	while (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) != n - 1 && now_ns() < end)
		cpu_relax();
	if (counter != (n - 1) * ROUNDS) {
		print("FAIL: counted %u, not %u\n", counter, (n - 1) * ROUNDS);
		return 1;
	}
	print("PASS: %u processors\n", n);
	return 0;
}
