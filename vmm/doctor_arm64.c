/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor_arm64 - does this KVM run a guest, with an interrupt controller, and how fast?
 *
 * A vCPU, set up as a machine's is, counts down between two stores to an address without memory:
 * each is an exit, and the clock runs between them.
 */
#include "vmm/doctor.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/core/config.h"
#include "vmm/core/gmem.h"
#include "vmm/core/util.h"
#include "vmm/kvm/irqchip.h"
#include "vmm/kvm/kvm_arm64.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/core/layout_arm64.h"

#define TRIAL_RAM   (2 * MIB)
#define TRIAL_LOOPS 60000u /* of two instructions; trial_code says it too */
#define TRIAL_RUNS  3      /* the fastest counts: other processes may have used the CPU */
/* Native code runs 200 M instructions a second even in an emulated processor; the measured time
 * includes one exit (up to 50 us)
 */
#define TRIAL_NATIVE 20000000u

/* X0 is LAYOUT_COM1. Hidden: reached without the GOT, in which ld (2.40) gives all symbols that
 * asm keeps local to a file the same entry
 */
extern const char trial_code[] __attribute__((visibility("hidden")));
extern const char trial_code_end[] __attribute__((visibility("hidden")));
__asm__(".pushsection .rodata\n"
	"	.balign 4\n"
	"trial_code:\n"
	"	str	wzr, [x0]\n" /* the clock starts */
	"	movz	w1, #60000\n"
	"1:	subs	w1, w1, #1\n"
	"	b.ne	1b\n"
	"	str	wzr, [x0]\n"
	"	b	trial_code\n"
	"trial_code_end:\n"
	".popsection\n");

struct trial {
	struct kvm *kvm;
	struct gmem mem;
	struct irqchip irqchip;
	struct vcpu_host host;
	struct vcpu vcpu;
};

static int trial_build(struct trial *t, struct err *e)
{
	const struct config cfg = {.ncpu = 1};
	const struct boot_result entry = {.entry = LAYOUT_RAM, .dtb = LAYOUT_COM1};
	struct kvm *k = t->kvm;
	int rc;

	if ((rc = gmem_add(&t->mem, LAYOUT_RAM, TRIAL_RAM, e)) < 0 ||
	    (rc = kvm_add_memory(k, &t->mem, e)) < 0 ||
	    (rc = irqchip_init(&t->irqchip, k, &cfg, e)) < 0 ||
	    (rc = vcpu_create(&t->vcpu, k, 0, cfg.ncpu, &t->host, e)) < 0 ||
	    (rc = irqchip_complete(&t->irqchip, e)) < 0 ||
	    (rc = vcpu_finish(&t->vcpu, k, e)) < 0)
		return rc;
	rc = gmem_write(&t->mem, LAYOUT_RAM, trial_code,
			(size_t)(trial_code_end - trial_code));
	BUG_ON(rc); /* all of it is within TRIAL_RAM */
	return vcpu_set_entry(&t->vcpu, &entry, e);
}

/* Run to the next store. Return: the ns it took; 0 with a sentence in @e */
static uint64_t trial_step(struct trial *t, struct err *e)
{
	uint64_t start = monotonic_ns();

	if (ioctl(t->vcpu.fd, KVM_RUN, 0) < 0) {
		err_set(e, errno, "%s",
			errno == EINTR ? "it does not end" : strerror(errno));
		return 0;
	}
	if (t->vcpu.run->exit_reason != KVM_EXIT_MMIO) {
		err_set(e, EIO, "KVM exit %u", t->vcpu.run->exit_reason);
		return 0;
	}
	return MAX(monotonic_ns() - start, UINT64_C(1));
}

