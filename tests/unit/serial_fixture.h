/* SPDX-License-Identifier: Apache-2.0 */
/* serial_fixture - a serial port on a bus and a fake tty, for test_serial*.c. */
#ifndef MICROVM_TESTS_SERIAL_FIXTURE_H
#define MICROVM_TESTS_SERIAL_FIXTURE_H

#include "devices/legacy/legacy.h"

#include <check.h>
#include <linux/serial_reg.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/fake_tty.h"
#include "vmm/core/bus.h"
#include "vmm/core/layout_x86.h"

static struct tty tty;
static struct bus bus;
static struct device *dev;
static struct tty_client *client;

static inline struct device *make(struct tty *t)
{
	struct device *d = serial_create("serial0", LAYOUT_COM1, LAYOUT_GSI_COM1, t);
	struct err e = {0};

	ck_assert_ptr_nonnull(d);
	bus = (struct bus){.name = "pio"};
	ck_assert_int_eq(bus_add(&bus, d, &e), 0);
	return d;
}

static inline void setup(void)
{
	tty = (struct tty){.room = SIZE_MAX};
	dev = make(&tty);
	client = serial_client(dev);
}

static inline void teardown(void)
{
	dev->ops->destroy(dev);
}

static inline uint8_t in(unsigned int reg)
{
	return (uint8_t)bus_read(&bus, LAYOUT_COM1 + reg, 1);
}

static inline void out(unsigned int reg, uint8_t val)
{
	bus_write(&bus, LAYOUT_COM1 + reg, 1, val);
}

static inline uint64_t pulses(void)
{
	uint64_t n = 0;

	return read(dev->irq.fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static inline void type(const char *s)
{
	client->input(client, (const uint8_t *)s, strlen(s));
}

static inline void expect_out(const char *s)
{
	ck_assert_uint_eq(tty.nout, strlen(s));
	ck_assert_mem_eq(tty.out, s, strlen(s));
}

#endif
