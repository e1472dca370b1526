/* SPDX-License-Identifier: Apache-2.0 */
/* irqchip_x86 - what state_x86.c asks of the interrupt controller. */
#ifndef MICROVM_KVM_IRQCHIP_X86_H
#define MICROVM_KVM_IRQCHIP_X86_H

#include <stdbool.h>

#include "vmm/kvm/irqchip.h"

/* irqchip_is_split() - has KVM only the local APICs?  Otherwise it has the PC's chips */
bool irqchip_is_split(const struct irqchip *ic);

#endif
