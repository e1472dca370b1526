/* SPDX-License-Identifier: Apache-2.0 */
/*
 * button - listens to the power button, and ends when it is pressed: as end= says, off (the
 * default), reset, panic or never.
 *
 * The button is a virtio device where there is one, as without ACPI, else ACPI's. No interrupt is
 * taken: the local APIC's request register shows that the button's is pending.
 */
#include <linux/virtio_input.h>

#include "guest-images/payloads/rt/virtio.h"
#include "vmm/core/layout_x86.h"

#define BUTTON_VECTOR  0x51u
#define IOAPIC_WINDOW  (LAYOUT_IOAPIC + 0x10)
#define IOAPIC_ENTRY   (0x10 + 2 * LAYOUT_GSI_BUTTON)
#define LAPIC_ID       (LAYOUT_LAPIC + 0x20)
#define LAPIC_SPURIOUS (LAYOUT_LAPIC + 0xf0)
#define LAPIC_ENABLED  0x1ffu
#define LAPIC_REQUEST  (LAYOUT_LAPIC + 0x200 + BUTTON_VECTOR / 32 * 0x10)

/* linux/input.h needs a C library */
#define EV_KEY    1
#define KEY_POWER 116

static struct vio button;
static struct vq events;
static struct virtio_input_event event;

static void button_ioapic(uint32_t reg, uint32_t val)
{
	write32(LAYOUT_IOAPIC, reg);
	write32(IOAPIC_WINDOW, val);
}

/* One buffer, which goes to the device again and again: a press comes event by event */
static void button_give(void)
{
	struct vbuf b = {&event, sizeof(event), true};

	vq_add(&events, &b, 1);
	vq_kick(&events);
}

static bool button_listen(void)
{
	if (!vio_find(&button, VIRTIO_ID_INPUT, 0)) {
		write32(LAPIC_SPURIOUS, LAPIC_ENABLED);
		button_ioapic(IOAPIC_ENTRY + 1, read32(LAPIC_ID) & 0xff000000u);
		button_ioapic(IOAPIC_ENTRY, BUTTON_VECTOR);
		return true;
	}
	if (!vio_begin(&button, 0) || !vq_init(&events, &button, 0, 8))
		return false;
	vio_driver_ok(&button);
	button_give();
	return true;
}

static bool button_is_pressed(void)
{
	uint32_t n;
	bool down;

	if (!button.base)
		return read32(LAPIC_REQUEST) & 1u << BUTTON_VECTOR % 32;
	if (vq_take(&events, &n) < 0)
		return false;
	/* the release: then all before it has come as well */
	down = n == sizeof(event) && event.type == EV_KEY && event.code == KEY_POWER &&
	       !event.value;
	button_give();
	return down;
}

int main(void)
{
	if (!button_listen()) {
		print("FAIL: no button\n");
		return 1;
	}
	print("button: listening\n");
	while (!button_is_pressed())
		cpu_relax();
	print("button: pressed\n");
	while (cmdline_is("end", "never"))
		cpu_relax();
	if (cmdline_is("end", "reset"))
		power_reset();
	return cmdline_is("end", "panic");
}
