/* SPDX-License-Identifier: Apache-2.0 */
/* zeropage - Linux's struct boot_params (Documentation/arch/x86/zero-page.rst). */
#ifndef MICROVM_BOOT_ZEROPAGE_H
#define MICROVM_BOOT_ZEROPAGE_H

#include "boot/e820.h"
#include "boot/initrd.h"
#include "boot/kernel.h"

/* zeropage_write() - fill the page at LAYOUT_ZERO_PAGE, still zero, from the kernel's own
 * setup header (or a plain one for an ELF file), and a random seed beside it.  The
 * command line is at LAYOUT_CMDLINE; @rsdp 0: no ACPI.
 */
void zeropage_write(struct gmem *m, const struct kernel *k, const struct e820 *map,
		    const struct initrd *r, gpa_t rsdp);

#endif
