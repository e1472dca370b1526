/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tty_guest - the client side of a tty, over memory: it takes as much as a test leaves room
 * for, and counts what it is told.  All of it under dev.lock; for one .c file a program.
 */
#ifndef MICROVM_TESTS_TTY_GUEST_H
#define MICROVM_TESTS_TTY_GUEST_H

#include <check.h>
#include <string.h>

#include "devices/backend/tty.h"
#include "tests/lib/nop_device.h"
#include "vmm/core/util.h"

static struct device dev;
static uint8_t got[MIB];
static size_t room, ngot;                /* bytes it still takes, and has taken */
static unsigned int nroom, ncame, nleft; /* calls: output_room(), connected() */
static uint16_t cols, rows;              /* the size it was told last */

static size_t guest_input_room(struct tty_client *c)
{
	(void)c;
	return MIN(room, sizeof(got) - ngot);
}

static void guest_input(struct tty_client *c, const uint8_t *p, size_t n)
{
	(void)c;
	ck_assert_uint_le(n, room);
	memcpy(got + ngot, p, n);
	ngot += n;
	room -= n;
}

static void guest_output_room(struct tty_client *c)
{
	(void)c;
	nroom++;
}

static void guest_resized(struct tty_client *c, uint16_t co, uint16_t ro)
{
	(void)c;
	cols = co;
	rows = ro;
}

static void guest_connected(struct tty_client *c, bool yes)
{
	(void)c;
	ncame += yes;
	nleft += !yes;
}

static struct tty_client client = {
	.dev = &dev,
	.input_room = guest_input_room,
	.input = guest_input,
	.output_room = guest_output_room,
	.resized = guest_resized,
	.connected = guest_connected,
};

static inline void guest_init(void)
{
	device_init(&dev, &nop_ops, DEVICE_SERIAL, "com1", 0, 8);
	room = sizeof(got);
	ngot = 0;
	nroom = ncame = nleft = 0;
	cols = rows = 0;
}

#endif
