/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pvh - Xen's start_info, which tells a PVH kernel its memory, modules, command line and ACPI
 * (Xen's public/arch-x86/hvm/start_info.h, version 1).
 */
#ifndef MICROVM_BOOT_PVH_H
#define MICROVM_BOOT_PVH_H

#include "boot/e820.h"
#include "boot/initrd.h"
#include "vmm/core/gmem.h"

/* pvh_write() - fill LAYOUT_PVH_INFO.  The command line is at LAYOUT_CMDLINE; @rsdp 0: no
 * ACPI
 */
void pvh_write(struct gmem *m, const struct e820 *map, const struct initrd *r,
	       gpa_t rsdp);

#endif
