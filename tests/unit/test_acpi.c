/* SPDX-License-Identifier: Apache-2.0 */
/* test_acpi - the ACPI tables as a guest reads them: by pointer, length and checksum. */
#include "boot/acpi.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/unit.h"
#include "tests/unit/acpi_platform.h"
#include "vmm/core/util.h"

static struct gmem mem;
static struct platform plat;
static struct err err;
static gpa_t rsdp, used_end;

static void setup(void)
{
	gmem_init(&mem, false);
	ck_assert_int_eq(gmem_add(&mem, 0, 2 * MIB, &err), 0);
}

static void teardown(void)
{
	gmem_fini(&mem);
}

static uint64_t load(gpa_t at, unsigned int n)
{
	uint64_t v = 0;

	ck_assert_int_eq(gmem_read(&mem, at, &v, n), 0);
	return v;
}

static uint8_t sum(gpa_t at, size_t len)
{
	const uint8_t *p = gmem_slice(&mem, at, len);
	uint8_t s = 0;

	ck_assert_ptr_nonnull(p);
	for (size_t i = 0; i < len; i++)
		s = (uint8_t)(s + p[i]);
	return s;
}

static void expect_bytes(gpa_t at, const void *want, size_t n)
{
	const uint8_t *p = gmem_slice(&mem, at, n);

	ck_assert_ptr_nonnull(p);
	ck_assert_mem_eq(p, want, n);
}

/* Return: the length of the table at @at, all of whose header is right */
static uint32_t expect_table(gpa_t at, const char *sig)
{
	uint32_t len = (uint32_t)load(at + 4, 4);

	expect_bytes(at, sig, 4);
	ck_assert_uint_ge(at, rsdp);
	ck_assert_uint_le(at + len, used_end);
	ck_assert_uint_eq(at % 8, 0);
	ck_assert_uint_eq(sum(at, len), 0);
	return len;
}

static void build(unsigned int ncpu, unsigned int nvirtio)
{
	platform_make(&plat, ncpu, nvirtio);
	ck_assert_int_eq(acpi_build(&plat, &mem, LAYOUT_ACPI, LAYOUT_ACPI_END, &rsdp,
				    &used_end, &err),
			 0);
}

static gpa_t xsdt_entry(unsigned int i)
{
	gpa_t xsdt = load(rsdp + 24, 8);

	ck_assert_uint_eq(expect_table(xsdt, "XSDT"), 36 + 2 * 8);
	return load(xsdt + 36 + 8 * i, 8);
}

START_TEST(rsdp_is_found_by_scan_and_sums_to_zero)
{
	build(1, 0);
	ck_assert_uint_eq(rsdp, LAYOUT_ACPI);
	expect_bytes(rsdp, "RSD PTR ", 8);
	ck_assert_uint_eq(load(rsdp + 15, 1), 2);
	ck_assert_uint_eq(load(rsdp + 20, 4), 36);
	ck_assert_uint_eq(sum(rsdp, 20), 0);
	ck_assert_uint_eq(sum(rsdp, 36), 0);
	ck_assert_uint_le(used_end, LAYOUT_ACPI_END);
}
END_TEST

static void expect_port(gpa_t gas, uint64_t port)
{
	static const uint8_t byte_in_system_io[4] = {1, 8, 0, 1};

	expect_bytes(gas, byte_in_system_io, 4);
	ck_assert_uint_eq(load(gas + 4, 8), port);
}

START_TEST(fadt_tells_how_to_reset_and_power_off)
{
	gpa_t fadt;
	uint32_t flags;

	build(2, 1);
	fadt = xsdt_entry(0);
	ck_assert_uint_eq(expect_table(fadt, "FACP"), 276);
	ck_assert_uint_eq(load(fadt + 8, 1), 6);
	flags = (uint32_t)load(fadt + 112, 4);
	ck_assert_uint_ne(flags & 1u << 20, 0);
	ck_assert_uint_ne(flags & 1u << 10, 0);
	expect_port(fadt + 116, LAYOUT_ACPI_PM + ACPI_PM_RESET);
	ck_assert_uint_eq(load(fadt + 128, 1), ACPI_PM_RESET_VALUE);
	expect_port(fadt + 244, LAYOUT_ACPI_PM + ACPI_PM_SLEEP_CONTROL);
	expect_port(fadt + 256, LAYOUT_ACPI_PM + ACPI_PM_SLEEP_STATUS);
	/* no VGA; no 8042; MSI and the clock are there */
	ck_assert_uint_eq(load(fadt + 109, 2), 1 << 2);
	ck_assert_uint_eq(load(fadt + 108, 1), 0x32);
	ck_assert_uint_eq(load(fadt + 36, 8), 0);
}
END_TEST

