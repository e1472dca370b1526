/* SPDX-License-Identifier: Apache-2.0 */
/* power - the ways out of a payload: the FADT's sleep and reset registers. */
#include "devices/legacy/legacy.h"
#include "guest-images/payloads/rt/rt.h"
#include "vmm/core/layout_x86.h"

#define SLEEP_ENABLE (1 << 5)
#define SLEEP_TYPE   2 /* shift */
#define WARM_REBOOT  0x1234

static _Noreturn void power_wait(void)
{
	for (;;)
		cpu_relax();
}

_Noreturn void power_off(void)
{
	outb(LAYOUT_ACPI_PM + ACPI_PM_SLEEP_CONTROL,
	     ACPI_PM_S5_TYPE << SLEEP_TYPE | SLEEP_ENABLE);
	power_wait();
}

_Noreturn void power_reset(void)
{
	outb(LAYOUT_ACPI_PM + ACPI_PM_RESET, ACPI_PM_RESET_VALUE);
	power_wait();
}

_Noreturn void guest_panic(void)
{
	write16(LAYOUT_REBOOT_FLAG, WARM_REBOOT);
	power_reset();
}
