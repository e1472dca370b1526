/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pci_address - the address register of PCI's configuration mechanism #1 (PCI Local Bus 3.0,
 * 3.2.2.3.2), on a bus without a device.
 *
 * Without it Linux reports a fatal error on every boot, which `quiet` does not hide. No device
 * claims its data ports, so they read as ones: no device anywhere.
 */
#include "devices/legacy/legacy.h"

#include <stdlib.h>

#include "vmm/core/util.h"

#define PCI_ADDRESS_PORT     0xcf8
#define PCI_ADDRESS_LEN      4
#define PCI_ADDRESS_RESERVED 0x7f000003u /* read as 0 */

struct pci_address {
	struct device dev;
	uint32_t address;
};

/* Only a doubleword access reaches the register; narrower ones are other devices' on a PC. */
static uint64_t pci_address_read(struct device *d, uint64_t off, unsigned int size)
{
	if (size != PCI_ADDRESS_LEN)
		return device_nop_read(d, off, size);
	return container_of(d, struct pci_address, dev)->address;
}

static void pci_address_write(struct device *d, uint64_t off, unsigned int size,
			      uint64_t val)
{
	(void)off;
	if (size == PCI_ADDRESS_LEN)
		container_of(d, struct pci_address, dev)->address = (uint32_t)val &
								    ~PCI_ADDRESS_RESERVED;
}

static void pci_address_reset(struct device *d)
{
	container_of(d, struct pci_address, dev)->address = 0;
}

static void pci_address_state(struct device *d, struct state *s)
{
	struct pci_address *pci = container_of(d, struct pci_address, dev);

	state_begin(s, d->name, 1);
	state_u32(s, &pci->address);
	if (pci->address & PCI_ADDRESS_RESERVED)
		state_fail(s, "the PCI address register has reserved bits");
	state_end(s);
	if (state_refused(s))
		pci_address_reset(d);
}

static void pci_address_destroy(struct device *d)
{
	device_fini(d);
	free(container_of(d, struct pci_address, dev));
}

static const struct device_ops pci_address_ops = {
	.arm = device_nop_arm,
	.read = pci_address_read,
	.write = pci_address_write,
	.reset = pci_address_reset,
	.rest = device_nop_rest,
	.wake = device_nop_wake,
	.state = pci_address_state,
	.destroy = pci_address_destroy,
};

struct device *pci_address_create(void)
{
	struct pci_address *pci = calloc(1, sizeof(*pci));

	if (!pci)
		return NULL;
	device_init(&pci->dev, &pci_address_ops, DEVICE_PCI_ADDRESS, "pci_address",
		    PCI_ADDRESS_PORT, PCI_ADDRESS_LEN);
	return &pci->dev;
}
