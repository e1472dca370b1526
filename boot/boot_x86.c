/* SPDX-License-Identifier: Apache-2.0 */
/* boot_x86 - everything an x86-64 guest finds in its memory, in the order of writing. */
#include "boot/boot.h"

#include <errno.h>
#include <stdlib.h>

#include "boot/acpi.h"
#include "boot/bzimage.h"
#include "boot/cmdline.h"
#include "boot/e820.h"
#include "boot/elf.h"
#include "boot/initrd.h"
#include "boot/kernel_arch.h"
#include "boot/pvh.h"
#include "boot/start_x86.h"
#include "boot/zeropage.h"
#include "vmm/core/util.h"
#include "vmm/core/layout_x86.h"

#define BOOT_MEMORY_MIN (2 * MIB) /* our tables, and some RAM above them */

static int boot_load_kernel(const struct kernel_file *f, struct gmem *m, struct kernel *k,
			    struct err *e)
{
	if (elf_is(f))
		return elf_load(f, m, k, e);
	if (bzimage_is(f))
		return bzimage_load(f, m, k, e);
	return kernel_refuse(f, e);
}

/* The boot data in the kernel's own format, and the tables that vCPU 0 starts on */
static void boot_write_tables(const struct kernel *k, const struct initrd *initrd,
			      gpa_t rsdp, struct gmem *m, struct boot_result *r)
{
	struct e820 map;

	e820_build(&map, m, r->acpi_start, r->acpi_end);
	if (k->pvh) {
		pvh_write(m, &map, initrd, rsdp);
		r->rbx = LAYOUT_PVH_INFO;
	} else {
		zeropage_write(m, k, &map, initrd, rsdp);
		r->rsi = LAYOUT_ZERO_PAGE;
	}
	start_write_reset(m);
	start_write_gdt(m, k->mode);
	r->gdt = LAYOUT_GDT;
	r->stack = LAYOUT_STACK;
	if (k->mode == BOOT_LONG64)
		r->cr3 = start_write_page_tables(m);
}

int boot_load_file(const struct config *cfg, const struct platform *p,
		   const struct kernel_file *f, struct gmem *m, struct boot_result *r,
		   struct err *e)
{
	struct initrd initrd = {0};
	struct kernel k = {0};
	gpa_t rsdp = 0;
	int rc;

	*r = (struct boot_result){.acpi_start = LAYOUT_ACPI, .acpi_end = LAYOUT_ACPI};
	if (kernel_ram_end(m) < BOOT_MEMORY_MIN)
		return err_set(
			e, ENOMEM,
			"memory: less than 2 MiB cannot hold a guest; give it more "
			"by --memory");
	rc = boot_load_kernel(f, m, &k, e);
	if (rc < 0)
		return rc;
	rc = initrd_load(cfg->initrd, cfg->ninitrd, &f->initrd, m, &k, &initrd, e);
	if (rc < 0)
		return rc;
	if (p->acpi)
		rc = acpi_build(p, m, LAYOUT_ACPI, LAYOUT_ACPI_END, &rsdp, &r->acpi_end,
				e);
	if (rc < 0)
		return rc;
	r->cmdline = cmdline_build(cfg, p, f, m);
	if (!r->cmdline)
		return err_set(e, ENOMEM, "command line: out of memory");
	r->panic_is_warm = cmdline_panic_is_warm(r->cmdline);
	rc = cmdline_write(m, r->cmdline, &k, e);
	if (rc < 0) {
		free(r->cmdline);
		r->cmdline = NULL;
		return rc;
	}
	boot_write_tables(&k, &initrd, rsdp, m, r);
	r->mode = k.mode;
	r->protocol = k.protocol;
	r->entry = k.entry;
	r->kernel_start = k.start;
	r->kernel_end = k.end;
	r->initrd_start = initrd.start;
	r->initrd_end = initrd.start + initrd.len;
	return 0;
}
