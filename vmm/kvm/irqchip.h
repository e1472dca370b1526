/* SPDX-License-Identifier: Apache-2.0 */
/*
 * irqchip - how an interrupt line of ours reaches a vCPU.  One implementation an
 * architecture (irqchip_<arch>.c, which says what the guest's controller is).
 *
 * In this order: irqchip_init(), the vCPUs, irqchip_complete(), the lines; then only
 * router.route(), one call at a time.
 */
#ifndef MICROVM_KVM_IRQCHIP_H
#define MICROVM_KVM_IRQCHIP_H

#include "vmm/core/config.h"
#include "vmm/core/err.h"
#include "vmm/core/irq.h"
#include "vmm/core/msi.h"
#include "vmm/kvm/kvm.h"

#define IRQCHIP_GSIS 64

struct irqchip_arch; /* private to irqchip_<arch>.c */

struct irqchip {
	struct kvm *kvm;
	/* where a controller that is a device of ours sends its messages (x86: the IOAPIC) */
	struct msi_router router;
	const struct irq_line *line[IRQCHIP_GSIS]; /* by GSI; NULL: no device there */
	struct irqchip_arch *arch;
};

/* irqchip_init() - what the machine of @cfg has; after the memory slots, before the vCPUs.
 * Return: 0, or -errno in @e; irqchip_fini() in either case, and also without it
 */
int irqchip_init(struct irqchip *ic, struct kvm *k, const struct config *cfg,
		 struct err *e);
/* irqchip_complete() - all vCPUs are made */
int irqchip_complete(struct irqchip *ic, struct err *e);
/* irqchip_add() - @line, which must outlive the irqchip, belongs to this machine */
int irqchip_add(struct irqchip *ic, const struct irq_line *line, struct err *e);
/* irqchip_settle() - wait until KVM has delivered every edge that it took from a line's eventfd,
 * which it may do on a thread of its own. New edges stay in the eventfd until the end. Devices
 * are at rest, no vCPU runs; takes milliseconds
 */
void irqchip_settle(struct irqchip *ic);
void irqchip_fini(struct irqchip *ic);

#endif
