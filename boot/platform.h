/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform - what boot/ has to describe to a guest: processors, memory, devices. boot/ includes
 * no device, only this list.
 */
#ifndef MICROVM_BOOT_PLATFORM_H
#define MICROVM_BOOT_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/core/device.h"
#include "vmm/core/gmem.h"

#define PLATFORM_DEVICES_MAX 64

struct platform_device {
	enum device_kind kind;
	uint64_t base, len; /* MMIO for virtio-mmio and the IOAPIC, else ports */
	unsigned int gsi;
};

struct platform {
	unsigned int ncpu; /* x86: APIC ids are 0 .. ncpu-1 */
	bool acpi;         /* x86 */
	/* arm64, of KVM's interrupt controller and vCPUs */
	unsigned int gic_version; /* 2 or 3 */
	bool pmu;                 /* vCPUs have one, its interrupt is LAYOUT_PPI_PMU */
	unsigned int ndev;
	struct platform_device dev[PLATFORM_DEVICES_MAX];
};

#endif
