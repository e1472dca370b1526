/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pio_ports - the bus of byte-wide devices: an access of more than one byte is that many
 * accesses, lowest port first, as the ISA bus did it.
 */
#ifndef MICROVM_LEGACY_PIO_PORTS_H
#define MICROVM_LEGACY_PIO_PORTS_H

#include "vmm/core/device.h"

static inline uint64_t ports_read(struct device *d, uint64_t off, unsigned int size,
				  uint8_t (*read)(struct device *d, unsigned int port))
{
	uint64_t val = 0;

	for (unsigned int i = 0; i < size; i++)
		val |= (uint64_t)read(d, (unsigned int)off + i) << (8 * i);
	return val;
}

static inline void ports_write(struct device *d, uint64_t off, unsigned int size,
			       uint64_t val,
			       void (*write)(struct device *d, unsigned int port,
					     uint8_t val))
{
	for (unsigned int i = 0; i < size; i++)
		write(d, (unsigned int)off + i, (uint8_t)(val >> (8 * i)));
}

#endif
