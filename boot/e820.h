/* SPDX-License-Identifier: Apache-2.0 */
/* e820 - the guest's memory map (ACPI 6.4, 15): what is RAM, and where the tables are. */
#ifndef MICROVM_BOOT_E820_H
#define MICROVM_BOOT_E820_H

#include <stdint.h>

#include "vmm/core/gmem.h"

#define E820_RAM  1 /* ACPI 6.4, table 15.1 */
#define E820_ACPI 3 /* RAM once the tables have been read */

#define E820_ENTRIES_MAX (GMEM_REGIONS_MAX + 2)

struct e820 {
	unsigned int n;
	struct e820_entry {
		gpa_t at;
		uint64_t len;
		uint32_t type;
	} entry[E820_ENTRIES_MAX]; /* ascending, disjoint */
};

/* e820_build() - describe @m, whose first region starts at 0 and passes 1 MiB, and the
 * ACPI tables [@acpi, @acpi_end); @acpi_end equal to @acpi: none
 */
void e820_build(struct e820 *map, const struct gmem *m, gpa_t acpi, gpa_t acpi_end);

#endif
