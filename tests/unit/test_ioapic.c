/* SPDX-License-Identifier: Apache-2.0 */
/* test_ioapic - what a redirection table entry sends, and when the router hears of it. */
#include "devices/legacy/ioapic.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/unit.h"
#include "tests/unit/state_fixture.h"
#include "vmm/core/bus.h"
#include "vmm/core/util.h"
#include "vmm/core/layout_x86.h"

struct recorder {
	struct msi_router router;
	unsigned int calls;
	bool routed[LAYOUT_IOAPIC_PINS];
	struct msi_msg msg[LAYOUT_IOAPIC_PINS];
	bool kept[LAYOUT_IOAPIC_PINS];
	unsigned int pushes, all; /* calls */
};

static struct recorder rec;
static struct bus bus;
static struct device *dev;

static void record(struct msi_router *r, unsigned int gsi, const struct msi_msg *msg)
{
	struct recorder *c = container_of(r, struct recorder, router);

	ck_assert_uint_lt(gsi, LAYOUT_IOAPIC_PINS);
	c->calls++;
	c->routed[gsi] = msg != NULL;
	if (msg)
		c->msg[gsi] = *msg;
}

static void record_all(struct msi_router *r, unsigned int n,
		       const struct msi_msg *const msg[])
{
	struct recorder *c = container_of(r, struct recorder, router);

	ck_assert_uint_eq(n, LAYOUT_IOAPIC_PINS);
	c->all++;
	for (unsigned int i = 0; i < n; i++) {
		c->routed[i] = msg[i] != NULL;
		if (msg[i])
			c->msg[i] = *msg[i];
	}
}

static bool tell_kept(struct msi_router *r, unsigned int gsi)
{
	return container_of(r, struct recorder, router)->kept[gsi];
}

static void record_push(struct msi_router *r, unsigned int gsi)
{
	struct recorder *c = container_of(r, struct recorder, router);

	ck_assert_uint_eq(c->all, 1); /* after the routes */
	c->kept[gsi] = true;
	c->pushes++;
}

static void setup(void)
{
	struct err e = {0};

	rec = (struct recorder){.router = {.route = record,
					   .route_all = record_all,
					   .kept = tell_kept,
					   .push = record_push}};
	bus = (struct bus){.name = "mmio"};
	dev = ioapic_create(LAYOUT_IOAPIC, LAYOUT_IOAPIC_PINS, &rec.router);
	ck_assert_ptr_nonnull(dev);
	ck_assert_int_eq(bus_add(&bus, dev, &e), 0);
}

static void teardown(void)
{
	dev->ops->destroy(dev);
}

static uint32_t reg_read(uint8_t reg)
{
	bus_write(&bus, LAYOUT_IOAPIC, 4, reg);
	return (uint32_t)bus_read(&bus, LAYOUT_IOAPIC + 0x10, 4);
}

static void reg_write(uint8_t reg, uint32_t val)
{
	bus_write(&bus, LAYOUT_IOAPIC, 4, reg);
	bus_write(&bus, LAYOUT_IOAPIC + 0x10, 4, val);
}

/* As an operating system does it: high half while masked */
static void rte_write(unsigned int pin, uint64_t rte)
{
	reg_write((uint8_t)(0x10 + 2 * pin), 1 << 16);
	reg_write((uint8_t)(0x11 + 2 * pin), (uint32_t)(rte >> 32));
	reg_write((uint8_t)(0x10 + 2 * pin), (uint32_t)rte);
}

START_TEST(identity_and_pins_are_read)
{
	ck_assert_uint_eq(reg_read(1), 0x20 | (LAYOUT_IOAPIC_PINS - 1) << 16);
	ck_assert_uint_eq(reg_read(0), 0);
	reg_write(0, 0xffffffff);
	ck_assert_uint_eq(reg_read(0), 0xff000000);
	ck_assert_uint_eq(reg_read(2), 0xff000000);
	ck_assert_uint_eq(bus_read(&bus, LAYOUT_IOAPIC, 1), 2);
	reg_write(1, 0);
	ck_assert_uint_eq(reg_read(1), 0x20 | (LAYOUT_IOAPIC_PINS - 1) << 16);
}
END_TEST

