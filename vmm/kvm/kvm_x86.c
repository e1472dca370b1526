/* SPDX-License-Identifier: Apache-2.0 */
/* kvm_x86 - what an x86 VM needs before its first slot or vCPU. */
#include "vmm/kvm/kvm_arch.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/layout_x86.h"

int kvm_arch_open(struct kvm *k, struct err *e)
{
	uint64_t idmap = LAYOUT_KVM_IDMAP;

	k->arch = calloc(1, sizeof(*k->arch));
	if (!k->arch)
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
	if (k->arch)
		free(k->arch->cpuid);
	free(k->arch);
	k->arch = NULL;
}
