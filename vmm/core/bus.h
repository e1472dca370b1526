/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus - an address space of windows; the machine has two, MMIO and PIO.
 *
 * Filled before the first vCPU runs, then read-only: look-ups take no lock.
 */
#ifndef MICROVM_CORE_BUS_H
#define MICROVM_CORE_BUS_H

#include "vmm/core/device.h"
#include "vmm/core/err.h"

#define BUS_DEVICES_MAX 64

struct bus {
	const char *name;
	unsigned int n;
	struct device *dev[BUS_DEVICES_MAX]; /* ascending by base */
};

/* bus_add() - claim dev->base/len; the bus does not own @d.
 * Fails with -EINVAL if the window is empty, wraps or overlaps, -ENOSPC if the bus is full
 */
int bus_add(struct bus *b, struct device *d, struct err *e);

/* bus_read(), bus_write() - a guest access of @size 1, 2, 4 or 8 bytes.  One that no
 * window wholly contains reads as all ones (of that size); its write is dropped.
 * Any vCPU thread; takes the device's lock.
 */
uint64_t bus_read(struct bus *b, uint64_t addr, unsigned int size);
void bus_write(struct bus *b, uint64_t addr, unsigned int size, uint64_t val);
/* bus_write_quick() - bus_write(), unless it is slow (device.h). Return: false, it is, and nothing
 * was done
 */
bool bus_write_quick(struct bus *b, uint64_t addr, unsigned int size, uint64_t val);

#endif
