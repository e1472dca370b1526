/* SPDX-License-Identifier: Apache-2.0 */
/* trip_x86 - the tables round trip_guest_x86.S, and what it must have seen. */
#include "tests/payload/trip.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "devices/legacy/ioapic.h"
#include "tests/payload/trip_x86.h"
#include "vmm/core/layout_x86.h"
#include "vmm/core/util.h"
#include "vmm/kvm/kvm_state.h"

extern const uint8_t trip_guest[], trip_guest_end[], trip_on_timer[], trip_on_ipi[],
	trip_on_line[], trip_on_fault[];

const uint64_t trip_port = T_PORT;
const bool trip_port_is_mmio = false;
const uint64_t trip_ram = 0;
const unsigned int trip_gsi = T_GSI;
const bool trip_can_halt = true;
const uint32_t trip_ready = T_READY, trip_done = T_DONE;

#define DELTA_MS \
	2000 /* until the deadline: it is armed in one machine, over in the other */
#define AGE_US          500000
#define XSAVE_YMM       576 /* where the upper halves are (Intel SDM 1, 13.5) */
#define XSAVE_HEADER    512
#define PAGE_FLAGS      UINT64_C(0x83) /* 2 MiB, writable, present */
#define MSR_SYSTEM_TIME 0x4b564d01u    /* KVM's clock, at T_STACK's page */

static uint64_t *word(struct trip *t, gpa_t at)
{
	return gmem_slice(&t->mem, at, sizeof(uint64_t));
}

/* ---- the guest ---- */

static void put_pages(struct trip *t)
{
	*word(t, T_PML4) = T_PDPT | 3;
	*word(t, T_PDPT) = T_PD_LOW | 3;
	*word(t, T_PDPT + 3 * 8) = T_PD_HIGH | 3;
	for (unsigned int i = 0; i < 512; i++) {
		*word(t, T_PD_LOW + i * 8) = i * (2 * MIB) | PAGE_FLAGS;
		*word(t, T_PD_HIGH + i * 8) = (3 * GIB + i * (2 * MIB)) | PAGE_FLAGS;
	}
	*word(t, T_GDT + 0x10) = UINT64_C(0x00af9b000000ffff);
	*word(t, T_GDT + 0x18) = UINT64_C(0x00cf93000000ffff);
}

static void put_gate(struct trip *t, unsigned int vector, const uint8_t *handler)
{
	uint64_t at = T_CODE + (uint64_t)(handler - trip_guest);

	*word(t, T_IDT + vector * 16) = (at & 0xffff) | UINT64_C(0x10) << 16 |
					UINT64_C(0x8e00) << 32 | (at >> 16) << 48;
}

static void put_values(struct trip *t)
{
	static const uint64_t sys[T_SYSTEM] = {
		0x00007f1234567000, 0xffff888012345000, 0x00007f00deadb000,
		0x123456789000,     0x111000,           0x222000,
		0x333000,           0x444000,           0x401};

	for (unsigned int i = 0; i < T_SYSTEM; i++)
		*word(t, T_SYS + i * 8) = sys[i];
	for (unsigned int i = 0; i < 16; i++)
		*word(t, T_GPR + i * 8) = UINT64_C(0x0123456789abcdef) * (i + 1);
	for (unsigned int i = 0; i < 32; i++)
		*word(t, T_XMM + i * 8) = UINT64_C(0xfedcba9876543211) * (i + 1);
	*word(t, T_GPR) = UINT64_C(0xaabbccdd) << 32 | T_READY; /* RAX is what is said */
	*word(t, T_GPR + 4 * 8) = T_STACK - 0x100;              /* RSP has to be one */
}

