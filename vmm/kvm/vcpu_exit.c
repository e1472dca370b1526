/* SPDX-License-Identifier: Apache-2.0 */
/* vcpu_exit - what an exit of KVM_RUN asks for, and the sentences for those that end the guest. */
#include "vmm/kvm/vcpu_exit.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>

#include "vmm/core/limits.h"
#include "vmm/core/util.h"
#include "vmm/kvm/vcpu_arch.h"

/* An access of 3, 5, 6 or 7 bytes (one that crosses a page, cut in two by KVM) belongs to
 * no register: all ones, or dropped.
 */
static bool vcpu_size_ok(unsigned int size)
{
	return size == 1 || size == 2 || size == 4 || size == 8;
}

void vcpu_write(struct vcpu *c, struct bus *b, uint64_t addr, unsigned int size,
		uint64_t val)
{
	if (!c->helper.started)
		bus_write(b, addr, size, val);
	else if (!bus_write_quick(b, addr, size, val))
		vcpu_helper_write(&c->helper, b, addr, size, val);
}

static void vcpu_exit_mmio(struct vcpu *c)
{
	unsigned int len = MIN(c->run->mmio.len, 8U);
	uint64_t addr = c->run->mmio.phys_addr;
	uint64_t val = ~UINT64_C(0);

	if (!c->run->mmio.is_write) {
		if (vcpu_size_ok(len))
			val = bus_read(c->host->mmio, addr, len);
		memcpy(c->run->mmio.data, &val, len);
	} else if (vcpu_size_ok(len)) {
		val = 0;
		memcpy(&val, c->run->mmio.data, len);
		vcpu_write(c, c->host->mmio, addr, len, val);
	}
}

void vcpu_fail(struct vcpu *c, const char *what, const char *advice)
{
	char where[160], detail[512];

	vcpu_arch_where(c, where, sizeof(where));
	(void)snprintf(detail, sizeof(detail), "vCPU %u: %s at %s%s", c->id, what, where,
		       advice);
	c->host->ended(c->host, VCPU_CANNOT_GO_ON, detail);
}

static void vcpu_exit_internal_error(struct vcpu *c)
{
	char what[64];

	if (c->run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION) {
		vcpu_fail(c, "KVM cannot emulate the guest's instruction",
			  vcpu_arch_advice(c));
		return;
	}
	(void)snprintf(what, sizeof(what), "KVM internal error %u",
		       c->run->internal.suberror);
	vcpu_fail(c, what, "");
}

static void vcpu_exit_fail_entry(struct vcpu *c)
{
	char what[96];

	(void)snprintf(
		what, sizeof(what), "the processor refuses to enter the guest (0x%llx)",
		(unsigned long long)c->run->fail_entry.hardware_entry_failure_reason);
	vcpu_fail(c, what, "");
}

/* No other thread writes, so this needs no locked instruction. */
void vcpu_count(struct vcpu *c, uint32_t reason)
{
	uint64_t n = atomic_load_explicit(&c->exits[reason], memory_order_relaxed);

	atomic_store_explicit(&c->exits[reason], n + 1, memory_order_relaxed);
}

bool vcpu_handle_exit(struct vcpu *c)
{
	uint32_t reason = c->run->exit_reason;
	char what[64];

	vcpu_count(c, MIN(reason, VCPU_EXIT_REASONS - 1U));
	switch (reason) {
	case KVM_EXIT_MMIO:
		vcpu_exit_mmio(c);
		return true;
	case KVM_EXIT_INTR:
		return true;
	case KVM_EXIT_SHUTDOWN:
		c->host->ended(c->host, VCPU_TRIPLE_FAULT, "");
		return false;
	case KVM_EXIT_INTERNAL_ERROR:
		vcpu_exit_internal_error(c);
		return false;
	case KVM_EXIT_FAIL_ENTRY:
		vcpu_exit_fail_entry(c);
		return false;
	default:
		if (vcpu_arch_exit(c))
			return true;
		(void)snprintf(what, sizeof(what),
			       "KVM left for a reason unknown here (%u)", reason);
		vcpu_fail(c, what, "");
		return false;
	}
}

/* EFAULT: the host has no page for an address that the guest may use */
void vcpu_run_failed(struct vcpu *c, int code)
{
	char what[64];

	(void)snprintf(what, sizeof(what), "KVM_RUN: %s", strerror(code));
	vcpu_fail(c, what,
		  code == EFAULT ? "; was a file that its memory is mapped from cut "
				   "short?  Replace such a file (by rename) instead; or "
				   "has the host no page left for its RAM?"
				 : limits_thread_cure(code));
}

const char *vcpu_exit_name(unsigned int reason)
{
	static const char *const names[VCPU_EXIT_REASONS] = {
		[KVM_EXIT_UNKNOWN] = "unknown",
		[KVM_EXIT_IO] = "io",
		[KVM_EXIT_HLT] = "hlt",
		[KVM_EXIT_MMIO] = "mmio",
		[KVM_EXIT_IRQ_WINDOW_OPEN] = "irq-window",
		[KVM_EXIT_SHUTDOWN] = "shutdown",
		[KVM_EXIT_FAIL_ENTRY] = "fail-entry",
		[KVM_EXIT_INTR] = "signal",
		[KVM_EXIT_INTERNAL_ERROR] = "internal-error",
		[KVM_EXIT_SYSTEM_EVENT] = "system-event",
		[KVM_EXIT_IOAPIC_EOI] = "ioapic-eoi",
		[KVM_EXIT_ARM_NISV] = "arm-nisv",
		[KVM_EXIT_X86_BUS_LOCK] = "bus-lock",
		[KVM_EXIT_NOTIFY] = "notify",
		[VCPU_EXIT_REASONS - 1] = "other",
	};

	return reason < ARRAY_SIZE(names) ? names[reason] : NULL;
}
