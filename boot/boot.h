/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boot - put a kernel, its initrds, command line and tables into guest memory.
 *
 * boot_load() is the composition: it recognises the kernel by content, loads it, places
 * everything else around it, and returns how vCPU 0 starts. One implementation an architecture
 * (boot_x86.c, boot_arm64.c).
 */
#ifndef MICROVM_BOOT_BOOT_H
#define MICROVM_BOOT_BOOT_H

#include "boot/platform.h"
#include "vmm/core/config.h"
#include "vmm/core/err.h"
#include "vmm/core/gmem.h"

enum boot_mode { /* x86 only: an arm64 guest starts in EL1h with its MMU off */
		 BOOT_LONG64, /* 64-bit mode, paging on; the tables at @cr3 map, 1:1 and writable,
		      * each GiB below 3 GiB that has RAM in it, and [3 GiB, 4 GiB).
		      * All that boot_load() places lies there.
		      */
		 BOOT_PROT32, /* 32-bit flat protected mode, paging off */
};

struct boot_result {
	const char *protocol; /* "Linux 64-bit", "PVH", "ELF64", "Image.gz", ... */
	gpa_t entry;

	/* x86: what vCPU 0 has in its registers */
	enum boot_mode mode;
	gpa_t rsi; /* zero page, or 0 */
	gpa_t rbx; /* PVH start_info, or 0 */
	gpa_t cr3; /* BOOT_LONG64 */
	gpa_t gdt; /* 4 entries, flat: 0x10 code of @mode, 0x18 data (boot.rst asks for these) */
	gpa_t stack;

	/* arm64: vCPU 0 gets @dtb in x0, 0 in x1 to x3 (booting.rst, "Call the kernel image") */
	gpa_t dtb;
	uint64_t dtb_len;
	uint32_t page_size; /* the kernel's, or 0: for boot_check_granule() */

	/* for --dry-run */
	gpa_t kernel_start, kernel_end, initrd_start, initrd_end, acpi_start, acpi_end;
	bool panic_is_warm; /* by its command line: only a panic resets warmly */
	char *cmdline;      /* the resolved command line; the caller frees it */
};

/* boot_load() - all of the above from @cfg (kernel, initrd, cmdline, append, console,
 * disk for root=, device tree options) into @m, whose regions are all added.  Before any
 * vCPU runs.
 * Return: 0, or -errno with a sentence in @e
 */
int boot_load(const struct config *cfg, const struct platform *p, struct gmem *m,
	      struct boot_result *r, struct err *e);

/* boot_check_granule() - arm64 only: can a vCPU whose ID_AA64MMFR0_EL1 is @mmfr0 (Arm
 * ARM, D19.2.64: TGran4, TGran16, TGran64) run a kernel with pages of @page_size bytes, 0
 * for unknown?  Return: 0, or -ENOEXEC with a sentence in @e
 */
int boot_check_granule(uint32_t page_size, uint64_t mmfr0, struct err *e);

#endif
