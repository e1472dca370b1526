/* SPDX-License-Identifier: Apache-2.0 */
/*
 * irqchip_x86 - KVM's split irqchip with our IOAPIC, or KVM's whole set of PC chips.
 *
 * The usual way: the local APICs are KVM's, the IOAPIC is a device of ours (KVM's "split
 * irqchip"). When the guest unmasks a pin, that GSI is routed as an MSI and its eventfd bound by
 * irqfd; when it masks the pin, the eventfd is unbound and keeps new edges. So a line that no
 * guest uses costs nothing, at start or at exit: KVM's own IOAPIC would make the end of a
 * short-lived VM wait for an SRCU grace period.
 *
 * Without ACPI the guest knows only the 8259 pair and the 8254, which are KVM's.
 */
#include "vmm/kvm/irqchip_x86.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/kvm/irqchip.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

struct irqchip_arch {
	bool split;
	bool bound[IRQCHIP_GSIS];
	bool routed[IRQCHIP_GSIS];
	struct msi_msg msg[IRQCHIP_GSIS];
};

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
	if (ic->arch->split)
		return 0;
	rc = kvm_irqfd(ic->kvm, line, true);
	if (rc < 0)
		return err_set(e, -rc, "KVM cannot bind interrupt line %u: %s", line->gsi,
			       strerror(-rc));
	ic->arch->bound[line->gsi] = true;
	return 0;
}

static void irqchip_bind(struct irqchip *ic, unsigned int gsi, bool on)
{
	int rc;

	if (!ic->line[gsi] || ic->arch->bound[gsi] == on)
		return;
	rc = kvm_irqfd(ic->kvm, ic->line[gsi], on);
	if (rc < 0) {
		log_guest("interrupt line %u: irqfd: %s", gsi, strerror(-rc));
		return;
	}
	ic->arch->bound[gsi] = on;
}

/* KVM takes the whole table at once */
static void irqchip_set_routes(struct irqchip *ic)
{
	_Alignas(struct kvm_irq_routing)
		uint8_t buf[sizeof(struct kvm_irq_routing) +
			    IRQCHIP_GSIS * sizeof(struct kvm_irq_routing_entry)] = {0};
	struct kvm_irq_routing *table = (void *)buf;

	for (unsigned int gsi = 0; gsi < IRQCHIP_GSIS; gsi++) {
		if (!ic->arch->routed[gsi])
			continue;
		table->entries[table->nr++] = (struct kvm_irq_routing_entry){
			.gsi = gsi,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = {.address_lo = (uint32_t)ic->arch->msg[gsi].address,
				  .address_hi =
					  (uint32_t)(ic->arch->msg[gsi].address >> 32),
				  .data = ic->arch->msg[gsi].data},
		};
	}
	if (ioctl(ic->kvm->vm_fd, KVM_SET_GSI_ROUTING, table) < 0)
		log_guest("interrupt routing: %s", strerror(errno));
}

/* Return: does KVM have to be told? */
static bool irqchip_remember(struct irqchip *ic, unsigned int gsi,
			     const struct msi_msg *msg)
{
	if (ic->arch->routed[gsi] && ic->arch->msg[gsi].address == msg->address &&
	    ic->arch->msg[gsi].data == msg->data)
		return false;
	ic->arch->routed[gsi] = true;
	ic->arch->msg[gsi] = *msg;
	return true;
}

static void irqchip_route(struct msi_router *r, unsigned int gsi,
			  const struct msi_msg *msg)
{
	struct irqchip *ic = container_of(r, struct irqchip, router);

	BUG_ON(gsi >= IRQCHIP_GSIS);
	if (!ic->line[gsi])
		return; /* no device pushes it */
	if (!msg) {
		/* The route stays: nothing uses it, and the next unmask may need no change. */
		irqchip_bind(ic, gsi, false);
		return;
	}
	if (irqchip_remember(ic, gsi, msg))
		irqchip_set_routes(ic);
	irqchip_bind(ic, gsi, true);
}

/* A line is unbound before the table changes, so that an old route sends none of its edges */
static void irqchip_route_all(struct msi_router *r, unsigned int n,
			      const struct msi_msg *const msg[])
{
	struct irqchip *ic = container_of(r, struct irqchip, router);
	bool changed = false;

	BUG_ON(n > IRQCHIP_GSIS);
	for (unsigned int gsi = 0; gsi < n; gsi++) {
		if (!msg[gsi])
			irqchip_bind(ic, gsi, false);
		else if (ic->line[gsi] && irqchip_remember(ic, gsi, msg[gsi]))
			changed = true;
	}
	if (changed)
		irqchip_set_routes(ic);
	for (unsigned int gsi = 0; gsi < n; gsi++)
		if (msg[gsi])
			irqchip_bind(ic, gsi, true);
}

static bool irqchip_kept(struct msi_router *r, unsigned int gsi)
{
	const struct irqchip *ic = container_of(r, struct irqchip, router);

	BUG_ON(gsi >= IRQCHIP_GSIS);
	return ic->line[gsi] && irq_kept(ic->line[gsi]);
}

static void irqchip_push(struct msi_router *r, unsigned int gsi)
{
	const struct irqchip *ic = container_of(r, struct irqchip, router);

	BUG_ON(gsi >= IRQCHIP_GSIS);
	if (ic->line[gsi])
		irq_pulse(ic->line[gsi]);
}

int irqchip_init(struct irqchip *ic, struct kvm *k, const struct config *cfg,
		 struct err *e)
{
	ic->kvm = k;
	ic->router = (struct msi_router){.route = irqchip_route,
					 .route_all = irqchip_route_all,
					 .kept = irqchip_kept,
					 .push = irqchip_push};
	ic->arch = calloc(1, sizeof(*ic->arch));
	if (!ic->arch)
		return err_set(e, ENOMEM, "no memory for the interrupt lines");
	ic->arch->split = cfg->acpi;
	return cfg->acpi ? irqchip_init_split(k, e) : irqchip_init_pc(k, e);
}

/* A local APIC is complete when its vCPU is made */
int irqchip_complete(struct irqchip *ic, struct err *e)
{
	(void)ic;
	(void)e;
	return 0;
}

bool irqchip_is_split(const struct irqchip *ic)
{
	return ic->arch->split;
}

/* KVM unbinds a line only when no interrupt of it is under way (irqfd_shutdown()) */
void irqchip_settle(struct irqchip *ic)
{
	for (unsigned int gsi = 0; gsi < IRQCHIP_GSIS; gsi++) {
		if (!ic->arch->bound[gsi])
			continue;
		irqchip_bind(ic, gsi, false);
		irqchip_bind(ic, gsi, true);
	}
}

void irqchip_fini(struct irqchip *ic)
{
	free(ic->arch);
	ic->arch = NULL;
}
