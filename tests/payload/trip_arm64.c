/* SPDX-License-Identifier: Apache-2.0 */
/* trip_arm64 - the data of trip_guest_arm64.S, and what it must have seen. */
#include "tests/payload/trip.h"

#include <linux/kvm.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "tests/payload/trip_arm64.h"
#include "vmm/core/util.h"
#include "vmm/kvm/irqchip_arm64.h"
#include "vmm/kvm/kvm_arm64.h"
#include "vmm/kvm/regs_arm64.h"

extern const uint8_t trip_guest[], trip_guest_start[], trip_guest_end[];

const uint64_t trip_port = T_PORT;
const bool trip_port_is_mmio = true;
const uint64_t trip_ram = T_RAM;
const unsigned int trip_gsi = T_GSI;
const bool trip_can_halt = false; /* a vCPU in WFI runs, to KVM */
const uint32_t trip_ready = T_READY, trip_done = T_DONE;

#define DELTA_MS \
	2000 /* until the timer's: it is armed in one machine, over in the other */
#define REG_CNTVCT KVM_REG_ARM_TIMER_CNT

static uint64_t counter_hz(void)
{
	uint64_t hz;

	__asm__("mrs %0, cntfrq_el0" : "=r"(hz));
	return hz;
}

static uint64_t *word(struct trip *t, gpa_t at)
{
	return gmem_slice(&t->mem, T_DATA + at, sizeof(uint64_t));
}

bool trip_arch_load(struct trip *t)
{
	/* FPCR: round towards zero.  The address of a breakpoint is a multiple of 4 */
	static const uint64_t sys[T_SYSTEM] = {0x123456789abcdef0, 0x0fedcba987654321,
					       0x0000123400005678, 0x00007fffdeadbee0,
					       0x0000000012345678, 0x0000000087654320,
					       UINT64_C(3) << 22,  0x5a5a};

	if (kvm_arm64_gic(&t->kvm) != 3) {
		(void)printf("skip guest: it wants a GICv3, this host's KVM has none\n");
		return false;
	}
	for (unsigned int i = 0; i < T_SYSTEM; i++)
		*word(t, D_SYS + i * 8) = sys[i];
	for (unsigned int i = 0; i < 31; i++)
		*word(t, D_GPR + i * 8) = UINT64_C(0x0123456789abcdef) * (i + 1);
	for (unsigned int i = 0; i < 64; i++)
		*word(t, D_VEC + i * 8) = UINT64_C(0xfedcba9876543211) * (i + 1);
	*word(t, D_GPR) = UINT64_C(0xaabbccdd) << 32 | T_READY;
	*word(t, D_GPR + 28 * 8) = T_DATA;
	*word(t, D_GPR + 29 * 8) = T_PORT;
	*word(t, D_GPR + 31 * 8) = T_STACK;
	*word(t, D_DELTA) = counter_hz() / 1000 * DELTA_MS;
	return gmem_write(&t->mem, T_CODE, trip_guest,
			  (size_t)(trip_guest_end - trip_guest)) == 0;
}

void trip_arch_enter(struct trip *t, struct err *e)
{
	struct boot_result b = {.entry = T_CODE +
					 (uint64_t)(trip_guest_start - trip_guest)};

	if (vcpu_set_entry(&t->vcpu[0], &b, e) < 0)
		trip_fail("%s", e->msg);
}

void trip_arch_parts(struct trip *t)
{
	(void)t;
}

static uint64_t get_counter(struct trip *t)
{
	uint64_t v = 0;

	if (regs_get(t->vcpu[0].fd, REG_CNTVCT, &v) < 0)
		trip_fail("the counter cannot be read");
	return v;
}

static uint64_t counted; /* before the trip */

void trip_arch_stopped(struct trip *t)
{
	if (*word(t, D_TIMERS) || *word(t, D_SGIS) || *word(t, D_SPIS))
		trip_fail("an interrupt came to a guest that takes none");
	irq_pulse(&t->lined.irq);
	counted = get_counter(t);
}

