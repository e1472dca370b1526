/* SPDX-License-Identifier: Apache-2.0 */
/* start_x86 - the descriptor and page tables that vCPU 0 starts on. */
#include "boot/start_x86.h"

#include "vmm/core/acpi_pm.h"
#include "vmm/core/util.h"
#include "vmm/core/layout_x86.h"

/* Flat 4 GiB descriptors, accessed bit set (Intel SDM 3A, 3.4.5) */
#define START_CODE32 0x00cf9b000000ffffULL
#define START_CODE64 0x00af9b000000ffffULL
#define START_DATA   0x00cf93000000ffffULL

/* Page table entries (Intel SDM 3A, 4.5) */
#define START_PRESENT 0x01ULL
#define START_WRITE   0x02ULL
#define START_LARGE   0x80ULL
#define START_ENTRIES 512

void start_write_gdt(struct gmem *m, enum boot_mode mode)
{
	uint64_t gdt[4] = {
		[2] = mode == BOOT_LONG64 ? START_CODE64 : START_CODE32,
		[3] = START_DATA,
	};

	BUG_ON(gmem_write(m, LAYOUT_GDT, gdt, sizeof(gdt)) < 0);
}

/* The last of Linux's ways to reset is to jump to the BIOS, in real mode. There is none, so this
 * code is there: mov al, value; mov dx, port; out dx, al; hlt; jmp back.
 */
void start_write_reset(struct gmem *m)
{
	static const uint8_t code[] = {0xb0,
				       ACPI_PM_RESET_VALUE,
				       0xba,
				       (LAYOUT_ACPI_PM + ACPI_PM_RESET) & 0xff,
				       (LAYOUT_ACPI_PM + ACPI_PM_RESET) >> 8,
				       0xee,
				       0xf4,
				       0xeb,
				       0xfd};
	uint16_t unused = LAYOUT_REBOOT_UNUSED;

	BUG_ON(gmem_write(m, LAYOUT_RESET, code, sizeof(code)) < 0);
	BUG_ON(gmem_write(m, LAYOUT_REBOOT_FLAG, &unused, sizeof(unused)) < 0);
}

static uint64_t *start_table(struct gmem *m, gpa_t at)
{
	uint64_t *t = gmem_slice(m, at, PAGE_SIZE);

	BUG_ON(!t || at + PAGE_SIZE > LAYOUT_CMDLINE);
	return t;
}

/* Each table is a page that the guest's first access would have to fault in, so GiBs without RAM
 * or devices get none.
 */
gpa_t start_write_page_tables(struct gmem *m)
{
	uint64_t *pml4 = start_table(m, LAYOUT_PAGE_TABLES);
	gpa_t at = LAYOUT_PAGE_TABLES + PAGE_SIZE;
	uint64_t *pdpt = start_table(m, at);

	pml4[0] = at | START_PRESENT | START_WRITE;
	for (uint64_t gib = 0; gib < 4; gib++) {
		uint64_t *pd;

		if (gib * GIB >= m->region[0].len && gib != LAYOUT_RAM_HOLE / GIB)
			continue;
		at += PAGE_SIZE;
		pd = start_table(m, at);
		pdpt[gib] = at | START_PRESENT | START_WRITE;
		for (uint64_t i = 0; i < START_ENTRIES; i++)
			pd[i] = (gib * GIB + i * 2 * MIB) | START_PRESENT | START_WRITE |
				START_LARGE;
	}
	return LAYOUT_PAGE_TABLES;
}