bool trip_arch_load(struct trip *t)
{
	int khz = ioctl(t->vcpu[0].fd, KVM_GET_TSC_KHZ, 0);
	uint8_t *idtr = gmem_slice(&t->mem, T_IDTR, 10);
	const uint16_t limit = 0xfff;
	const uint64_t base = T_IDT;

	put_pages(t);
	for (unsigned int i = 0; i < 32; i++)
		put_gate(t, i, trip_on_fault);
	put_gate(t, V_TIMER, trip_on_timer);
	put_gate(t, V_IPI, trip_on_ipi);
	put_gate(t, V_LINE, trip_on_line);
	memcpy(idtr, &limit, sizeof(limit));
	memcpy(idtr + 2, &base, sizeof(base));
	put_values(t);
	*word(t, T_HALTS) = t->halts;
	*word(t, T_DELTA) = (uint64_t)khz * DELTA_MS;
	return gmem_write(&t->mem, T_CODE, trip_guest,
			  (size_t)(trip_guest_end - trip_guest)) == 0;
}

void trip_arch_enter(struct trip *t, struct err *e)
{
	struct boot_result b = {.mode = BOOT_LONG64,
				.entry = T_CODE,
				.cr3 = T_PML4,
				.gdt = T_GDT,
				.stack = T_STACK};

	if (vcpu_set_entry(&t->vcpu[0], &b, e) < 0)
		trip_fail("%s", e->msg);
	/* Older than the machine that it goes to, but younger than a second: see state_tsc_x86.c */
	(void)usleep(AGE_US);
}

void trip_arch_parts(struct trip *t)
{
	if (t->cfg.acpi)
		t->more =
			ioapic_create(LAYOUT_IOAPIC, LAYOUT_IOAPIC_PINS, &t->chip.router);
}

/* ---- what its instructions do not reach on every KVM: AVX and KVM's clock ---- */

static struct kvm_xsave *get_xsave(struct trip *t)
{
	int size = kvm_has(&t->kvm, KVM_CAP_XSAVE2);
	struct kvm_xsave *x = calloc(1, MAX((size_t)size, sizeof(*x)));

	if (!x || ioctl(t->vcpu[0].fd, size > 0 ? KVM_GET_XSAVE2 : KVM_GET_XSAVE, x) < 0)
		trip_fail("KVM_GET_XSAVE: %s", strerror(errno));
	return x;
}

static bool has_avx(struct trip *t)
{
	struct kvm_xcrs x = {0};

	return ioctl(t->vcpu[0].fd, KVM_GET_XCRS, &x) == 0 && x.nr_xcrs == 1;
}

/* Return: is there AVX to be set?  XCR0 0x7 and the upper halves */
static bool set_avx(struct trip *t)
{
	struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs[0] = {.value = 7}};
	cleanup_free struct kvm_xsave *x = get_xsave(t);
	uint8_t *byte = (uint8_t *)x->region;

	if (!has_avx(t) || ioctl(t->vcpu[0].fd, KVM_SET_XCRS, &xcrs) < 0)
		return false;
	for (unsigned int i = 0; i < 256; i++)
		byte[XSAVE_YMM + i] = (uint8_t)(i * 5 + 1);
	byte[XSAVE_HEADER] |= 7;
	if (ioctl(t->vcpu[0].fd, KVM_SET_XSAVE, x) < 0)
		trip_fail("KVM_SET_XSAVE: %s", strerror(errno));
	return true;
}

static uint64_t get_msr(struct trip *t, uint32_t index)
{
	_Alignas(struct kvm_msrs)
		uint8_t buf[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)] = {0};
	struct kvm_msrs *m = (void *)buf;

	m->nmsrs = 1;
	m->entries[0].index = index;
	if (ioctl(t->vcpu[0].fd, KVM_GET_MSRS, m) != 1)
		trip_fail("MSR 0x%x cannot be read", index);
	return m->entries[0].data;
}

static bool set_msr(struct trip *t, uint32_t index, uint64_t value)
{
	_Alignas(struct kvm_msrs)
		uint8_t buf[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)] = {0};
	struct kvm_msrs *m = (void *)buf;

	m->nmsrs = 1;
	m->entries[0].index = index;
	m->entries[0].data = value;
	return ioctl(t->vcpu[0].fd, KVM_SET_MSRS, m) == 1;
}