START_TEST(all_pins_start_masked_and_silent)
{
	for (unsigned int i = 0; i < LAYOUT_IOAPIC_PINS; i++) {
		ck_assert_uint_eq(reg_read((uint8_t)(0x10 + 2 * i)), 1 << 16);
		ck_assert_uint_eq(reg_read((uint8_t)(0x11 + 2 * i)), 0);
	}
	ck_assert_uint_eq(rec.calls, 0);
}
END_TEST

START_TEST(entry_becomes_message)
{
	static const struct {
		uint64_t rte;
		uint64_t address;
		uint32_t data;
	} row[] = {
		{0x31, 0xfee00000, 0x31},
		{UINT64_C(3) << 56 | 0x41, 0xfee03000, 0x41},
		{UINT64_C(0xff) << 56 | 0x841, 0xfeeff004, 0x41}, /* logical */
		{UINT64_C(1) << 56 | 0x951, 0xfee01004, 0x151},   /* lowest priority */
		{UINT64_C(1) << 56 | 0x400, 0xfee01000, 0x400},   /* NMI */
		{UINT64_C(1) << 56 | 0xa061, 0xfee01000, 0x61},   /* level, active-low */
		{UINT64_C(0x12fe) << 49 | 0x61, 0x7e00fee25000,
		 0x61}, /* 15-bit destination */
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		rte_write(i, row[i].rte);
		ck_assert(rec.routed[i]);
		ck_assert_uint_eq(rec.msg[i].address, row[i].address);
		ck_assert_uint_eq(rec.msg[i].data, row[i].data);
		ck_assert_uint_eq(reg_read((uint8_t)(0x10 + 2 * i)),
				  (uint32_t)row[i].rte);
		ck_assert_uint_eq(reg_read((uint8_t)(0x11 + 2 * i)), row[i].rte >> 32);
	}
	ck_assert_uint_eq(rec.calls, ARRAY_SIZE(row));
}
END_TEST

START_TEST(undeliverable_entry_routes_nowhere)
{
	static const uint32_t bad[] = {
		0x00,    0x0f,  /* vectors of exceptions */
		0x100,          /* the same, lowest priority */
		0x341,   0x641, /* reserved modes */
		0x741,          /* ExtINT: no 8259 */
		0x10041,        /* masked */
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		rte_write(5, bad[i]);
		ck_assert(!rec.routed[5]);
		ck_assert_uint_eq(rec.calls, 0);
		ck_assert_uint_eq(reg_read(0x10 + 2 * 5), bad[i]);
	}
}
END_TEST

START_TEST(pin_reaches_a_processor_while_it_is_routed)
{
	ck_assert(!ioapic_routes(dev, 9));
	rte_write(9, 0x41);
	ck_assert(ioapic_routes(dev, 9));
	ck_assert(!ioapic_routes(dev, 8));
	rte_write(9, 0x41 | 1 << 16);
	ck_assert(!ioapic_routes(dev, 9));
	rte_write(9, 0); /* no vector */
	ck_assert(!ioapic_routes(dev, 9));
	ck_assert(!ioapic_routes(dev, LAYOUT_IOAPIC_PINS));
	ck_assert(!ioapic_routes(dev, UINT32_MAX));
}
END_TEST

START_TEST(same_entry_again_is_not_told_again)
{
	rte_write(7, 0x55);
	ck_assert_uint_eq(rec.calls, 1);
	reg_write(0x10 + 2 * 7, 0x55);
	reg_write(0x11 + 2 * 7, 0);
	reg_write(0x10 + 2 * 7, 0x55 | 1 << 13); /* polarity alone changes no message */
	reg_write(0x10 + 2 * 7, 0x55 | 1 << 12); /* nor a read-only bit */
	ck_assert_uint_eq(rec.calls, 1);
	reg_write(0x10 + 2 * 7, 0x55 | 1 << 16);
	ck_assert_uint_eq(rec.calls, 2);
	ck_assert(!rec.routed[7]);
	reg_write(0x10 + 2 * 7, 0x66 | 1 << 16);
	ck_assert_uint_eq(rec.calls, 2);
	reg_write(0x10 + 2 * 7, 0x66);
	ck_assert_uint_eq(rec.calls, 3);
	ck_assert_uint_eq(rec.msg[7].data, 0x66);
}
END_TEST

