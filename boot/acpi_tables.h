/* SPDX-License-Identifier: Apache-2.0 */
/* acpi_tables - what the files that write the ACPI tables share; for boot/acpi*.c alone. */
#ifndef MICROVM_BOOT_ACPI_TABLES_H
#define MICROVM_BOOT_ACPI_TABLES_H

#include "boot/aml.h"
#include "boot/platform.h"

/* acpi_table_open() - the common header (ACPI 6.4, 5.2.6) of a table @sig with @revision,
 * aligned.  Return: its offset, for acpi_table_close(), which fills length and checksum
 */
size_t acpi_table_open(struct aml *a, const char *sig, uint8_t revision);
void acpi_table_close(struct aml *a, size_t table);

/* Each appends one whole table.  Return: its offset */
size_t acpi_dsdt(struct aml *a, const struct platform *p);
size_t acpi_madt(struct aml *a, const struct platform *p);

#endif
