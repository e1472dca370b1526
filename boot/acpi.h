/* SPDX-License-Identifier: Apache-2.0 */
/*
 * acpi - the tables that tell a guest its processors, its devices and how to power off (ACPI
 * 6.4): RSDP, XSDT, FADT (hardware-reduced), MADT and DSDT.
 *
 * Non-goals: tables for Windows, processor objects (Linux starts its processors from the MADT
 * alone, and we have no idle states or hot-plug to describe), PCI, S3.
 */
#ifndef MICROVM_BOOT_ACPI_H
#define MICROVM_BOOT_ACPI_H

#include "boot/platform.h"
#include "vmm/core/err.h"
#include "vmm/core/gmem.h"

/* acpi_build() - write the tables that describe @p to [@at, @end), @at a multiple of 16:
 * the RSDP first, so that a scan finds it in the BIOS area.
 * Return: 0, *@rsdp its address and *@used_end the end of what was written; -ENOSPC,
 * -EFAULT (not all RAM), -EINVAL (a device out of its address space) or -ENOMEM in @e
 */
int acpi_build(const struct platform *p, struct gmem *m, gpa_t at, gpa_t end, gpa_t *rsdp,
	       gpa_t *used_end, struct err *e);

#endif
