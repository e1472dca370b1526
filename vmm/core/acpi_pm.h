/* SPDX-License-Identifier: Apache-2.0 */
/*
 * acpi_pm - the registers that end a guest, as the device has them and as the FADT tells
 * the guest: reset, sleep control and sleep status (ACPI 6.4, 4.8.3.6 and 4.8.3.7), one
 * byte each.  Here because boot/ may not look into devices/.
 */
#ifndef MICROVM_CORE_ACPI_PM_H
#define MICROVM_CORE_ACPI_PM_H

#define ACPI_PM_RESET         0 /* offsets into the window */
#define ACPI_PM_SLEEP_CONTROL 1
#define ACPI_PM_SLEEP_STATUS  2
#define ACPI_PM_LEN           4
#define ACPI_PM_RESET_VALUE   1 /* written to ACPI_PM_RESET resets */
#define ACPI_PM_S5_TYPE       5 /* SLP_TYP of soft-off, as \_S5_ says */

#endif
