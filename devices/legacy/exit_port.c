/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exit_port - a port that ends the machine with the number that a guest writes to it, as QEMU's
 * isa-debug-exit does: reads are 0, and a write of any width counts.
 *
 * It has no state.
 */
#include "devices/legacy/legacy.h"

#include <stdlib.h>

#include "vmm/core/util.h"

#define EXIT_PORT_LEN 4 /* iosize=4, which those who write 32 bits give QEMU */

struct exit_port {
	struct device dev;
	struct power *power;
};

static uint64_t exit_port_read(struct device *d, uint64_t off, unsigned int size)
{
	(void)d;
	(void)off;
	(void)size;
	return 0;
}

static void exit_port_write(struct device *d, uint64_t off, unsigned int size,
			    uint64_t val)
{
	struct power *p = container_of(d, struct exit_port, dev)->power;

	(void)off;
	(void)size;
	p->exit(p, (uint32_t)val);
}

/* Only the section's name: it has no state */
static void exit_port_state(struct device *d, struct state *s)
{
	state_begin(s, d->name, 1);
	state_end(s);
}

static void exit_port_destroy(struct device *d)
{
	device_fini(d);
	free(container_of(d, struct exit_port, dev));
}

static const struct device_ops exit_port_ops = {
	.arm = device_nop_arm,
	.read = exit_port_read,
	.write = exit_port_write,
	.reset = device_nop_reset,
	.rest = device_nop_rest,
	.wake = device_nop_wake,
	.state = exit_port_state,
	.destroy = exit_port_destroy,
};

struct device *exit_port_create(uint64_t base, struct power *p)
{
	struct exit_port *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	device_init(&x->dev, &exit_port_ops, DEVICE_EXIT_PORT, "exit_port", base,
		    EXIT_PORT_LEN);
	x->power = p;
	return &x->dev;
}
