/* SPDX-License-Identifier: Apache-2.0 */
/*
 * irqchip - how an interrupt line of ours reaches a vCPU.
 *
 * x86, the usual way: the local APICs are KVM's, the IOAPIC is a device of ours (KVM's
 * "split irqchip").  When the guest unmasks a pin, that GSI is routed as an MSI and its
 * eventfd bound by irqfd; when it masks the pin, the eventfd is let go and keeps what
 * arrives.  So a line that no guest uses costs nothing, at start or at exit: KVM's own
 * IOAPIC would make the end of a short-lived VM wait for an SRCU grace period.
 * x86 without ACPI: the guest knows only the 8259 pair and the 8254, which are KVM's.
 *
 * Set up before the first vCPU; then only router.route(), one call at a time.
 */
#ifndef MICROVM_KVM_IRQCHIP_H
#define MICROVM_KVM_IRQCHIP_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/core/err.h"
#include "vmm/core/irq.h"
#include "vmm/core/msi.h"
#include "vmm/kvm/kvm.h"

#define IRQCHIP_GSIS 64

struct irqchip {
	struct kvm *kvm;
	bool split;
	struct msi_router router;                  /* split: the IOAPIC's other end */
	const struct irq_line *line[IRQCHIP_GSIS]; /* by GSI; NULL: no device there */
	bool bound[IRQCHIP_GSIS];
	bool routed[IRQCHIP_GSIS];
	struct msi_msg msg[IRQCHIP_GSIS];
};

/* irqchip_init() - after the memory slots, before the vCPUs.  @split: see above.
 * Return: 0, or -errno in @e
 */
int irqchip_init(struct irqchip *ic, struct kvm *k, bool split, struct err *e);
/* irqchip_add() - @line, which must outlive the irqchip, belongs to this machine */
int irqchip_add(struct irqchip *ic, const struct irq_line *line, struct err *e);

#endif
