/* SPDX-License-Identifier: Apache-2.0 */
/*
 * acpi_madt - the processors and the interrupt controllers (ACPI 6.4, 5.2.12).
 *
 * No interrupt source overrides: with HW_REDUCED_ACPI no ISA interrupt has a default, and
 * the DSDT says of each line that it is edge-triggered and active-high.
 */
#include "boot/acpi_tables.h"

#include "vmm/core/layout_x86.h"

#define MADT_REVISION  5
#define MADT_ENABLED   1
#define MADT_XAPIC_IDS 255 /* ids from here on need the x2APIC form; 255 is broadcast */

enum madt_type { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_X2APIC = 9 };

static void acpi_madt_cpu(struct aml *a, uint32_t id)
{
	if (id < MADT_XAPIC_IDS) {
		aml_le(a, MADT_LAPIC, 1);
		aml_le(a, 8, 1);
		aml_le(a, id, 1); /* processor uid */
		aml_le(a, id, 1);
		aml_le(a, MADT_ENABLED, 4);
	} else {
		aml_le(a, MADT_X2APIC, 1);
		aml_le(a, 16, 1);
		aml_le(a, 0, 2);
		aml_le(a, id, 4);
		aml_le(a, MADT_ENABLED, 4);
		aml_le(a, id, 4); /* processor uid */
	}
}

size_t acpi_madt(struct aml *a, const struct platform *p)
{
	size_t table = acpi_table_open(a, "APIC", MADT_REVISION);

	aml_le(a, LAYOUT_LAPIC, 4);
	aml_le(a, 0, 4); /* flags: no PCAT_COMPAT, a guest with ACPI has no 8259 */
	for (uint32_t id = 0; id < p->ncpu; id++)
		acpi_madt_cpu(a, id);
	aml_le(a, MADT_IOAPIC, 1);
	aml_le(a, 12, 1);
	aml_le(a, 0, 2); /* id 0, as its register reads */
	aml_le(a, LAYOUT_IOAPIC, 4);
	aml_le(a, 0, 4); /* first GSI */
	acpi_table_close(a, table);
	return table;
}
