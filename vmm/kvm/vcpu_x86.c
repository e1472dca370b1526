/* SPDX-License-Identifier: Apache-2.0 */
/* vcpu_x86 - registers, identification and port I/O of an x86-64 vCPU. */
#include "vmm/kvm/vcpu_arch.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/core/util.h"
#include "vmm/kvm/cpuid_x86.h"
#include "vmm/kvm/kvm_x86.h"

#define MSR_MTRR_DEF_TYPE 0x2ffu
#define MTRR_ENABLED_WB   (1u << 11 | 6u)
#define CR0_PE            (UINT64_C(1) << 0)
#define CR0_ET            (UINT64_C(1) << 4)
#define CR0_PG            (UINT64_C(1) << 31)
#define CR4_PAE           (UINT64_C(1) << 5)
#define EFER_LME          (UINT64_C(1) << 8)
#define EFER_LMA          (UINT64_C(1) << 10)
#define RFLAGS_RESERVED   UINT64_C(2)
#define RFLAGS_IF         (UINT64_C(1) << 9)
/* struct boot_result's GDT */
#define GDT_CODE  0x10
#define GDT_DATA  0x18
#define GDT_LIMIT (4 * 8 - 1)

/* All memory write-back from the start, as firmware would have left it: a kernel that
 * finds the MTRRs off takes memory for uncached.
 */
static int vcpu_set_msrs(struct vcpu *c, struct err *e)
{
	_Alignas(struct kvm_msrs)
		uint8_t buf[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)] = {0};
	struct kvm_msrs *msrs = (void *)buf;

	msrs->nmsrs = 1;
	msrs->entries[0].index = MSR_MTRR_DEF_TYPE;
	msrs->entries[0].data = MTRR_ENABLED_WB;
	if (ioctl(c->fd, KVM_SET_MSRS, msrs) != 1)
		return err_set(e, errno ? errno : EINVAL, "vCPU %u: KVM refuses its MSRs",
			       c->id);
	return 0;
}

/* KVM answers its own hypercalls and MSRs only where the identification has them; otherwise it
 * would answer all that it implements, whatever the guest is told.
 */
static int vcpu_enforce_features(struct vcpu *c, const struct kvm *k, struct err *e)
{
	struct kvm_enable_cap on = {.cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID, .args = {1}};

	if (kvm_has(k, KVM_CAP_ENFORCE_PV_FEATURE_CPUID) <= 0) /* before Linux 5.10 */
		return 0;
	if (ioctl(c->fd, KVM_ENABLE_CAP, &on) < 0)
		return err_set(e, errno,
			       "vCPU %u: KVM refuses to keep to its identification: %s",
			       c->id, strerror(errno));
	return 0;
}

int vcpu_arch_init(struct vcpu *c, struct kvm *k, unsigned int ncpu, struct err *e)
{
	int khz = ioctl(c->fd, KVM_GET_TSC_KHZ, 0);
	struct kvm_cpuid2 *t = kvm_x86_cpuid(k, ncpu, khz < 0 ? 0 : (uint32_t)khz, e);

	if (!t)
		return -e->code;
	if (c->id == 0) /* a machine that runs opens no file */
		c->host->emulates = access("/sys/module/kvm_intel", F_OK) < 0 &&
				    access("/sys/module/kvm_amd", F_OK) < 0;
	cpuid_set_id(t, c->id);
	if (ioctl(c->fd, KVM_SET_CPUID2, t) < 0)
		return err_set(e, errno, "vCPU %u: KVM refuses its identification: %s",
			       c->id, strerror(errno));
	if (vcpu_enforce_features(c, k, e) < 0)
		return -e->code;
	return vcpu_set_msrs(c, e);
}

int vcpu_finish(struct vcpu *c, const struct kvm *k, struct err *e)
{
	(void)c; /* a local APIC is complete from the start */
	(void)k;
	(void)e;
	return 0;
}

static struct kvm_segment vcpu_code_segment(bool long_mode)
{
	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = GDT_CODE,
		.type = 0xb, /* code, readable, accessed */
		.present = 1,
		.db = !long_mode,
		.s = 1,
		.l = long_mode,
		.g = 1,
	};
}

static struct kvm_segment vcpu_data_segment(void)
{
	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = GDT_DATA,
		.type = 0x3, /* data, writable, accessed */
		.present = 1,
		.db = 1,
		.s = 1,
		.g = 1,
	};
}

int vcpu_set_entry(struct vcpu *c, const struct boot_result *b, struct err *e)
{
	bool long_mode = b->mode == BOOT_LONG64;
	struct kvm_regs regs = {
		.rip = b->entry,
		.rsi = b->rsi,
		.rbx = b->rbx,
		.rsp = b->stack,
		.rflags = RFLAGS_RESERVED,
	};
	struct kvm_sregs s;

	if (ioctl(c->fd, KVM_GET_SREGS, &s) < 0)
		return err_set(e, errno, "vCPU 0: KVM hides its registers: %s",
			       strerror(errno));
	s.cs = vcpu_code_segment(long_mode);
	s.ds = s.es = s.fs = s.gs = s.ss = vcpu_data_segment();
	s.gdt.base = b->gdt;
	s.gdt.limit = GDT_LIMIT;
	s.idt.base = 0;
	s.idt.limit = 0;
	s.cr0 = CR0_PE | CR0_ET;
	if (long_mode) {
		s.cr0 |= CR0_PG;
		s.cr3 = b->cr3;
		s.cr4 = CR4_PAE;
		s.efer = EFER_LME | EFER_LMA;
	}
	if (ioctl(c->fd, KVM_SET_SREGS, &s) < 0 || ioctl(c->fd, KVM_SET_REGS, &regs) < 0)
		return err_set(e, errno, "vCPU 0: KVM refuses its first registers: %s",
			       strerror(errno));
	return 0;
}