static uint64_t get_clock(struct trip *t)
{
	struct kvm_clock_data c = {0};

	(void)ioctl(t->kvm.vm_fd, KVM_GET_CLOCK, &c);
	return c.clock;
}

/* Do all vCPUs see the same TSC, as KVM finds when they run? */
static bool clock_is_stable(struct trip *t)
{
	struct kvm_clock_data c = {0};

	(void)ioctl(t->kvm.vm_fd, KVM_GET_CLOCK, &c);
	return c.flags & KVM_CLOCK_TSC_STABLE;
}

static struct {
	bool stable;
	bool avx, kvmclock, offset;
	uint64_t clock, tsc, deadline;
} before;

/* Can a guest's TSC differ from the host's?  Then that of a new machine starts at 0 */
static bool tsc_has_offset(struct trip *t)
{
	return get_msr(t, 0x10) < __builtin_ia32_rdtsc() / 2;
}

static void expect_run_state(struct trip *t, unsigned int id, uint32_t want)
{
	struct kvm_mp_state mp = {0};

	if (ioctl(t->vcpu[id].fd, KVM_GET_MP_STATE, &mp) < 0 || mp.mp_state != want)
		trip_fail("vCPU %u is in run state %u, not %u", id, mp.mp_state, want);
}

void trip_arch_stopped(struct trip *t)
{
	if (t->halts) {
		expect_run_state(t, 0, KVM_MP_STATE_HALTED);
		return;
	}
	if (*word(t, T_TIMERS) || *word(t, T_IPIS) || *word(t, T_LINES))
		trip_fail("an interrupt came to a guest that takes none");
	irq_pulse(&t->lined.irq); /* its pin is masked */
	before.avx = set_avx(t);
	before.kvmclock = set_msr(t, MSR_SYSTEM_TIME, T_STACK | 1);
	before.stable = clock_is_stable(t);
	before.offset = tsc_has_offset(t);
	before.clock = get_clock(t);
	before.tsc = get_msr(t, 0x10);
	before.deadline = get_msr(t, 0x6e0);
	if (before.deadline != *word(t, T_DEADLINE))
		trip_fail("the deadline is 0x%llx, not armed at 0x%llx",
			  (unsigned long long)before.deadline,
			  (unsigned long long)*word(t, T_DEADLINE));
	if (!before.offset)
		(void)printf("skip TSC_stands_still: this KVM shows the host's\n");
	if (!before.avx)
		(void)printf("skip AVX: this KVM's processor has none\n");
}

/* How far @now is from @then, in milliseconds of a count of @khz */
static void expect_little(const char *what, uint64_t then, uint64_t now, uint64_t khz)
{
	if (now < then || (now - then) / khz >= DELTA_MS)
		trip_fail("%s went from %llu to %llu", what, (unsigned long long)then,
			  (unsigned long long)now);
}

