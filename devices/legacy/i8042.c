/* SPDX-License-Identifier: Apache-2.0 */
/*
 * i8042 - a keyboard controller without a keyboard, for two things that software does on its
 * ports: the reset command, and loops that wait for port 0x61 to change.
 *
 * Its status always has a byte for the reader (output buffer full). A probe that first empties
 * the buffer, as Linux's does, gives up after 16 reads and finds no controller; a silent one
 * would cost it seconds of time-outs. And it is never busy (input buffer full), so a driver never
 * waits to send a command.
 */
#include "devices/legacy/legacy.h"

#include <stdlib.h>

#include "devices/legacy/pio_ports.h"
#include "vmm/core/util.h"

#define I8042_BASE 0x60
#define I8042_LEN  5

enum i8042_port { I8042_PORT_B = 1, I8042_COMMAND = 4 };

#define I8042_STATUS    0x01 /* output buffer full */
#define I8042_CMD_RESET 0xfe /* pulse output line 0, the processor's reset */

/* Port B: the guest's bits are timer 2's gate and the speaker; refresh and timer 2's
 * output change with every read, so that loops that wait for either end
 */
#define I8042_B_GUEST   0x03
#define I8042_B_TOGGLES 0x30

struct i8042 {
	struct device dev;
	struct power *power;
	uint8_t port_b;
};

static uint8_t i8042_get(struct device *d, unsigned int port)
{
	struct i8042 *kbd = container_of(d, struct i8042, dev);

	switch (port) {
	case I8042_PORT_B:
		kbd->port_b ^= I8042_B_TOGGLES;
		return kbd->port_b;
	case I8042_COMMAND:
		return I8042_STATUS;
	default:
		return 0xff;
	}
}

static void i8042_set(struct device *d, unsigned int port, uint8_t val)
{
	struct i8042 *kbd = container_of(d, struct i8042, dev);

	if (port == I8042_PORT_B)
		kbd->port_b = (kbd->port_b & I8042_B_TOGGLES) | (val & I8042_B_GUEST);
	else if (port == I8042_COMMAND && val == I8042_CMD_RESET)
		kbd->power->request(kbd->power, POWER_RESET);
}

static uint64_t i8042_read(struct device *d, uint64_t off, unsigned int size)
{
	return ports_read(d, off, size, i8042_get);
}

static void i8042_write(struct device *d, uint64_t off, unsigned int size, uint64_t val)
{
	ports_write(d, off, size, val, i8042_set);
}

static void i8042_reset(struct device *d)
{
	container_of(d, struct i8042, dev)->port_b = 0;
}

static void i8042_state(struct device *d, struct state *s)
{
	struct i8042 *kbd = container_of(d, struct i8042, dev);

	state_begin(s, d->name, 1);
	state_u8(s, &kbd->port_b);
	if (kbd->port_b & ~(I8042_B_GUEST | I8042_B_TOGGLES))
		state_fail(s, "port 0x61 has bits that it cannot have");
	state_end(s);
	if (state_refused(s))
		i8042_reset(d);
}

static void i8042_destroy(struct device *d)
{
	device_fini(d);
	free(container_of(d, struct i8042, dev));
}

static const struct device_ops i8042_ops = {
	.arm = device_nop_arm,
	.read = i8042_read,
	.write = i8042_write,
	.reset = i8042_reset,
	.rest = device_nop_rest,
	.wake = device_nop_wake,
	.state = i8042_state,
	.destroy = i8042_destroy,
};

struct device *i8042_create(struct power *p)
{
	struct i8042 *kbd = calloc(1, sizeof(*kbd));

	if (!kbd)
		return NULL;
	device_init(&kbd->dev, &i8042_ops, DEVICE_I8042, "i8042", I8042_BASE, I8042_LEN);
	kbd->power = p;
	return &kbd->dev;
}
