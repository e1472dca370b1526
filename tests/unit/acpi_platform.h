/* SPDX-License-Identifier: Apache-2.0 */
/* acpi_platform - machines whose ACPI tables are looked at: by us and by iasl. */
#ifndef MICROVM_TESTS_ACPI_PLATFORM_H
#define MICROVM_TESTS_ACPI_PLATFORM_H

#include "boot/platform.h"
#include "vmm/core/acpi_pm.h"
#include "vmm/core/layout_x86.h"

static inline void platform_put(struct platform *p, enum device_kind kind, uint64_t base,
				uint64_t len, unsigned int gsi)
{
	p->dev[p->ndev++] = (struct platform_device){kind, base, len, gsi};
}

/* @ncpu processors; if @nvirtio, the legacy devices and that many virtio ones, else none */
static inline void platform_make(struct platform *p, unsigned int ncpu,
				 unsigned int nvirtio)
{
	*p = (struct platform){.ncpu = ncpu, .acpi = true};
	if (nvirtio == 0)
		return;
	platform_put(p, DEVICE_IOAPIC, LAYOUT_IOAPIC, 0x1000, 0);
	platform_put(p, DEVICE_I8042, 0x60, 5, 0);
	platform_put(p, DEVICE_RTC, 0x70, 2, LAYOUT_GSI_RTC);
	platform_put(p, DEVICE_SERIAL, LAYOUT_COM1, 8, LAYOUT_GSI_COM1);
	platform_put(p, DEVICE_ACPI_PM, LAYOUT_ACPI_PM, ACPI_PM_LEN, LAYOUT_GSI_BUTTON);
	platform_put(p, DEVICE_PVPANIC, LAYOUT_PVPANIC, 1, 0);
	for (unsigned int i = 0; i < nvirtio; i++)
		platform_put(p, DEVICE_VIRTIO_MMIO, LAYOUT_VIRTIO + i * 0x1000ull, 0x1000,
			     LAYOUT_GSI_VIRTIO + i);
	platform_put(p, DEVICE_GENID, LAYOUT_GENID, 0x10000, LAYOUT_GSI_GENID);
}

#endif