START_TEST(readonly_and_reserved_bits_stay_clear)
{
	rte_write(0, UINT64_MAX & ~(UINT64_C(1) << 16));
	ck_assert_uint_eq(reg_read(0x10), 0xafff);
	ck_assert_uint_eq(reg_read(0x11), 0xfffe0000);
}
END_TEST

START_TEST(eoi_and_unknown_registers_do_nothing)
{
	rte_write(1, 0x8033);
	bus_write(&bus, LAYOUT_IOAPIC + 0x40, 4, 0x33);
	for (unsigned int reg = 3; reg < 256; reg++) {
		if (reg >= 0x10 && reg < 0x10 + 2 * LAYOUT_IOAPIC_PINS)
			continue;
		reg_write((uint8_t)reg, UINT32_MAX);
		ck_assert_uint_eq(reg_read((uint8_t)reg), 0);
	}
	ck_assert_uint_eq(rec.calls, 1);
	ck_assert_uint_eq(reg_read(0x12), 0x8033);
}
END_TEST

START_TEST(other_widths_do_not_reach_the_window)
{
	rte_write(0, 0x44);
	bus_write(&bus, LAYOUT_IOAPIC, 1, 0x10);
	bus_write(&bus, LAYOUT_IOAPIC + 0x10, 1, 0x55);
	bus_write(&bus, LAYOUT_IOAPIC + 0x10, 8, 0x55);
	bus_write(&bus, LAYOUT_IOAPIC + 0x12, 4, 0x55);
	ck_assert_uint_eq(bus_read(&bus, LAYOUT_IOAPIC + 0x10, 2), 0xffff);
	ck_assert_uint_eq(reg_read(0x10), 0x44);
}
END_TEST

START_TEST(reset_masks_what_was_routed)
{
	rte_write(3, 0x77);
	rte_write(63, 0x78);
	reg_write(0, 0x05000000);
	dev->ops->reset(dev);
	ck_assert_uint_eq(rec.calls, 4);
	ck_assert(!rec.routed[3] && !rec.routed[63]);
	ck_assert_uint_eq(reg_read(0x10 + 2 * 3), 1 << 16);
	ck_assert_uint_eq(reg_read(0), 0);
}
END_TEST

START_TEST(state_comes_back_with_its_routes)
{
	struct state_image im;

	rte_write(4, UINT64_C(2) << 56 | 0x34);
	rte_write(9, 0x10039);
	rec.kept[9] = true;
	reg_write(0, 0x01000000);
	state_save(dev, &im);
	ck_assert(rec.kept[9]);
	teardown();
	setup();
	ck_assert_str_eq(state_load(dev, &im), "");
	ck_assert_uint_eq(rec.calls, 0);
	ck_assert_uint_eq(rec.all, 1);
	ck_assert(rec.routed[4] && !rec.routed[9]);
	ck_assert_uint_eq(rec.msg[4].address, 0xfee02000);
	ck_assert_uint_eq(reg_read(0x10 + 2 * 9), 0x10039);
	ck_assert_uint_eq(reg_read(0), 0x01000000);
	/* the edge that came while the pin was masked waits again, and no other */
	ck_assert_uint_eq(rec.pushes, 1);
	ck_assert(rec.kept[9]);
	/* and it goes on: the unmasked pin is told, the same entry is not told again */
	reg_write(0x10 + 2 * 9, 0x39);
	ck_assert(rec.routed[9]);
	reg_write(0x10 + 2 * 4, 0x34);
	ck_assert_uint_eq(rec.calls, 1);
}
END_TEST