void trip_arch_compare(struct trip *t)
{
	uint64_t khz = (uint64_t)ioctl(t->vcpu[0].fd, KVM_GET_TSC_KHZ, 0);
	cleanup_free struct kvm_xsave *x = get_xsave(t);

	expect_run_state(t, 1, KVM_MP_STATE_UNINITIALIZED);
	if (t->halts) {
		expect_run_state(t, 0, KVM_MP_STATE_HALTED);
		return;
	}
	for (unsigned int i = 0; before.avx && i < 256; i++)
		if (((uint8_t *)x->region)[XSAVE_YMM + i] != (uint8_t)(i * 5 + 1)) {
			trip_fail("byte %u of the AVX registers is lost", i);
			break;
		}
	if (before.kvmclock && get_msr(t, MSR_SYSTEM_TIME) != (T_STACK | 1))
		trip_fail("KVM's clock has lost its page");
	expect_little("KVM's clock", before.clock + t->stored * 1000000, get_clock(t),
		      1000000);
	if (before.offset)
		expect_little("the TSC", before.tsc + t->stored * khz, get_msr(t, 0x10),
			      khz);
	if (get_msr(t, 0x6e0) != before.deadline)
		trip_fail("the deadline is lost");
	if (!irq_kept(&t->lined.irq))
		trip_fail("the edge of the masked pin is lost");
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
	if (t->halts) {
		if (*word(t, T_TIMERS) != 1 || *word(t, T_FIRED) < *word(t, T_DEADLINE))
			trip_fail("the timer does not wake a vCPU that was halted");
		return;
	}
	expect_same(t, "general register", T_GPR, T_GPR_SEEN, 16);
	expect_same(t, "half of an SSE register", T_XMM, T_XMM_SEEN, 32);
	expect_same(t, "base, CR2 or debug register", T_SYS, T_SYS_SEEN, T_SYSTEM);
	if (before.stable && !clock_is_stable(t))
		trip_fail("KVM's clock is not stable any more: the vCPUs' TSCs differ");
	if (*word(t, T_AFTER) < *word(t, T_BEFORE))
		trip_fail("the TSC goes back");
	if (*word(t, T_FIRED) < *word(t, T_DEADLINE))
		trip_fail("the timer comes too early");
	if (*word(t, T_TIMERS) != 1 || *word(t, T_IPIS) != 1 || *word(t, T_LINES) != 1)
		trip_fail(
			"%llu interrupts of the timer, %llu of its own, %llu of the line",
			(unsigned long long)*word(t, T_TIMERS),
			(unsigned long long)*word(t, T_IPIS),
			(unsigned long long)*word(t, T_LINES));
}

/* ---- without ACPI: KVM's own PC chips; and a machine with them is another ---- */

static void check_chips(struct trip *t)
{
	struct kvm_irqchip pic = {.chip_id = KVM_IRQCHIP_PIC_SLAVE};
	struct kvm_pit_state2 pit = {0};

	if (ioctl(t->kvm.vm_fd, KVM_GET_IRQCHIP, &pic) < 0 || pic.chip.pic.imr != 0xa5 ||
	    pic.chip.pic.irq_base != 0x28)
		trip_fail("the 8259 has lost its mask");
	if (ioctl(t->kvm.vm_fd, KVM_GET_PIT2, &pit) < 0 ||
	    pit.channels[2].count != 0x1234)
		trip_fail("the 8254 has lost its count");
}

static void set_chips(struct trip *t)
{
	struct kvm_irqchip pic = {.chip_id = KVM_IRQCHIP_PIC_SLAVE};
	struct kvm_pit_state2 pit = {0};

	(void)ioctl(t->kvm.vm_fd, KVM_GET_IRQCHIP, &pic);
	pic.chip.pic.imr = 0xa5;
	pic.chip.pic.irq_base = 0x28;
	(void)ioctl(t->kvm.vm_fd, KVM_GET_PIT2, &pit);
	pit.channels[2].count = 0x1234;
	pit.channels[2].mode = 3;
	if (ioctl(t->kvm.vm_fd, KVM_SET_IRQCHIP, &pic) < 0 ||
	    ioctl(t->kvm.vm_fd, KVM_SET_PIT2, &pit) < 0)
		trip_fail("KVM's PC chips cannot be set: %s", strerror(errno));
}

void trip_arch_extra(void)
{
	struct trip a, b, split;

	trip_make(&a, false);
	trip_make(&b, false);
	trip_make(&split, true);
	set_chips(&a);
	trip_move_chips(&a, &b, NULL, false);
	check_chips(&b);
	trip_move_chips(&a, &split, "had --acpi off, this one has --acpi on", false);
	trip_end(&a);
	trip_end(&b);
	trip_end(&split);
}