START_TEST(fadt_promises_no_device_that_is_absent)
{
	gpa_t fadt;

	build(1, 0);
	fadt = xsdt_entry(0);
	expect_table(fadt, "FACP");
	ck_assert_uint_eq(load(fadt + 112, 4) & 1u << 10, 0);
	ck_assert_uint_eq(load(fadt + 116 + 4, 8), 0);
	ck_assert_uint_eq(load(fadt + 244 + 4, 8), 0);
	ck_assert_uint_eq(load(fadt + 109, 2), 1 << 2 | 1 << 5);
}
END_TEST

static void expect_cpus(unsigned int ncpu)
{
	gpa_t madt, at, end;
	unsigned int id = 0, nioapic = 0;

	build(ncpu, 3);
	madt = xsdt_entry(1);
	end = madt + expect_table(madt, "APIC");
	ck_assert_uint_eq(load(madt + 36, 4), LAYOUT_LAPIC);
	ck_assert_uint_eq(load(madt + 40, 4), 0);
	for (at = madt + 44; at < end; at += load(at + 1, 1)) {
		switch (load(at, 1)) {
		case 0:
			ck_assert_uint_eq(load(at + 1, 1), 8);
			ck_assert_uint_eq(load(at + 2, 1), id);
			ck_assert_uint_eq(load(at + 3, 1), id++);
			ck_assert_uint_lt(id, 256); /* 255 would be broadcast */
			ck_assert_uint_eq(load(at + 4, 4), 1);
			break;
		case 9:
			ck_assert_uint_eq(load(at + 1, 1), 16);
			ck_assert_uint_eq(load(at + 4, 4), id);
			ck_assert_uint_eq(load(at + 8, 4), 1);
			ck_assert_uint_eq(load(at + 12, 4), id++);
			break;
		case 1:
			ck_assert_uint_eq(load(at + 1, 1), 12);
			ck_assert_uint_eq(load(at + 4, 4), LAYOUT_IOAPIC);
			ck_assert_uint_eq(load(at + 8, 4), 0);
			nioapic++;
			break;
		default:
			ck_abort_msg("MADT entry of type %u", (unsigned int)load(at, 1));
		}
	}
	ck_assert_uint_eq(at, end);
	ck_assert_uint_eq(id, ncpu);
	ck_assert_uint_eq(nioapic, 1);
}

START_TEST(madt_lists_every_cpu_once)
{
	expect_cpus(1);
	expect_cpus(4);
	expect_cpus(255);
	expect_cpus(256);
	expect_cpus(300);
	expect_cpus(4096);
}
END_TEST

/* A reader of just the AML that we write, to check each length against what it encloses */
static gpa_t dsdt_at;

static uint64_t pkg_end(void)
{
	gpa_t at = dsdt_at;
	unsigned int lead = (unsigned int)load(at, 1), extra = lead >> 6;
	uint64_t len = extra ? lead & 0xf : lead & 0x3f;

	for (unsigned int i = 0; i < extra; i++)
		len |= load(at + 1 + i, 1) << (4 + 8 * i);
	dsdt_at = at + 1 + extra;
	return at + len;
}

static uint64_t take(unsigned int n)
{
	uint64_t v = load(dsdt_at, n);

	dsdt_at += n;
	return v;
}

static uint64_t take_integer(void)
{
	uint64_t op = take(1);

	if (op <= 1)
		return op;
	ck_assert(op == 0x0a || op == 0x0b || op == 0x0c);
	return take(op == 0x0a ? 1 : op == 0x0b ? 2 : 4);
}

static void take_bytes(const char *want, size_t n)
{
	expect_bytes(dsdt_at, want, n);
	dsdt_at += n;
}

