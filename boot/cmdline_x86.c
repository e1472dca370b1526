/* SPDX-License-Identifier: Apache-2.0 */
/* cmdline_x86 - a PC's part of the command line, and where the line goes. */
#include "boot/cmdline_arch.h"

#include <string.h>

#include "vmm/core/util.h"
#include "vmm/core/layout_x86.h"

/* A panic resets the machine at once, and warmly, so that it can be told from a reboot
 * (LAYOUT_REBOOT_FLAG).  Linux before 5.1 knows no panic_warm and takes the p for "by
 * port 0xcf9", so the way to reset is named after it.
 */
static void cmdline_add_reboot(struct cmdline *c, const struct platform *p)
{
	cmdline_add(c, "panic=-1 reboot=panic_warm,%s", p->acpi ? "acpi" : "kbd");
}

/* Without ACPI a guest has no other way to find the devices. */
static void cmdline_add_devices(struct cmdline *c, const struct platform *p)
{
	for (unsigned int i = 0; i < p->ndev; i++) {
		const struct platform_device *d = &p->dev[i];

		if (d->kind == DEVICE_VIRTIO_MMIO)
			cmdline_add(c, "virtio_mmio.device=0x%llx@0x%llx:%u",
				    (unsigned long long)d->len,
				    (unsigned long long)d->base, d->gsi);
	}
}

void cmdline_arch_add(struct cmdline *c, const struct platform *p)
{
	cmdline_add_reboot(c, p);
	/* There is an address register, and no device to find (devices/legacy/pci_address). With
	 * pci=off Linux reports a fatal error, which quiet does not hide.
	 */
	cmdline_add(c, "pci=conf1,noearly");
	if (p->acpi)
		return;
	/* ACPI says that there is no keyboard or mouse; without it the command line must. */
	cmdline_add(c, "acpi=off i8042.noaux i8042.nokbd");
	cmdline_add_devices(c, p);
}

int cmdline_write(struct gmem *m, const char *text, const struct kernel *k, struct err *e)
{
	int rc = cmdline_check(
		text, MIN((size_t)k->cmdline_max, (size_t)LAYOUT_CMDLINE_MAX - 1), e);

	if (rc == 0)
		BUG_ON(gmem_write(m, LAYOUT_CMDLINE, text, strlen(text) + 1) < 0);
	return rc;
}
