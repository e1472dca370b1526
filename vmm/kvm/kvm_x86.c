/* SPDX-License-Identifier: Apache-2.0 */
/* kvm_x86 - what an x86 VM needs before its first slot or vCPU. */
#include "vmm/kvm/kvm_x86.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/kvm/cpuid_x86.h"
#include "vmm/kvm/msr_x86.h"
#include "vmm/core/layout_x86.h"

const char kvm_arch_cure[] = "load the module (modprobe kvm_intel or kvm_amd), switch "
			     "virtualization on in the firmware";

struct kvm_arch {
	struct kvm_cpuid2 *cpuid; /* made for the first vCPU */
	bool ready;
	uint64_t tsc_shift;
};

uint64_t *kvm_x86_tsc_shift(struct kvm *k)
{
	return &k->arch->tsc_shift;
}

struct kvm_cpuid2 *kvm_x86_cpuid(struct kvm *k, unsigned int ncpu, uint32_t tsc_khz,
				 struct err *e)
{
	struct kvm_arch *a = k->arch;
	int rc;

	if (a->ready)
		return a->cpuid;
	rc = cpuid_fetch(a->cpuid, k->dev_fd);
	if (rc < 0) {
		err_set(e, -rc, "KVM does not tell what processor it can give: %s",
			strerror(-rc));
		return NULL;
	}
	cpuid_adjust(a->cpuid, ncpu, tsc_khz, kvm_has(k, KVM_CAP_TSC_DEADLINE_TIMER) > 0);
	a->ready = true;
	return a->cpuid;
}

unsigned long kvm_arch_type(const struct kvm *k)
{
	(void)k;
	return 0; /* the only one */
}

/* Switch on one capability that keeps a guest within its bounds, if the host has it */
static int kvm_limit(const struct kvm *k, int cap, int needs, uint64_t arg,
		     const char *what, struct err *e)
{
	struct kvm_enable_cap on = {.cap = (uint32_t)cap, .args = {arg}};

	if ((kvm_has(k, cap) & needs) != needs)
		return 0;
	if (ioctl(k->vm_fd, KVM_ENABLE_CAP, &on) < 0)
		return err_set(e, errno, "KVM refuses to %s: %s", what, strerror(errno));
	return 0;
}

/* Before the first vCPU */
static int kvm_limit_guest(const struct kvm *k, struct err *e)
{
	int rc = kvm_limit(k, KVM_CAP_PMU_CAPABILITY, KVM_PMU_CAP_DISABLE,
			   KVM_PMU_CAP_DISABLE, "take the performance counters away", e);

	/* A locked access across two cache lines stalls the memory of all processors: each one
	 * exits, and the vCPU's thread slows it down (vcpu_x86.c).
	 */
	if (rc == 0)
		rc = kvm_limit(k, KVM_CAP_X86_BUS_LOCK_EXIT, KVM_BUS_LOCK_DETECTION_EXIT,
			       KVM_BUS_LOCK_DETECTION_EXIT, "report bus locks", e);
	/* A guest may keep its processor from taking any interrupt, the host's as well, by an
	 * endless chain of exceptions. A window of 0 selects the processor's own limit.
	 */
	if (rc == 0)
		rc = kvm_limit(k, KVM_CAP_X86_NOTIFY_VMEXIT, 1,
			       KVM_X86_NOTIFY_VMEXIT_ENABLED | KVM_X86_NOTIFY_VMEXIT_USER,
			       "watch for a guest that blocks interrupts", e);
	return rc == 0 ? msr_limit(k, e) : rc;
}

int kvm_arch_open(struct kvm *k, struct err *e)
{
	uint64_t idmap = LAYOUT_KVM_IDMAP;

	k->arch = calloc(1, sizeof(*k->arch));
	if (!k->arch || !(k->arch->cpuid = cpuid_alloc()))
		return err_set(e, ENOMEM, "no memory for the VM");
	/* Pages that older Intel processors need for real mode; others ignore them. */
	if (ioctl(k->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &idmap) < 0 ||
	    ioctl(k->vm_fd, KVM_SET_TSS_ADDR, LAYOUT_KVM_TSS) < 0)
		return err_set(e, errno, "KVM refuses its own pages: %s",
			       strerror(errno));
	return kvm_limit_guest(k, e);
}

void kvm_arch_close(struct kvm *k)
{
	if (!k->arch)
		return;
	free(k->arch->cpuid);
	free(k->arch);
	k->arch = NULL;
}

/* x86 processors read through their caches, whatever memory type the guest chooses */
int kvm_arch_check_rom(const struct kvm *k, struct err *e)
{
	(void)k;
	(void)e;
	return 0;
}
