/* SPDX-License-Identifier: Apache-2.0 */
/*
 * irqchip_arm64 - KVM's interrupt controller: GICv3, or GICv2 where the host has only that.
 *
 * A line's GSI n is the shared peripheral interrupt n (INTID 32 + n): KVM routes them so
 * from the start (Documentation/virt/kvm/devices/arm-vgic*.rst have the attributes).
 */
#include "vmm/kvm/irqchip_arm64.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/kvm/irqchip.h"
#include "vmm/core/fds.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"
#include "vmm/kvm/kvm_arm64.h"
#include "vmm/core/layout_arm64.h"

#define GIC_PRIVATE_IRQS 32 /* INTIDs of a vCPU's own, before the shared ones */
#define GICV2_VCPUS_MAX  8
/* KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION: count in bits 63:52, address, number of the region */
#define GICR_REGION(count) ((uint64_t)(count) << 52 | LAYOUT_GICR)

_Static_assert(IRQCHIP_GSIS % 32 == 0, "KVM takes interrupts by the 32");

struct irqchip_arch {
	int fd;
};

static int irqchip_set(struct irqchip *ic, uint32_t group, uint64_t attr, void *value,
		       struct err *e)
{
	struct kvm_device_attr a = {
		.group = group, .attr = attr, .addr = (uintptr_t)value};

	if (ioctl(ic->arch->fd, KVM_SET_DEVICE_ATTR, &a) < 0)
		return err_set(
			e, errno,
			"KVM cannot set up its GICv%u (attribute %u of group %u): %s",
			kvm_arm64_gic(ic->kvm), (unsigned int)attr, group,
			strerror(errno));
	return 0;
}

static int irqchip_set_address(struct irqchip *ic, uint64_t type, uint64_t value,
			       struct err *e)
{
	return irqchip_set(ic, KVM_DEV_ARM_VGIC_GRP_ADDR, type, &value, e);
}

static int irqchip_place_v3(struct irqchip *ic, unsigned int ncpu, struct err *e)
{
	int rc = irqchip_set_address(ic, KVM_VGIC_V3_ADDR_TYPE_DIST, LAYOUT_GICD, e);

	if (rc == 0)
		rc = irqchip_set_address(ic, KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION,
					 GICR_REGION(ncpu), e);
	return rc;
}

static int irqchip_place_v2(struct irqchip *ic, unsigned int ncpu, struct err *e)
{
	int rc;

	if (ncpu > GICV2_VCPUS_MAX)
		return err_set(e, EINVAL,
			       "--cpus %u: this host's interrupt controller (GICv2) "
			       "allows %u at most",
			       ncpu, GICV2_VCPUS_MAX);
	rc = irqchip_set_address(ic, KVM_VGIC_V2_ADDR_TYPE_DIST, LAYOUT_GICD, e);
	if (rc == 0)
		rc = irqchip_set_address(ic, KVM_VGIC_V2_ADDR_TYPE_CPU, LAYOUT_GICC, e);
	return rc;
}

int irqchip_init(struct irqchip *ic, struct kvm *k, const struct config *cfg,
		 struct err *e)
{
	bool v3 = kvm_arm64_gic(k) == 3;
	struct kvm_create_device dev = {.type = v3 ? KVM_DEV_TYPE_ARM_VGIC_V3
						   : KVM_DEV_TYPE_ARM_VGIC_V2};
	uint32_t irqs = GIC_PRIVATE_IRQS + IRQCHIP_GSIS;
	int rc;

	ic->kvm = k;
	ic->arch = malloc(sizeof(*ic->arch));
	if (!ic->arch)
		return err_set(e, ENOMEM, "no memory for the interrupt lines");
	ic->arch->fd = -1;
	if (ioctl(k->vm_fd, KVM_CREATE_DEVICE, &dev) < 0)
		return err_set(e, errno, "KVM cannot make a GICv%u: %s", kvm_arm64_gic(k),
			       strerror(errno));
	ic->arch->fd = fd_place((int)dev.fd, FD_GIC);
	if (ic->arch->fd < 0)
		return err_set(e, errno, "no file descriptor for the GIC: %s",
			       strerror(errno));
	rc = v3 ? irqchip_place_v3(ic, cfg->ncpu, e) : irqchip_place_v2(ic, cfg->ncpu, e);
	return rc < 0 ? rc : irqchip_set(ic, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &irqs, e);
}

int irqchip_complete(struct irqchip *ic, struct err *e)
{
	return irqchip_set(ic, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT,
			   NULL, e);
}

int irqchip_add(struct irqchip *ic, const struct irq_line *line, struct err *e)
{
	int rc;

	if (line->gsi >= IRQCHIP_GSIS || ic->line[line->gsi])
		return err_set(e, ENOSPC, "interrupt line %u is not free", line->gsi);
	ic->line[line->gsi] = line;
	rc = kvm_irqfd(ic->kvm, line, true);
	if (rc < 0)
		return err_set(e, -rc, "KVM cannot bind interrupt line %u: %s", line->gsi,
			       strerror(-rc));
	return 0;
}

int irqchip_gic(const struct irqchip *ic)
{
	return ic->arch->fd;
}

/* KVM unbinds a line only when no interrupt of it is under way (irqfd_shutdown()) */
void irqchip_settle(struct irqchip *ic)
{
	for (unsigned int gsi = 0; gsi < IRQCHIP_GSIS; gsi++) {
		int rc;

		if (!ic->line[gsi] || kvm_irqfd(ic->kvm, ic->line[gsi], false) < 0)
			continue;
		rc = kvm_irqfd(ic->kvm, ic->line[gsi], true);
		if (rc < 0)
			log_guest("interrupt line %u: irqfd: %s", gsi, strerror(-rc));
	}
}

void irqchip_fini(struct irqchip *ic)
{
	if (ic->arch)
		cleanup_close_fd(&ic->arch->fd);
	free(ic->arch);
	ic->arch = NULL;
}
