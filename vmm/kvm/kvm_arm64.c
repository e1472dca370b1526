/* SPDX-License-Identifier: Apache-2.0 */
/* kvm_arm64 - what an arm64 VM needs before its first slot or vCPU. */
#include "vmm/kvm/kvm_arm64.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/core/util.h"
#include "vmm/core/layout_arm64.h"

const char kvm_arch_cure[] =
	"the kernel must have CONFIG_KVM and have been started at EL2 "
	"(dmesg | grep -i kvm says what it found)";

struct kvm_arch {
	struct kvm_vcpu_init vcpu;
	unsigned int gic; /* 3 or 2 */
	bool coherent;
};

/* As many address bits as the layout may use and no more, since more cost KVM levels of tables;
 * fewer if the host has fewer. A KVM that cannot tell (before 4.20) gives 40.
 */
unsigned long kvm_arch_type(const struct kvm *k)
{
	int max = ioctl(k->dev_fd, KVM_CHECK_EXTENSION, KVM_CAP_ARM_VM_IPA_SIZE);
	unsigned long bits = max > 0 ? (unsigned long)max : 0;

	return KVM_VM_TYPE_ARM_IPA_SIZE(MIN(bits, (unsigned long)LAYOUT_BITS));
}

static bool kvm_can_make(const struct kvm *k, uint32_t type)
{
	struct kvm_create_device dev = {.type = type, .flags = KVM_CREATE_DEVICE_TEST};

	return ioctl(k->vm_fd, KVM_CREATE_DEVICE, &dev) == 0;
}

static int kvm_find_gic(struct kvm *k, struct err *e)
{
	if (kvm_can_make(k, KVM_DEV_TYPE_ARM_VGIC_V3))
		k->arch->gic = 3;
	else if (kvm_can_make(k, KVM_DEV_TYPE_ARM_VGIC_V2))
		k->arch->gic = 2;
	else
		return err_set(
			e, ENODEV,
			"this host's KVM has no virtual interrupt controller (neither "
			"GICv3 nor GICv2); a host whose own GIC has the virtualization "
			"extensions is needed");
	return 0;
}

static void kvm_add_feature(struct kvm *k, int cap, unsigned int feature)
{
	if (kvm_has(k, cap) > 0)
		k->arch->vcpu.features[feature / 32] |= 1u << feature % 32;
}

static int kvm_find_vcpu(struct kvm *k, struct err *e)
{
	struct kvm_vcpu_init *v = &k->arch->vcpu;

	if (ioctl(k->vm_fd, KVM_ARM_PREFERRED_TARGET, v) < 0)
		return err_set(e, errno,
			       "KVM does not tell what processor it can give: %s",
			       strerror(errno));
	if (kvm_has(k, KVM_CAP_ARM_PSCI_0_2) <= 0)
		return err_set(e, ENOTSUP,
			       "this host's KVM has no PSCI 0.2, by which a guest powers "
			       "off; a host kernel of 3.16 or later has it");
	memset(v->features, 0, sizeof(v->features));
	kvm_add_feature(k, KVM_CAP_ARM_PSCI_0_2, KVM_ARM_VCPU_PSCI_0_2);
	kvm_add_feature(k, KVM_CAP_ARM_PMU_V3, KVM_ARM_VCPU_PMU_V3);
	kvm_add_feature(k, KVM_CAP_ARM_SVE, KVM_ARM_VCPU_SVE);
	/* KVM gives both kinds of pointer authentication or none */
	if (kvm_has(k, KVM_CAP_ARM_PTRAUTH_ADDRESS) > 0)
		kvm_add_feature(k, KVM_CAP_ARM_PTRAUTH_GENERIC,
				KVM_ARM_VCPU_PTRAUTH_GENERIC);
	if (kvm_arm64_has(k, KVM_ARM_VCPU_PTRAUTH_GENERIC))
		kvm_add_feature(k, KVM_CAP_ARM_PTRAUTH_ADDRESS,
				KVM_ARM_VCPU_PTRAUTH_ADDRESS);
	return 0;
}

int kvm_arch_open(struct kvm *k, struct err *e)
{
	/* Without it (before 5.5) such an access makes KVM_RUN fail, which also ends us */
	struct kvm_enable_cap nisv = {.cap = KVM_CAP_ARM_NISV_TO_USER};
	int rc;

	k->arch = calloc(1, sizeof(*k->arch));
	if (!k->arch)
		return err_set(e, ENOMEM, "no memory for the VM");
	(void)ioctl(k->vm_fd, KVM_ENABLE_CAP, &nisv);
	rc = kvm_find_gic(k, e);
	return rc < 0 ? rc : kvm_find_vcpu(k, e);
}

void kvm_arch_close(struct kvm *k)
{
	free(k->arch);
	k->arch = NULL;
}

unsigned int kvm_arm64_gic(const struct kvm *k)
{
	return k->arch->gic;
}

const struct kvm_vcpu_init *kvm_arm64_vcpu(const struct kvm *k)
{
	return &k->arch->vcpu;
}

bool kvm_arm64_has(const struct kvm *k, unsigned int feature)
{
	return k->arch->vcpu.features[feature / 32] & 1u << feature % 32;
}

void kvm_arm64_set_coherent(struct kvm *k, bool coherent)
{
	k->arch->coherent = coherent;
}

/* A guest maps device registers so that its reads bypass the caches, which hold what we wrote.
 * FEAT_S2FWB lets KVM overrule that for memory that it maps.
 */
int kvm_arch_check_rom(const struct kvm *k, struct err *e)
{
	if (!k->arch->coherent)
		return err_set(
			e, ENOTSUP,
			"this processor lacks FEAT_S2FWB, so a guest would not see "
			"what is in the caches");
	return 0;
}