/* A string instruction brings several items at once. */
static void vcpu_exit_io(struct vcpu *c)
{
	unsigned int size = c->run->io.size;
	uint8_t *data = (uint8_t *)c->run + c->run->io.data_offset;

	for (uint32_t i = 0; i < c->run->io.count; i++, data += size) {
		uint64_t val = 0;

		if (c->run->io.direction == KVM_EXIT_IO_OUT) {
			memcpy(&val, data, size);
			vcpu_write(c, c->host->pio, c->run->io.port, size, val);
		} else {
			val = bus_read(c->host->pio, c->run->io.port, size);
			memcpy(data, &val, size);
		}
	}
}

/* The guest stalled the memory of the whole host: allow a thousand such accesses a second at
 * most. A signal ends the wait.
 */
static void vcpu_exit_bus_lock(void)
{
	vcpu_nap(1000000);
}

/* The guest kept its processor from interrupts; if its state is whole it goes on */
static void vcpu_exit_notify(struct vcpu *c)
{
	if (c->run->notify.flags & KVM_NOTIFY_CONTEXT_INVALID)
		vcpu_fail(c, "the guest blocked its processor, whose state is lost", "");
}

bool vcpu_arch_exit(struct vcpu *c)
{
	switch (c->run->exit_reason) {
	case KVM_EXIT_IO:
		vcpu_exit_io(c);
		return true;
	case KVM_EXIT_X86_BUS_LOCK:
		vcpu_exit_bus_lock();
		return true;
	case KVM_EXIT_NOTIFY:
		vcpu_exit_notify(c);
		return true;
	case KVM_EXIT_IOAPIC_EOI: /* level-triggered lines: we have none */
		return true;
	default:
		return false;
	}
}

const bool vcpu_dead_is_certain = true;

enum vcpu_look vcpu_arch_look(const struct vcpu *c)
{
	struct kvm_mp_state mp;
	struct kvm_regs regs;
	struct kvm_sregs s;

	if (ioctl(c->fd, KVM_GET_MP_STATE, &mp) < 0 ||
	    ioctl(c->fd, KVM_GET_REGS, &regs) < 0 || ioctl(c->fd, KVM_GET_SREGS, &s) < 0)
		return VCPU_BUSY;
	switch (mp.mp_state) {
	case KVM_MP_STATE_UNINITIALIZED:
	case KVM_MP_STATE_INIT_RECEIVED:
		return VCPU_DEAD;
	case KVM_MP_STATE_HALTED:
		return regs.rflags & RFLAGS_IF ? VCPU_BUSY : VCPU_DEAD;
	default:
		return s.ss.dpl == 0 ? VCPU_KERNEL : VCPU_BUSY;
	}
}

/* A flag beside the guest's clock, where it has one from KVM (KVM API document, 4.75,
 * KVM_KVMCLOCK_CTRL); else an error, which is ignored.
 */
void vcpu_arch_paused(struct vcpu *c)
{
	(void)ioctl(c->fd, KVM_KVMCLOCK_CTRL, 0);
}

void vcpu_arch_where(struct vcpu *c, char *buf, size_t len)
{
	struct kvm_regs regs;
	struct kvm_translation tr;
	uint8_t code[15]; /* the longest instruction there is */
	size_t ncode = sizeof(code);
	int n;

	if (ioctl(c->fd, KVM_GET_REGS, &regs) < 0) {
		(void)snprintf(buf, len, "an unknown place");
		return;
	}
	n = snprintf(buf, len, "RIP 0x%llx", (unsigned long long)regs.rip);
	tr = (struct kvm_translation){.linear_address = regs.rip};
	if (ioctl(c->fd, KVM_TRANSLATE, &tr) < 0 || !tr.valid)
		return;
	ncode = MIN(ncode, PAGE_SIZE - regs.rip % PAGE_SIZE);
	if (gmem_read(c->host->mem, tr.physical_address, code, ncode) < 0)
		return;
	for (size_t i = 0; i < ncode && n >= 0 && (size_t)n < len; i++)
		n += snprintf(buf + n, len - (size_t)n, "%s%02x", i ? " " : ", bytes ",
			      code[i]);
}

const char *vcpu_arch_advice(const struct vcpu *c)
{
	if (!c->host->emulates)
		return "";
	return "; this host's KVM interprets guest kernels instead of running them, and its "
	       "interpreter is incomplete: no stock kernel boots on it; use a host with "
	       "hardware KVM, or the nested host (guest-images/nested); see microvm doctor";
}