static void take_resources(const struct platform_device *d, bool interrupt)
{
	gpa_t end, data;
	uint64_t len;

	ck_assert_uint_eq(take(1), 0x11);
	end = pkg_end();
	len = take_integer();
	data = dsdt_at;
	ck_assert_uint_eq(data + len, end);
	if (d->kind == DEVICE_VIRTIO_MMIO) {
		take_bytes("\x86\x09\x00\x01", 4);
		ck_assert_uint_eq(take(4), d->base);
		ck_assert_uint_eq(take(4), d->len);
	} else {
		take_bytes("\x47\x01", 2);
		ck_assert_uint_eq(take(2), d->base);
		ck_assert_uint_eq(take(2), d->base);
		ck_assert_uint_eq(take(1), 1);
		ck_assert_uint_eq(take(1), d->len);
	}
	if (interrupt) {
		take_bytes("\x89\x06\x00\x03\x01", 5);
		ck_assert_uint_eq(take(4), d->gsi);
	}
	take_bytes("\x79\x00", 2);
	ck_assert_uint_eq(dsdt_at, end);
}

static void take_device(unsigned int i, char letter, const char *hid, size_t hid_len,
			unsigned int uid)
{
	char seg[8];
	gpa_t end;

	take_bytes("\x5b\x82", 2);
	end = pkg_end();
	(void)snprintf(seg, sizeof(seg), "%c%03X", letter, i);
	take_bytes(seg, 4);
	take_bytes("\x08_HID", 5);
	take_bytes(hid, hid_len);
	take_bytes("\x08_UID", 5);
	ck_assert_uint_eq(take_integer(), uid);
	take_bytes("\x08_CRS", 5);
	take_resources(&plat.dev[i], letter != 'R' && letter != 'P');
	ck_assert_uint_eq(dsdt_at, end);
}

/* By acpica's own encoding of: Device (PWRB) { Name (_HID, EisaId ("PNP0C0C")) }, Device (GED0)
 * { Name (_HID, "ACPI0013"), Name (_CRS, ResourceTemplate () { Interrupt (ResourceConsumer,
 * Edge, ActiveHigh, Exclusive) { 9 } }), Method (_EVT, 1) { Notify (PWRB, 0x80) } }
 */
static void take_button(void)
{
	take_bytes("\x5b\x82\x0fPWRB\x08_HID\x0c\x41\xd0\x0c\x0c", 17);
	take_bytes("\x5b\x82\x36GED0\x08_HID\x0d"
		   "ACPI0013",
		   22);
	take_bytes("\x08_CRS\x11\x0e\x0a\x0b\x89\x06\x00\x03\x01", 14);
	ck_assert_uint_eq(take(4), LAYOUT_GSI_BUTTON);
	take_bytes("\x79\x00\x14\x0d_EVT\x01\x86PWRB\x0a\x80", 16);
}

/* Likewise of: Device (VGEN) { Name (_HID, "MVMM0001"), Name (_CID, "VM_Gen_Counter"), Name (_DDN,
 * "VM_Gen_Counter"), Name (ADDR, Package (0x02) { 0xcfff0000, 0 }) }, and an event device for its line
 */
static void take_genid(void)
{
	static const char device[] = "\x5b\x82\x4d\x04VGEN"
				     "\x08_HID\x0dMVMM0001\0"
				     "\x08_CID\x0dVM_Gen_Counter\0"
				     "\x08_DDN\x0dVM_Gen_Counter\0"
				     "\x08"
				     "ADDR\x12\x08\x02\x0c",
			  event[] = "\0\x5b\x82\x3eGED1"
				    "\x08_HID\x0d"
				    "ACPI0013\0"
				    "\x08_UID\x0d"
				    "1\0"
				    "\x08_CRS\x11\x0e\x0a\x0b\x89\x06\0\x03\x01";

	take_bytes(device, sizeof(device) - 1);
	ck_assert_uint_eq(take(4), LAYOUT_GENID);
	take_bytes(event, sizeof(event) - 1);
	ck_assert_uint_eq(take(4), LAYOUT_GSI_GENID);
	take_bytes("\x79\x00\x14\x0d_EVT\x01\x86VGEN\x0a\x80", 16);
}

static void expect_devices(unsigned int ncpu, unsigned int nvirtio)
{
	gpa_t dsdt, end, scope;

	build(ncpu, nvirtio);
	dsdt = load(xsdt_entry(0) + 140, 8);
	end = dsdt + expect_table(dsdt, "DSDT");
	ck_assert_uint_eq(load(dsdt + 8, 1), 2);
	dsdt_at = dsdt + 36;
	ck_assert_uint_eq(take(1), 0x10);
	scope = pkg_end();
	take_bytes("_SB_", 4);
	for (unsigned int i = 0; i < nvirtio; i++)
		take_device(6 + i, 'V', "\x0dLNRO0005", 10, i);
	if (nvirtio) {
		take_device(3, 'S', "\x0c\x41\xd0\x05\x01", 5, 0);
		take_device(2, 'R', "\x0c\x41\xd0\x0b\x00", 5, 0);
		take_device(5, 'P', "\x0dQEMU0001", 10, 0);
		take_button();
		take_genid();
	}
	ck_assert_uint_eq(dsdt_at, scope);
	take_bytes("\x08_S5_\x12\x06\x02\x0a\x05\x0a\x05", 12);
	ck_assert_uint_eq(dsdt_at, end);
}

