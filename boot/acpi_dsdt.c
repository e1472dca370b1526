/* SPDX-License-Identifier: Apache-2.0 */
/* acpi_dsdt - the devices of the guest by name, address and interrupt, and \_S5_. */
#include "boot/acpi_tables.h"

#include <stdio.h>

#include "vmm/core/acpi_pm.h"
#include "vmm/core/util.h"

#define DSDT_REVISION 2 /* integers have 64 bits */

#define ACPI_BUTTON_PRESSED 0x80 /* 5.6.6, of a control method power button */

struct acpi_row {
	enum device_kind kind;
	char letter;        /* devices get this letter and their index in hex: V002 */
	const char *eisaid; /* _HID, or */
	const char *hid;    /* _HID as a string */
	bool ports, interrupt;
};

/* The devices that a guest is told of. The clock raises no interrupt, so it declares none:
 * Linux's rtc-cmos then knows that there are no alarms. The 8042 is left out: a probe would only
 * find nothing, slowly.
 */
static const struct acpi_row acpi_rows[] = {
	{DEVICE_VIRTIO_MMIO, 'V', .hid = "LNRO0005", .interrupt = true},
	{DEVICE_SERIAL, 'S', .eisaid = "PNP0501", .ports = true, .interrupt = true},
	{DEVICE_RTC, 'R', .eisaid = "PNP0B00", .ports = true},
	{DEVICE_PVPANIC, 'P', .hid = "QEMU0001", .ports = true},
};

static void acpi_dsdt_device(struct aml *a, const struct acpi_row *row,
			     const struct platform_device *d, unsigned int index,
			     unsigned int uid)
{
	size_t device, resources;
	char seg[5];

	snprintf(seg, sizeof(seg), "%c%03X", row->letter, index & 0xfff);
	device = aml_open_device(a, seg);
	aml_name(a, "_HID");
	if (row->eisaid)
		aml_eisaid(a, row->eisaid);
	else
		aml_string(a, row->hid);
	aml_name(a, "_UID");
	aml_integer(a, uid);
	aml_name(a, "_CRS");
	resources = aml_open_resources(a);
	if (row->ports)
		aml_io(a, (uint16_t)d->base, (uint8_t)d->len);
	else
		aml_memory32(a, (uint32_t)d->base, (uint32_t)d->len);
	if (row->interrupt)
		aml_interrupt(a, d->gsi);
	aml_close_resources(a, resources);
	aml_close(a, device);
}

/* One kind after another, as _UID counts within a kind; the order within it, which names the
 * guest's disks, is the platform's
 */
static void acpi_dsdt_devices(struct aml *a, const struct platform *p)
{
	for (unsigned int r = 0; r < ARRAY_SIZE(acpi_rows); r++) {
		unsigned int uid = 0;

		for (unsigned int i = 0; i < p->ndev; i++)
			if (p->dev[i].kind == acpi_rows[r].kind)
				acpi_dsdt_device(a, &acpi_rows[r], &p->dev[i], i, uid++);
	}
}

/* The power button, and the event device (5.6.9) that has its line: there is one interrupt, so
 * the method ignores its argument, which names the interrupt
 */
static void acpi_dsdt_button(struct aml *a, uint32_t gsi)
{
	size_t device = aml_open_device(a, "PWRB"), part;

	aml_name(a, "_HID");
	aml_eisaid(a, "PNP0C0C");
	aml_close(a, device);
	device = aml_open_device(a, "GED0");
	aml_name(a, "_HID");
	aml_string(a, "ACPI0013");
	aml_name(a, "_CRS");
	part = aml_open_resources(a);
	aml_interrupt(a, gsi);
	aml_close_resources(a, part);
	part = aml_open_method(a, "_EVT", 1);
	aml_notify(a, "PWRB", ACPI_BUTTON_PRESSED);
	aml_close(a, part);
	aml_close(a, device);
}

static void acpi_dsdt_buttons(struct aml *a, const struct platform *p)
{
	for (unsigned int i = 0; i < p->ndev; i++)
		if (p->dev[i].kind == DEVICE_ACPI_PM && p->dev[i].gsi)
			acpi_dsdt_button(a, p->dev[i].gsi);
}

size_t acpi_dsdt(struct aml *a, const struct platform *p)
{
	size_t table = acpi_table_open(a, "DSDT", DSDT_REVISION);
	size_t scope, s5;

	scope = aml_open_scope(a, "_SB");
	acpi_dsdt_devices(a, p);
	acpi_dsdt_buttons(a, p);
	aml_close(a, scope);
	/* SLP_TYP for the sleep control register; the second is for a register we lack */
	aml_name(a, "_S5");
	s5 = aml_open_package(a, 2);
	aml_integer(a, ACPI_PM_S5_TYPE);
	aml_integer(a, ACPI_PM_S5_TYPE);
	aml_close(a, s5);
	acpi_table_close(a, table);
	return table;
}