START_TEST(wrong_state_leaves_all_pins_masked)
{
	struct state_image im, bad;

	rte_write(0, 0x31);
	rte_write(63, 0x32);
	state_save(dev, &im);
	teardown();
	setup();
	bad = im;
	bad.byte[bad.len - 9 + 1] |= 1 << 4; /* delivery status of the last pin */
	state_refuse(dev, &bad, "reserved bits");
	bad = im;
	bad.byte[STATE_FIELDS + 4 + 1] = 1; /* the id, in bits that it has not */
	state_refuse(dev, &bad, "no such id");
	ck_assert_uint_eq(rec.calls + rec.all + rec.pushes, 0);
	ck_assert(!ioapic_routes(dev, 0));
	bad = im;
	bad.byte[STATE_FIELDS] = 24; /* pins */
	state_refuse(dev, &bad, "the state has 24 I/O APIC pins, this machine has 64");
	for (unsigned int i = 0; i < 2; i++) { /* cut, over a device that was in use */
		rec.all = 0;
		ck_assert_str_eq(state_load(dev, &im), "");
		ck_assert(rec.routed[63]);
		bad = im;
		bad.len = i ? im.len - 1 : STATE_FIELDS;
		state_refuse(dev, &bad, "state");
		ck_assert(!rec.routed[0] && !rec.routed[63]);
	}
}
END_TEST

/* A write is slow if, and only if, KVM is told */
static void write_both_ways(uint64_t off, unsigned int size, uint64_t val)
{
	unsigned int calls = rec.calls;
	bool quick = bus_write_quick(&bus, LAYOUT_IOAPIC + off, size, val);

	ck_assert_uint_eq(rec.calls, calls);
	if (!quick)
		bus_write(&bus, LAYOUT_IOAPIC + off, size, val);
	ck_assert_uint_eq(rec.calls, calls + !quick);
}

/* Any access in any order: the device stays within itself (sanitizers look on) and the
 * router has exactly what the table says
 */
START_TEST(random_accesses_keep_table_and_routes_in_step)
{
	unsigned int seed = 1;

	for (unsigned int i = 0; i < 200000; i++) {
		uint64_t off = (unsigned int)rand_r(&seed) % 8 * 8;
		unsigned int size = 1u << rand_r(&seed) % 4;
		uint64_t val = (uint64_t)rand_r(&seed) << 33 ^
			       (uint64_t)rand_r(&seed) << 8 ^ (uint64_t)rand_r(&seed);

		if (rand_r(&seed) & 1)
			write_both_ways(off, size, val);
		else
			bus_read(&bus, LAYOUT_IOAPIC + off, size);
	}
	for (unsigned int i = 0; i < LAYOUT_IOAPIC_PINS; i++) {
		uint32_t low = reg_read((uint8_t)(0x10 + 2 * i));

		ck_assert_uint_eq(low & ~0x1afffu, 0);
		if (rec.routed[i])
			ck_assert_uint_eq(rec.msg[i].data, low & 0x7ff);
		else
			ck_assert(low & 1 << 16 || (low & 0xff) < 16 ||
				  (low & 0x300) == 0x300 || (low & 0x700) == 0x600);
	}
}
END_TEST

UNIT_MAIN("ioapic", setup, teardown, t)
{
	tcase_add_test(t, identity_and_pins_are_read);
	tcase_add_test(t, all_pins_start_masked_and_silent);
	tcase_add_test(t, entry_becomes_message);
	tcase_add_test(t, undeliverable_entry_routes_nowhere);
	tcase_add_test(t, pin_reaches_a_processor_while_it_is_routed);
	tcase_add_test(t, same_entry_again_is_not_told_again);
	tcase_add_test(t, readonly_and_reserved_bits_stay_clear);
	tcase_add_test(t, eoi_and_unknown_registers_do_nothing);
	tcase_add_test(t, other_widths_do_not_reach_the_window);
	tcase_add_test(t, reset_masks_what_was_routed);
	tcase_add_test(t, state_comes_back_with_its_routes);
	tcase_add_test(t, wrong_state_leaves_all_pins_masked);
	tcase_add_test(t, random_accesses_keep_table_and_routes_in_step);
}
