/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vcpu_arm64 - registers, features and system events of an arm64 vCPU.
 *
 * vCPU 0 starts as Documentation/arch/arm64/booting.rst asks; the others are off until the guest
 * switches them on by PSCI, which KVM handles itself, like power-off and reset until it tells us
 * of them.
 */
#include "vmm/kvm/vcpu_arch.h"

#include <endian.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/core/log.h"
#include "vmm/core/util.h"
#include "vmm/kvm/kvm_arm64.h"
#include "vmm/kvm/look_arm64.h"
#include "vmm/kvm/regs_arm64.h"
#include "vmm/kvm/store_arm64.h"
#include "vmm/core/layout_arm64.h"

#define PSTATE_START 0x3c5u /* EL1h; D, A, I and F masked */
#define STORE_SP     31u
#define SGIS         16 /* the private peripheral interrupts come after them */
#define MMFR2_FWB(v) ((v) >> 40 & 0xf)

static int vcpu_add_sve(struct vcpu *c, struct err *e)
{
	int feature = KVM_ARM_VCPU_SVE;

	if (ioctl(c->fd, KVM_ARM_VCPU_FINALIZE, &feature) < 0)
		return err_set(e, errno, "vCPU %u: KVM refuses SVE: %s", c->id,
			       strerror(errno));
	return 0;
}

int vcpu_arch_init(struct vcpu *c, struct kvm *k, unsigned int ncpu, struct err *e)
{
	struct kvm_vcpu_init init = *kvm_arm64_vcpu(k);
	uint64_t mmfr2 = 0;

	(void)ncpu;
	if (c->id > 0)
		init.features[0] |= 1u << KVM_ARM_VCPU_POWER_OFF;
	if (ioctl(c->fd, KVM_ARM_VCPU_INIT, &init) < 0)
		return err_set(e, errno,
			       "vCPU %u: KVM refuses the processor it offered: %s", c->id,
			       strerror(errno));
	if (c->id == 0)
		kvm_arm64_set_coherent(k, regs_get(c->fd, REG_MMFR2, &mmfr2) == 0 &&
						  MMFR2_FWB(mmfr2));
	return kvm_arm64_has(k, KVM_ARM_VCPU_SVE) ? vcpu_add_sve(c, e) : 0;
}

/* The performance counters, which need an interrupt controller for their interrupt */
int vcpu_finish(struct vcpu *c, const struct kvm *k, struct err *e)
{
	int irq = SGIS + LAYOUT_PPI_PMU;
	struct kvm_device_attr a = {.group = KVM_ARM_VCPU_PMU_V3_CTRL,
				    .attr = KVM_ARM_VCPU_PMU_V3_IRQ,
				    .addr = (uintptr_t)&irq};

	if (!kvm_arm64_has(k, KVM_ARM_VCPU_PMU_V3))
		return 0;
	if (ioctl(c->fd, KVM_SET_DEVICE_ATTR, &a) == 0) {
		a.attr = KVM_ARM_VCPU_PMU_V3_INIT;
		a.addr = 0;
		if (ioctl(c->fd, KVM_SET_DEVICE_ATTR, &a) == 0)
			return 0;
	}
	return err_set(e, errno, "vCPU %u: KVM refuses performance counters: %s", c->id,
		       strerror(errno));
}

int vcpu_set_entry(struct vcpu *c, const struct boot_result *b, struct err *e)
{
	const struct {
		uint64_t reg, value;
	} start[] = {
		{REG_PC, b->entry}, {REG_PSTATE, PSTATE_START},
		{REG_X(0), b->dtb}, {REG_X(1), 0},
		{REG_X(2), 0},      {REG_X(3), 0},
	};

	uint64_t mmfr0;
	int rc;

	if (regs_get(c->fd, REG_MMFR0, &mmfr0) == 0) {
		rc = boot_check_granule(b->page_size, mmfr0, e);
		if (rc < 0)
			return rc;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(start); i++) {
		rc = regs_set(c->fd, start[i].reg, start[i].value);

		if (rc < 0)
			return err_set(e, -rc,
				       "vCPU 0: KVM refuses its first registers: %s",
				       strerror(-rc));
	}
	return 0;
}

/* The flags lie where kernels before 5.19, which count no data, also have them. */
static void vcpu_exit_reset(struct vcpu *c)
{
	bool warm = c->run->system_event.data[0] &
		    KVM_SYSTEM_EVENT_RESET_FLAG_PSCI_RESET2;

	c->host->ended(c->host, warm ? VCPU_REBOOT_WARM : VCPU_REBOOT, "");
}

static void vcpu_exit_system_event(struct vcpu *c)
{
	char what[64];

	switch (c->run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		c->host->ended(c->host, VCPU_POWEROFF, "");
		break;
	case KVM_SYSTEM_EVENT_RESET:
		vcpu_exit_reset(c);
		break;
	case KVM_SYSTEM_EVENT_CRASH:
		c->host->ended(c->host, VCPU_PANIC, "");
		break;
	default:
		(void)snprintf(what, sizeof(what),
			       "KVM reports system event %u, unknown here",
			       c->run->system_event.type);
		vcpu_fail(c, what, "");
	}
}

/* A machine's bus answers an access that no device claims with a synchronous external abort.
 * Return: 0 or -errno (before Linux 5.5)
 */