START_TEST(dsdt_describes_every_device)
{
	expect_devices(1, 0);
	expect_devices(1, 1);
	expect_devices(4, 3);
	expect_devices(300, 3);
	expect_devices(1, 24);
	expect_devices(1024, PLATFORM_DEVICES_MAX - 7);
}
END_TEST

START_TEST(button_that_is_absent_is_not_told_of)
{
	gpa_t dsdt;
	size_t len, with;

	build(1, 1);
	dsdt = load(xsdt_entry(0) + 140, 8);
	with = expect_table(dsdt, "DSDT");
	platform_make(&plat, 1, 1);
	plat.dev[4].gsi = 0;
	ck_assert_int_eq(acpi_build(&plat, &mem, LAYOUT_ACPI, LAYOUT_ACPI_END, &rsdp,
				    &used_end, &err),
			 0);
	dsdt = load(xsdt_entry(0) + 140, 8);
	len = expect_table(dsdt, "DSDT");
	ck_assert_uint_lt(len, with);
	ck_assert_ptr_null(memmem(gmem_slice(&mem, dsdt, len), len, "PWRB", 4));
}
END_TEST

START_TEST(tables_do_not_leave_their_room)
{
	static const uint8_t untouched[64];
	size_t need;

	build(4, 3);
	need = used_end - rsdp;
	expect_bytes(used_end, untouched, sizeof(untouched));
	ck_assert_int_eq(acpi_build(&plat, &mem, LAYOUT_ACPI, LAYOUT_ACPI + need, &rsdp,
				    &used_end, &err),
			 0);
	for (size_t room = 0; room < need; room++) {
		ck_assert_int_eq(acpi_build(&plat, &mem, LAYOUT_ACPI, LAYOUT_ACPI + room,
					    &rsdp, &used_end, &err),
				 -ENOSPC);
	}
	ck_assert_ptr_nonnull(strstr(err.msg, "do not fit"));
}
END_TEST

START_TEST(too_many_cpus_are_refused)
{
	platform_make(&plat, 100000, 3);
	ck_assert_int_eq(acpi_build(&plat, &mem, LAYOUT_ACPI, LAYOUT_ACPI_END, &rsdp,
				    &used_end, &err),
			 -ENOSPC);
}
END_TEST

START_TEST(absent_ram_is_refused)
{
	platform_make(&plat, 1, 1);
	ck_assert_int_eq(
		acpi_build(&plat, &mem, 2 * MIB - 64, 3 * MIB, &rsdp, &used_end, &err),
		-EFAULT);
}
END_TEST

START_TEST(device_that_aml_cannot_reach_is_refused)
{
	platform_make(&plat, 1, 1);
	plat.dev[plat.ndev - 1].base = 0xfffff001;
	ck_assert_int_eq(acpi_build(&plat, &mem, LAYOUT_ACPI, LAYOUT_ACPI_END, &rsdp,
				    &used_end, &err),
			 -EINVAL);
	platform_make(&plat, 1, 1);
	plat.dev[3].base = 0xfff9;
	ck_assert_int_eq(acpi_build(&plat, &mem, LAYOUT_ACPI, LAYOUT_ACPI_END, &rsdp,
				    &used_end, &err),
			 -EINVAL);
}
END_TEST

UNIT_MAIN("acpi", setup, teardown, t)
{
	tcase_add_test(t, rsdp_is_found_by_scan_and_sums_to_zero);
	tcase_add_test(t, fadt_tells_how_to_reset_and_power_off);
	tcase_add_test(t, fadt_promises_no_device_that_is_absent);
	tcase_add_test(t, madt_lists_every_cpu_once);
	tcase_add_test(t, dsdt_describes_every_device);
	tcase_add_test(t, button_that_is_absent_is_not_told_of);
	tcase_add_test(t, tables_do_not_leave_their_room);
	tcase_add_test(t, too_many_cpus_are_refused);
	tcase_add_test(t, absent_ram_is_refused);
	tcase_add_test(t, device_that_aml_cannot_reach_is_refused);
}
