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
#include "vmm/layout_x86.h"

const char kvm_arch_cure[] = "load the module (modprobe kvm_intel or kvm_amd), switch "
			     "virtualization on in the firmware";

struct kvm_arch {
	struct kvm_cpuid2 *cpuid; /* made for the first vCPU */
	bool ready;
};

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
	return 0;
}

void kvm_arch_close(struct kvm *k)
{
	if (!k->arch)
		return;
	free(k->arch->cpuid);
	free(k->arch);
	k->arch = NULL;
}

/* x86 processors look into their caches whatever the guest calls that memory */
int kvm_arch_check_rom(const struct kvm *k, struct err *e)
{
	(void)k;
	(void)e;
	return 0;
}
