/* SPDX-License-Identifier: Apache-2.0 */
/*
 * button - listens to the power button, and ends when it is pressed: as end= says, off (the
 * default), reset, panic or never.
 *
 * No interrupt is taken: the local APIC's request register shows that one waits.
 */
#include "guest-images/payloads/rt/rt.h"
#include "vmm/core/layout_x86.h"

#define BUTTON_VECTOR  0x51u
#define IOAPIC_WINDOW  (LAYOUT_IOAPIC + 0x10)
#define IOAPIC_ENTRY   (0x10 + 2 * LAYOUT_GSI_BUTTON)
#define LAPIC_ID       (LAYOUT_LAPIC + 0x20)
#define LAPIC_SPURIOUS (LAYOUT_LAPIC + 0xf0)
#define LAPIC_ENABLED  0x1ffu
#define LAPIC_REQUEST  (LAYOUT_LAPIC + 0x200 + BUTTON_VECTOR / 32 * 0x10)

static void button_ioapic(uint32_t reg, uint32_t val)
{
	write32(LAYOUT_IOAPIC, reg);
	write32(IOAPIC_WINDOW, val);
}

int main(void)
{
	write32(LAPIC_SPURIOUS, LAPIC_ENABLED);
	button_ioapic(IOAPIC_ENTRY + 1, read32(LAPIC_ID) & 0xff000000u);
	button_ioapic(IOAPIC_ENTRY, BUTTON_VECTOR);
	print("button: listening\n");
	while (!(read32(LAPIC_REQUEST) & 1u << BUTTON_VECTOR % 32))
		cpu_relax();
	print("button: pressed\n");
	while (cmdline_is("end", "never"))
		cpu_relax();
	if (cmdline_is("end", "reset"))
		power_reset();
	return cmdline_is("end", "panic");
}
