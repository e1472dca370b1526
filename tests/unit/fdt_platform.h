/* SPDX-License-Identifier: Apache-2.0 */
/* fdt_platform - arm64 machines whose device trees are looked at: by us and by dtc. */
#ifndef MICROVM_TESTS_FDT_PLATFORM_H
#define MICROVM_TESTS_FDT_PLATFORM_H

#include "boot/platform.h"
#include "vmm/core/layout_arm64.h"

static inline void platform_put(struct platform *p, enum device_kind kind, uint64_t base,
				uint64_t len, unsigned int gsi)
{
	p->dev[p->ndev++] = (struct platform_device){kind, base, len, gsi};
}

/* @ncpu processors, which have a PMU where there is a GICv3; the legacy devices and
 * @nvirtio virtio ones
 */
static inline void platform_make(struct platform *p, unsigned int ncpu,
				 unsigned int nvirtio, unsigned int gic_version)
{
	*p = (struct platform){
		.ncpu = ncpu, .gic_version = gic_version, .pmu = gic_version == 3};
	platform_put(p, DEVICE_SERIAL, LAYOUT_COM1, 8, LAYOUT_GSI_COM1);
	platform_put(p, DEVICE_RTC, LAYOUT_RTC, 0x1000, LAYOUT_GSI_RTC);
	platform_put(p, DEVICE_PVPANIC, LAYOUT_PVPANIC, 1, 0);
	platform_put(p, DEVICE_GENID, LAYOUT_GENID, 0x10000, LAYOUT_GSI_GENID);
	for (unsigned int i = 0; i < nvirtio; i++)
		platform_put(p, DEVICE_VIRTIO_MMIO, LAYOUT_VIRTIO + i * 0x1000ull, 0x1000,
			     LAYOUT_GSI_VIRTIO + i);
}

#endif
