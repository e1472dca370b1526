/* SPDX-License-Identifier: Apache-2.0 */
/* irqchip_arm64 - what state_gic_arm64.c asks of the interrupt controller. */
#ifndef MICROVM_KVM_IRQCHIP_ARM64_H
#define MICROVM_KVM_IRQCHIP_ARM64_H

#include "vmm/kvm/irqchip.h"

/* irqchip_gic() - KVM's device for it, which takes KVM_GET_DEVICE_ATTR.  Owned by @ic */
int irqchip_gic(const struct irqchip *ic);

#endif
