/* SPDX-License-Identifier: Apache-2.0 */
/* irqchip_x86 - KVM's split irqchip with our IOAPIC, or KVM's whole set of PC chips. */
#include "vmm/kvm/irqchip.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/core/log.h"
#include "vmm/core/util.h"

static int irqchip_init_split(struct kvm *k, struct err *e)
{
	struct kvm_enable_cap cap = {.cap = KVM_CAP_SPLIT_IRQCHIP,
				     .args = {IRQCHIP_GSIS}};

	if (ioctl(k->vm_fd, KVM_ENABLE_CAP, &cap) < 0)
		return err_set(
			e, errno,
			"this host's KVM has no split irqchip: %s; a host kernel of 4.4 or "
			"later has it",
			strerror(errno));
	/* Ids of 255 and above, where the chip can name them (32-bit x2APIC ids) */
	cap = (struct kvm_enable_cap){
		.cap = KVM_CAP_X2APIC_API,
		.args = {KVM_X2APIC_API_USE_32BIT_IDS |
			 KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK},
	};
	if (ioctl(k->vm_fd, KVM_ENABLE_CAP, &cap) < 0)
		return err_set(e, errno, "this host's KVM has no x2APIC interface: %s",
			       strerror(errno));
	return 0;
}

static int irqchip_init_pc(struct kvm *k, struct err *e)
{
	struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};

	if (ioctl(k->vm_fd, KVM_CREATE_IRQCHIP, 0) < 0)
		return err_set(e, errno, "KVM cannot make the 8259 pair (--acpi off): %s",
			       strerror(errno));
	if (ioctl(k->vm_fd, KVM_CREATE_PIT2, &pit) < 0)
		return err_set(e, errno,
			       "KVM cannot make the 8254 timer (--acpi off): %s",
			       strerror(errno));
	return 0;
}

int irqchip_add(struct irqchip *ic, const struct irq_line *line, struct err *e)
{
	int rc;

	if (line->gsi >= IRQCHIP_GSIS || ic->line[line->gsi])
		return err_set(e, ENOSPC, "interrupt line %u is not free", line->gsi);
	ic->line[line->gsi] = line;
	if (ic->split)
		return 0;
	rc = kvm_irqfd(ic->kvm, line, true);
	if (rc < 0)
		return err_set(e, -rc, "KVM cannot bind interrupt line %u: %s", line->gsi,
			       strerror(-rc));
	return 0;
}

static void irqchip_bind(struct irqchip *ic, unsigned int gsi, bool on)
{
	int rc;

	if (!ic->line[gsi] || ic->bound[gsi] == on)
		return;
	rc = kvm_irqfd(ic->kvm, ic->line[gsi], on);
	if (rc < 0) {
		log_guest("interrupt line %u: irqfd: %s", gsi, strerror(-rc));
		return;
	}
	ic->bound[gsi] = on;
}

/* KVM takes the whole table at once */
static void irqchip_set_routes(struct irqchip *ic)
{
	_Alignas(struct kvm_irq_routing)
		uint8_t buf[sizeof(struct kvm_irq_routing) +
			    IRQCHIP_GSIS * sizeof(struct kvm_irq_routing_entry)] = {0};
	struct kvm_irq_routing *table = (void *)buf;

	for (unsigned int gsi = 0; gsi < IRQCHIP_GSIS; gsi++) {
		if (!ic->routed[gsi])
			continue;
		table->entries[table->nr++] = (struct kvm_irq_routing_entry){
			.gsi = gsi,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = {.address_lo = (uint32_t)ic->msg[gsi].address,
				  .address_hi = (uint32_t)(ic->msg[gsi].address >> 32),
				  .data = ic->msg[gsi].data},
		};
	}
	if (ioctl(ic->kvm->vm_fd, KVM_SET_GSI_ROUTING, table) < 0)
		log_guest("interrupt routing: %s", strerror(errno));
}

static void irqchip_route(struct msi_router *r, unsigned int gsi,
			  const struct msi_msg *msg)
{
	struct irqchip *ic = container_of(r, struct irqchip, router);

	BUG_ON(gsi >= IRQCHIP_GSIS);
	if (!ic->line[gsi])
		return; /* nobody is there to push it */
	if (!msg) {
		/* The route stays: nothing reaches it, and the next unmask may find it right. */
		irqchip_bind(ic, gsi, false);
		return;
	}
	if (!ic->routed[gsi] || ic->msg[gsi].address != msg->address ||
	    ic->msg[gsi].data != msg->data) {
		ic->routed[gsi] = true;
		ic->msg[gsi] = *msg;
		irqchip_set_routes(ic);
	}
	irqchip_bind(ic, gsi, true);
}

int irqchip_init(struct irqchip *ic, struct kvm *k, bool split, struct err *e)
{
	memset(ic, 0, sizeof(*ic));
	ic->kvm = k;
	ic->split = split;
	ic->router.route = irqchip_route;
	return split ? irqchip_init_split(k, e) : irqchip_init_pc(k, e);
}
