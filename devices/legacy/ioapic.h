/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ioapic - an 82093AA-like I/O APIC beside KVM's in-kernel local APICs (split irqchip).
 *
 * It delivers nothing itself: it turns each redirection table entry into the MSI that the line's
 * edge must send, and tells the router when that message changes.
 */
#ifndef MICROVM_LEGACY_IOAPIC_H
#define MICROVM_LEGACY_IOAPIC_H

#include "vmm/core/device.h"
#include "vmm/core/msi.h"

#define IOAPIC_LEN      0x1000
#define IOAPIC_PINS_MAX 120 /* the most that the index register can reach */

/* ioapic_create() - at [@base, @base + IOAPIC_LEN) of the MMIO bus, pins 0 to @pins - 1 being the
 * GSIs of the same number. All pins are masked: the first unmasked one is told to @r (not owned,
 * outlives the device). Return: NULL, out of memory
 */
struct device *ioapic_create(uint64_t base, unsigned int pins, struct msi_router *r);
/* ioapic_routes() - does an edge on pin @pin reach a processor now?  With the device's lock */
bool ioapic_routes(const struct device *d, unsigned int pin);

#endif
