/* SPDX-License-Identifier: Apache-2.0 */
/*
 * acpi - RSDP, XSDT, FADT and the order of the tables (ACPI 6.4, 5.2).
 *
 * All tables are written to one buffer of ours and copied to the guest once.
 */
#include "boot/acpi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "boot/acpi_tables.h"
#include "vmm/core/acpi_pm.h"
#include "vmm/core/util.h"

#define ACPI_ALIGN 16

/* 5.2.6: the header all tables but the RSDP have */
enum acpi_header { HDR_LENGTH = 4, HDR_CHECKSUM = 9, HDR_SIZE = 36 };

/* 5.2.5.3 */
enum acpi_rsdp {
	RSDP_CHECKSUM = 8,
	RSDP_V1_SIZE = 20,
	RSDP_CHECKSUM_V2 = 32,
	RSDP_SIZE = 36
};

/* 5.2.9: offsets of the fields that are not zero */
enum acpi_fadt {
	FADT_CENTURY = 108,
	FADT_IAPC_BOOT_ARCH = 109,
	FADT_FLAGS = 112,
	FADT_RESET_REG = 116,
	FADT_RESET_VALUE = 128,
	FADT_MINOR = 131,
	FADT_X_DSDT = 140,
	FADT_SLEEP_CONTROL = 244,
	FADT_SLEEP_STATUS = 256,
	FADT_SIZE = 276,
};

#define FADT_REVISION       6
#define FADT_MINOR_REVISION 4

/* IAPC_BOOT_ARCH.  Bit 1 clear: no 8042 to probe; bit 3 clear: MSI may be used */
#define FADT_BOOT_NO_VGA (1u << 2)
#define FADT_BOOT_NO_RTC (1u << 5)

#define FADT_WBINVD       (1u << 0)
#define FADT_C1           (1u << 2)
#define FADT_POWER_BUTTON (1u << 4) /* not in fixed registers: we have none, as below */
#define FADT_SLEEP_BUTTON (1u << 5)
#define FADT_RTC_WAKE     (1u << 6)
#define FADT_RESET_SUP    (1u << 10)
#define FADT_HW_REDUCED   (1u << 20)

#define CMOS_CENTURY 0x32 /* the byte of CMOS that has the century, in BCD */

static void acpi_checksum(struct aml *a, size_t from, size_t len, size_t at)
{
	uint8_t sum = 0;

	if (a->overflow)
		return;
	for (size_t i = from; i < from + len; i++)
		sum = (uint8_t)(sum + a->buf[i]);
	aml_set(a, at, (uint8_t)-sum, 1);
}

size_t acpi_table_open(struct aml *a, const char *sig, uint8_t revision)
{
	size_t table;

	aml_align(a, ACPI_ALIGN);
	table = a->len;
	aml_bytes(a, sig, 4);
	aml_le(a, 0, 4); /* length */
	aml_le(a, revision, 1);
	aml_le(a, 0, 1); /* checksum */
	aml_bytes(a,
		  "MICROV"
		  "MICROVM ",
		  6 + 8);        /* OEM and OEM's table id, */
	aml_le(a, 1, 4);         /* revision */
	aml_bytes(a, "MVMM", 4); /* what wrote it, */
	aml_le(a, 1, 4);         /* revision */
	return table;
}

void acpi_table_close(struct aml *a, size_t table)
{
	aml_set(a, table + HDR_LENGTH, a->len - table, 4);
	acpi_checksum(a, table, a->len - table, table + HDR_CHECKSUM);
}

static const struct platform_device *acpi_find(const struct platform *p,
					       enum device_kind kind)
{
	for (unsigned int i = 0; i < p->ndev; i++)
		if (p->dev[i].kind == kind)
			return &p->dev[i];
	return NULL;
}

/* A Generic Address Structure (5.2.3.2) of one byte in port space */
static void acpi_set_port(struct aml *a, size_t at, uint64_t port)
{
	aml_set(a, at, 1, 1);     /* system I/O */
	aml_set(a, at + 1, 8, 1); /* bits wide */
	aml_set(a, at + 3, 1, 1); /* accessed as bytes */
	aml_set(a, at + 4, port, 8);
}

