/* SPDX-License-Identifier: Apache-2.0 */
/* smp - start another processor: INIT and SIPI (Intel SDM 3, 11.4.4) through the local
 * APIC's registers, which ring 3 reaches as well.
 */
#include "guest-images/payloads/rt/boot.h"
#include "guest-images/payloads/rt/rt.h"
#include "vmm/core/layout_x86.h"

#define TRAMPOLINE    0x10000 /* the VMM's page tables were here; we have our own */
#define AP_STACK      16384
#define APIC_SPURIOUS (LAYOUT_LAPIC + 0xf0)
#define APIC_ENABLED  0x100
#define ICR_LOW       (LAYOUT_LAPIC + 0x300)
#define ICR_HIGH      (LAYOUT_LAPIC + 0x310)
#define ICR_INIT      0x4500
#define ICR_STARTUP   0x4600
#define TSS_BUSY      (UINT64_C(2) << 40)
#define START_WAIT    1000000000 /* ns */
#define INIT_WAIT     10000000

static void (*smp_fn)(void);
static volatile bool smp_arrived;

_Noreturn void rt_ap_main(void)
{
	void (*fn)(void) = smp_fn;

	smp_arrived = true;
	fn();
	for (;;)
		cpu_relax();
}

static void smp_ipi(unsigned int apic_id, uint32_t command)
{
	write32(ICR_HIGH, apic_id << 24);
	write32(ICR_LOW, command);
}

static bool smp_wait(uint64_t ns, const volatile bool *flag)
{
	uint64_t end = now_ns() + ns;

	while (!*flag)
		if (now_ns() > end)
			return false;
	return true;
}

bool rt_ap_start(unsigned int apic_id, void (*fn)(void))
{
	static const volatile bool never;

	memcpy((void *)(uintptr_t)TRAMPOLINE, rt_ap_trampoline,
	       (size_t)(rt_ap_trampoline_end - rt_ap_trampoline));
	rt_ap_frame.rsp = (uintptr_t)rt_alloc(AP_STACK, 16) + AP_STACK - 8;
	rt_gdt_tss[0] &=
		~TSS_BUSY; /* all processors share the one TSS: exceptions are final */
	smp_fn = fn;
	smp_arrived = false;
	/* as every kernel does first; KVM then also looks anew which processors there are */
	write32(APIC_SPURIOUS, APIC_ENABLED | 0xff);
	smp_ipi(apic_id, ICR_INIT);
	smp_wait(INIT_WAIT, &never);
	smp_ipi(apic_id, ICR_STARTUP | TRAMPOLINE >> 12);
	return smp_wait(START_WAIT, &smp_arrived);
}