void trip_arch_compare(struct trip *t)
{
	struct kvm_mp_state mp = {0};
	uint64_t now = get_counter(t), then = counted + t->stored * counter_hz() / 1000;

	if (now < then || now - then >= counter_hz() / 1000 * DELTA_MS)
		trip_fail("the counter went from %llu to %llu", (unsigned long long)then,
			  (unsigned long long)now);
	if (ioctl(t->vcpu[1].fd, KVM_GET_MP_STATE, &mp) < 0 ||
	    mp.mp_state != KVM_MP_STATE_STOPPED)
		trip_fail("the second vCPU, not started yet, is in state %u",
			  mp.mp_state);
}

static void expect_same(struct trip *t, const char *what, gpa_t was, gpa_t seen,
			unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (*word(t, was + i * 8) != *word(t, seen + i * 8))
			trip_fail("%s %u was 0x%llx, is 0x%llx", what, i,
				  (unsigned long long)*word(t, was + i * 8),
				  (unsigned long long)*word(t, seen + i * 8));
}

void trip_arch_check(struct trip *t)
{
	expect_same(t, "general register", D_GPR, D_GPR_SEEN, 32);
	expect_same(t, "half of a vector", D_VEC, D_VEC_SEEN, 64);
	expect_same(t, "system or debug register", D_SYS, D_SYS_SEEN, T_SYSTEM);
	if (*word(t, D_AFTER) < *word(t, D_BEFORE))
		trip_fail("the counter goes back");
	if (*word(t, D_FIRED) < *word(t, D_DEADLINE))
		trip_fail("the timer comes too early");
	if (*word(t, D_TIMERS) != 1 || *word(t, D_SGIS) != 1 || *word(t, D_SPIS) != 1)
		trip_fail(
			"%llu interrupts of the timer, %llu of its own, %llu of the line",
			(unsigned long long)*word(t, D_TIMERS),
			(unsigned long long)*word(t, D_SGIS),
			(unsigned long long)*word(t, D_SPIS));
}

/* ---- the interrupt controller alone, of either version ---- */

static void gic_set(struct trip *t, uint32_t group, uint64_t attr, uint32_t value)
{
	struct kvm_device_attr a = {
		.group = group, .attr = attr, .addr = (uintptr_t)&value};

	if (ioctl(irqchip_gic(&t->chip), KVM_SET_DEVICE_ATTR, &a) < 0)
		trip_fail("the GIC's register 0x%llx of group %u cannot be set",
			  (unsigned long long)attr, group);
}

/* Lines that are enabled, active, pending, of some priority and kind; and a vCPU's own */
static void gic_fill(struct trip *t)
{
	const uint32_t dist = KVM_DEV_ARM_VGIC_GRP_DIST_REGS;
	bool v3 = kvm_arm64_gic(&t->kvm) == 3;
	uint32_t own = v3 ? KVM_DEV_ARM_VGIC_GRP_REDIST_REGS : dist;
	uint64_t base = v3 ? (UINT64_C(1) << 32 | 0x10000)
			   : UINT64_C(1) << KVM_DEV_ARM_VGIC_CPUID_SHIFT;

	gic_set(t, dist, 0x104, 0x00ff00ff);
	gic_set(t, dist, 0x304, 0x00000f00);
	gic_set(t, dist, 0x428, 0x80a0b0c0);
	gic_set(t, dist, 0xc08, 0xaaaa0000);
	gic_set(t, dist, 0x208, 0x00010000);
	gic_set(t, own, base + 0x100, 0x0001fffe);
	gic_set(t, own, base + 0x300, 0x00010000);
	gic_set(t, own, base + 0x404, 0x10203040);
}

void trip_arch_extra(void)
{
	struct trip a, b;

	trip_make(&a, true);
	trip_make(&b, true);
	gic_fill(&a);
	trip_move_chips(&a, &b, NULL, true);
	trip_end(&a);
	trip_end(&b);
}
