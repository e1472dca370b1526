/* SPDX-License-Identifier: Apache-2.0 */
/* e820 - the guest's memory map (ACPI 6.4, 15): what is RAM, and where the tables are. */
#include "boot/e820.h"

#include "vmm/core/util.h"
#include "vmm/core/layout_x86.h"

static void e820_add(struct e820 *map, gpa_t start, gpa_t end, uint32_t type)
{
	if (start < end)
		map->entry[map->n++] = (struct e820_entry){start, end - start, type};
}

void e820_build(struct e820 *map, const struct gmem *m, gpa_t acpi, gpa_t acpi_end)
{
	map->n = 0;
	e820_add(map, 0, LAYOUT_EBDA, E820_RAM);
	e820_add(map, acpi, ALIGN_UP(acpi_end, PAGE_SIZE), E820_ACPI);
	for (unsigned int i = 0; i < m->n; i++) {
		const struct gmem_region *r = &m->region[i];

		e820_add(map, MAX(r->gpa, LAYOUT_KERNEL), r->gpa + r->len, E820_RAM);
	}
}