static int vcpu_abort_access(struct vcpu *c)
{
	struct kvm_vcpu_events ev;

	if (ioctl(c->fd, KVM_GET_VCPU_EVENTS, &ev) < 0)
		return -errno;
	ev.exception.ext_dabt_pending = 1;
	return ioctl(c->fd, KVM_SET_VCPU_EVENTS, &ev) < 0 ? -errno : 0;
}

/* Drop a plain store, like one that the processor decodes for us.
 * Return: false, it is something else
 */
static bool vcpu_drop_store(struct vcpu *c)
{
	uint64_t pstate, pc, value;
	unsigned int base;
	uint32_t code;
	int64_t add;
	gpa_t at;

	if (regs_get(c->fd, REG_PSTATE, &pstate) < 0 || (pstate & PSTATE_A32) ||
	    regs_get(c->fd, REG_PC, &pc) < 0 ||
	    regs_translate(c->fd, c->host->mem, pc, &at) < 0 ||
	    gmem_read(c->host->mem, at, &code, sizeof(code)) < 0 ||
	    !store_skip(le32toh(code), &base, &add))
		return false;
	if (add && (base == STORE_SP || regs_get(c->fd, REG_X(base), &value) < 0 ||
		    regs_set(c->fd, REG_X(base), value + (uint64_t)add) < 0))
		return false;
	return regs_set(c->fd, REG_PC, pc + sizeof(code)) == 0;
}

/* The guest used an instruction that processors do not decode for us, like a store of two
 * registers, on a device, on no device, or to write to read-only memory (--pmem with ro).
 */
static void vcpu_exit_nisv(struct vcpu *c)
{
	char what[128], where[160];
	const char *how = NULL;

	vcpu_arch_where(c, where, sizeof(where));
	if (vcpu_drop_store(c))
		how = "it is dropped";
	else if (vcpu_abort_access(c) == 0)
		how = "the guest gets an external abort";
	if (how) {
		log_guest("vCPU %u: an access to 0x%llx that KVM cannot emulate, at %s; "
			  "%s",
			  c->id, (unsigned long long)c->run->arm_nisv.fault_ipa, where,
			  how);
		return;
	}
	(void)snprintf(what, sizeof(what),
		       "KVM cannot emulate the guest's access to 0x%llx, where there is "
		       "no memory,",
		       (unsigned long long)c->run->arm_nisv.fault_ipa);
	vcpu_fail(c, what,
		  "; device registers want plain loads and stores of one register");
}

bool vcpu_arch_exit(struct vcpu *c)
{
	switch (c->run->exit_reason) {
	case KVM_EXIT_SYSTEM_EVENT:
		vcpu_exit_system_event(c);
		return true;
	case KVM_EXIT_ARM_NISV:
		vcpu_exit_nisv(c);
		return true;
	default:
		return false;
	}
}

/* The instruction at @pc is put into @code.  Return: could it be read? */
static bool vcpu_code(const struct vcpu *c, uint64_t pc, uint32_t *code)
{
	uint32_t le;
	gpa_t at;

	if (regs_translate(c->fd, c->host->mem, pc, &at) < 0 ||
	    gmem_read(c->host->mem, at, &le, sizeof(le)) < 0)
		return false;
	*code = le32toh(le);
	return true;
}

const bool vcpu_dead_is_certain = false; /* it boots with all exceptions masked */

enum vcpu_look vcpu_arch_look(const struct vcpu *c)
{
	uint32_t at = 0, before = 0;
	struct kvm_mp_state mp;
	uint64_t pstate, pc;

	if (ioctl(c->fd, KVM_GET_MP_STATE, &mp) < 0 ||
	    regs_get(c->fd, REG_PSTATE, &pstate) < 0 || regs_get(c->fd, REG_PC, &pc) < 0)
		return VCPU_BUSY;
	if (mp.mp_state == KVM_MP_STATE_STOPPED)
		return VCPU_DEAD;
	if (look_needs_code(pstate) &&
	    (!vcpu_code(c, pc, &at) || !vcpu_code(c, pc - sizeof(before), &before)))
		return VCPU_BUSY;
	return look_at(pstate, at, before);
}

void vcpu_arch_where(struct vcpu *c, char *buf, size_t len)
{
	uint64_t pc;
	uint32_t code;
	gpa_t at;
	int n;

	if (regs_get(c->fd, REG_PC, &pc) < 0) {
		(void)snprintf(buf, len, "an unknown place");
		return;
	}
	n = snprintf(buf, len, "PC 0x%llx", (unsigned long long)pc);
	if (n < 0 || (size_t)n >= len || regs_translate(c->fd, c->host->mem, pc, &at) < 0)
		return;
	if (gmem_read(c->host->mem, at, &code, sizeof(code)) == 0)
		(void)snprintf(buf + n, len - (size_t)n, ", instruction %08x", code);
}

/* Its clock is the host's counter, and has no such flag: see docs/arm64.md */
void vcpu_arch_paused(struct vcpu *c)
{
	(void)c;
}

/* KVM on Arm executes all of a guest natively: it interprets nothing */
const char *vcpu_arch_advice(const struct vcpu *c)
{
	(void)c;
	return "";
}