static size_t acpi_fadt(struct aml *a, const struct platform *p, gpa_t dsdt)
{
	const struct platform_device *pm = acpi_find(p, DEVICE_ACPI_PM);
	size_t t = acpi_table_open(a, "FACP", FADT_REVISION);
	uint32_t flags = FADT_WBINVD | FADT_C1 | FADT_POWER_BUTTON | FADT_SLEEP_BUTTON |
			 FADT_RTC_WAKE | FADT_HW_REDUCED;
	uint32_t boot = FADT_BOOT_NO_VGA;

	aml_zero(a, FADT_SIZE - HDR_SIZE);
	if (pm) {
		flags |= FADT_RESET_SUP;
		acpi_set_port(a, t + FADT_RESET_REG, pm->base + ACPI_PM_RESET);
		aml_set(a, t + FADT_RESET_VALUE, ACPI_PM_RESET_VALUE, 1);
		acpi_set_port(a, t + FADT_SLEEP_CONTROL,
			      pm->base + ACPI_PM_SLEEP_CONTROL);
		acpi_set_port(a, t + FADT_SLEEP_STATUS, pm->base + ACPI_PM_SLEEP_STATUS);
	}
	if (acpi_find(p, DEVICE_RTC))
		aml_set(a, t + FADT_CENTURY, CMOS_CENTURY, 1);
	else
		boot |= FADT_BOOT_NO_RTC;
	aml_set(a, t + FADT_IAPC_BOOT_ARCH, boot, 2);
	aml_set(a, t + FADT_FLAGS, flags, 4);
	aml_set(a, t + FADT_MINOR, FADT_MINOR_REVISION, 1);
	aml_set(a, t + FADT_X_DSDT, dsdt, 8);
	acpi_table_close(a, t);
	return t;
}

static size_t acpi_xsdt(struct aml *a, gpa_t fadt, gpa_t madt)
{
	size_t t = acpi_table_open(a, "XSDT", 1);

	aml_le(a, fadt, 8); /* the FADT has to be the first */
	aml_le(a, madt, 8);
	acpi_table_close(a, t);
	return t;
}

/* acpi_rsdp() - fill the RSDP reserved at the start of @a.  It has no RSDT: a reader of revision
 * 2 takes the XSDT
 */
static void acpi_rsdp(struct aml *a, gpa_t xsdt)
{
	struct aml r;

	if (a->overflow)
		return;
	aml_init(&r, a->buf, RSDP_SIZE);
	aml_bytes(&r, "RSD PTR ", 8);
	aml_le(&r, 0, 1); /* checksum of the first 20 bytes */
	aml_bytes(&r, "MICROV", 6);
	aml_le(&r, 2, 1); /* revision */
	aml_le(&r, 0, 4); /* RSDT */
	aml_le(&r, RSDP_SIZE, 4);
	aml_le(&r, xsdt, 8);
	aml_le(&r, 0, 4); /* checksum of all, reserved */
	acpi_checksum(&r, 0, RSDP_V1_SIZE, RSDP_CHECKSUM);
	acpi_checksum(&r, 0, RSDP_SIZE, RSDP_CHECKSUM_V2);
}

/* acpi_write() - all tables, as they will lie at @at */
static void acpi_write(struct aml *a, const struct platform *p, gpa_t at)
{
	size_t dsdt, fadt, madt;

	aml_zero(a, RSDP_SIZE);
	dsdt = acpi_dsdt(a, p);
	fadt = acpi_fadt(a, p, at + dsdt);
	madt = acpi_madt(a, p);
	acpi_rsdp(a, at + acpi_xsdt(a, at + fadt, at + madt));
}

static int acpi_check(const struct platform *p, struct err *e)
{
	for (unsigned int i = 0; i < p->ndev; i++) {
		const struct platform_device *d = &p->dev[i];
		bool mmio = d->kind == DEVICE_VIRTIO_MMIO || d->kind == DEVICE_IOAPIC ||
			    d->kind == DEVICE_GENID;
		uint64_t top = mmio ? UINT32_MAX : UINT16_MAX;

		if (d->base > top || d->len > (mmio ? top : UINT8_MAX) ||
		    d->base + d->len > top + 1)
			return err_set(
				e, EINVAL,
				"ACPI cannot describe device %u at %#llx, length %#llx:"
				" it is out of its address space",
				i, (unsigned long long)d->base,
				(unsigned long long)d->len);
	}
	return 0;
}

int acpi_build(const struct platform *p, struct gmem *m, gpa_t at, gpa_t end, gpa_t *rsdp,
	       gpa_t *used_end, struct err *e)
{
	size_t cap = end > at ? end - at : 0;
	cleanup_free void *buf = NULL;
	struct aml a;
	int rc = acpi_check(p, e);

	if (rc)
		return rc;
	BUG_ON(at % ACPI_ALIGN);
	buf = malloc(MAX(cap, 1));
	if (!buf)
		return err_set(e, ENOMEM, "no memory for %zu bytes of ACPI tables", cap);
	aml_init(&a, buf, cap);
	acpi_write(&a, p, at);
	if (a.overflow)
		return err_set(e, ENOSPC,
			       "the ACPI tables for %u CPUs and %u devices do not fit in"
			       " %zu bytes: use fewer CPUs",
			       p->ncpu, p->ndev, cap);
	if (gmem_write(m, at, buf, a.len))
		return err_set(
			e, EFAULT,
			"no guest RAM at %#llx for the ACPI tables: use more memory",
			(unsigned long long)at);
	*rsdp = at;
	*used_end = at + a.len;
	return 0;
}
