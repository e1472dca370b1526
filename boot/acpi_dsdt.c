/* SPDX-License-Identifier: Apache-2.0 */
/* acpi_dsdt - the devices of the guest by name, address and interrupt, and \_S5_. */
#include "boot/acpi_tables.h"

#include <stdio.h>

#include "vmm/core/acpi_pm.h"
#include "vmm/core/util.h"

#define DSDT_REVISION 2 /* integers have 64 bits */

#define ACPI_BUTTON_PRESSED 0x80 /* 5.6.6, of a control method power button */
#define ACPI_GENID_CHANGED  0x80 /* of a generation id */

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

/* An event device (5.6.9) for one line: an edge of @gsi notifies @of of @what.  Its method ignores its argument,
 * which names the interrupt: there is one
 */
static void acpi_dsdt_event(struct aml *a, const char *seg, const char *uid, uint32_t gsi,
			    const char *of, uint8_t what)
{
	size_t device = aml_open_device(a, seg), part;

	aml_name(a, "_HID");
	aml_string(a, "ACPI0013");
	if (uid) {
		aml_name(a, "_UID");
		aml_string(a, uid);
	}
	aml_name(a, "_CRS");
	part = aml_open_resources(a);
	aml_interrupt(a, gsi);
	aml_close_resources(a, part);
	part = aml_open_method(a, "_EVT", 1);
	aml_notify(a, of, what);
	aml_close(a, part);
	aml_close(a, device);
}

static void acpi_dsdt_button(struct aml *a, const struct platform_device *d)
{
	size_t device;

	if (!d->gsi)
		return;
	device = aml_open_device(a, "PWRB");
	aml_name(a, "_HID");
	aml_eisaid(a, "PNP0C0C");
	aml_close(a, device);
	acpi_dsdt_event(a, "GED0", NULL, d->gsi, "PWRB", ACPI_BUTTON_PRESSED);
}

/* Microsoft, "Virtual Machine Generation ID": a driver knows it by its compatible id */
static void acpi_dsdt_genid(struct aml *a, const struct platform_device *d)
{
	size_t device = aml_open_device(a, "VGEN"), part;

	aml_name(a, "_HID");
	aml_string(a, "MVMM0001");
	aml_name(a, "_CID");
	aml_string(a, "VM_Gen_Counter");
	aml_name(a, "_DDN");
	aml_string(a, "VM_Gen_Counter");
	aml_name(a, "ADDR");
	part = aml_open_package(a, 2);
	aml_integer(a, d->base & UINT32_MAX);
	aml_integer(a, d->base >> 32);
	aml_close(a, part);
	aml_close(a, device);
	acpi_dsdt_event(a, "GED1", "1", d->gsi, "VGEN", ACPI_GENID_CHANGED);
}

static void acpi_dsdt_events(struct aml *a, const struct platform *p)
{
	for (unsigned int i = 0; i < p->ndev; i++) {
		if (p->dev[i].kind == DEVICE_ACPI_PM)
			acpi_dsdt_button(a, &p->dev[i]);
		else if (p->dev[i].kind == DEVICE_GENID)
			acpi_dsdt_genid(a, &p->dev[i]);
	}
}

size_t acpi_dsdt(struct aml *a, const struct platform *p)
{
	size_t table = acpi_table_open(a, "DSDT", DSDT_REVISION);
	size_t scope, s5;

	scope = aml_open_scope(a, "_SB");
	acpi_dsdt_devices(a, p);
	acpi_dsdt_events(a, p);
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