static void trial_speed(struct doctor *d, struct trial *t)
{
	uint64_t best = UINT64_MAX, rate;
	struct err e;

	for (unsigned int i = 0; i < 2 * TRIAL_RUNS; i++) {
		uint64_t ns = trial_step(t, &e);

		if (!ns) {
			doctor_say(d, DOCTOR_NO, "guest EL1", "does not run: %s", e.msg);
			return;
		}
		if (i % 2)
			best = MIN(best, ns);
	}
	rate = UINT64_C(2000000000) * TRIAL_LOOPS / best;
	if (rate < TRIAL_NATIVE)
		doctor_say(d, DOCTOR_NO, "guest EL1",
			   "is interpreted (%.1f M instructions/s), not run: a KVM on "
			   "hardware virtualization is needed",
			   (double)rate / 1e6);
	else
		doctor_say(d, DOCTOR_OK, "guest EL1",
			   "runs natively (over %.0f M instructions/s)",
			   (double)rate / 1e6);
}

static void trial_say_feature(struct doctor *d, const struct kvm *k, unsigned int feature,
			      const char *name)
{
	if (kvm_arm64_has(k, feature))
		doctor_say(d, DOCTOR_OK, name, "in guests, too");
	else
		doctor_say(d, DOCTOR_NOTE, name,
			   "not in guests: the processor lacks it, or its KVM");
}

/* Describe its vCPUs and registers; the first vCPU is made */
static void trial_say(struct doctor *d, const struct kvm *k)
{
	struct err e;

	doctor_say(d, DOCTOR_OK, "interrupt controller", "GICv%u", kvm_arm64_gic(k));
	trial_say_feature(d, k, KVM_ARM_VCPU_PTRAUTH_ADDRESS, "pointer authentication");
	trial_say_feature(d, k, KVM_ARM_VCPU_PMU_V3, "performance counters");
	trial_say_feature(d, k, KVM_ARM_VCPU_SVE, "vectors (SVE)");
	if (kvm_arch_check_rom(k, &e) == 0)
		doctor_say(d, DOCTOR_OK, "register reads", "cost no exit");
	else
		doctor_say(d, DOCTOR_NOTE, "register reads", "cost an exit each: %s",
			   e.msg);
}

void doctor_arch_trial(struct doctor *d, struct kvm *k)
{
	struct trial t = {.kvm = k, .vcpu.fd = -1};
	struct err e = {0};

	gmem_init(&t.mem, false);
	t.host.mem = &t.mem;
	if (trial_build(&t, &e) < 0) {
		doctor_say(d, DOCTOR_NO, "guest EL1", "cannot be set up: %s", e.msg);
	} else {
		trial_say(d, k);
		doctor_set_alarm(true);
		trial_speed(d, &t);
		doctor_set_alarm(false);
	}
	vcpu_destroy(&t.vcpu);
	irqchip_fini(&t.irqchip);
	gmem_fini(&t.mem);
}

const struct doctor_cap doctor_arch_caps[] = {
	{KVM_CAP_ONE_REG, "KVM_CAP_ONE_REG", DOCTOR_NO, "the first registers"},
	{KVM_CAP_DEVICE_CTRL, "KVM_CAP_DEVICE_CTRL", DOCTOR_NO, "the GIC"},
	{KVM_CAP_ARM_PSCI_0_2, "KVM_CAP_ARM_PSCI_0_2", DOCTOR_NO, "power-off and vCPUs"},
	{KVM_CAP_ARM_VM_IPA_SIZE, "KVM_CAP_ARM_VM_IPA_SIZE", DOCTOR_NOTE,
	 "processors with fewer than 40 address bits"},
	{KVM_CAP_ARM_NISV_TO_USER, "KVM_CAP_ARM_NISV_TO_USER", DOCTOR_NOTE,
	 "a good word about accesses that KVM cannot emulate"},
	{KVM_CAP_SYSTEM_EVENT_DATA, "KVM_CAP_SYSTEM_EVENT_DATA", DOCTOR_NOTE,
	 "telling a panic from a reboot"},
};
const unsigned int doctor_arch_ncaps = ARRAY_SIZE(doctor_arch_caps);
