/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pvpanic - one byte by which a guest's kernel says that it panicked (QEMU's
 * docs/specs/pvpanic.rst; "QEMU0001" in ACPI, "qemu,pvpanic-mmio" in a device tree).
 *
 * A read returns the supported events, a write reports one of them. It has no state.
 */
#include "devices/legacy/legacy.h"

#include <stdlib.h>

#include "devices/legacy/pio_ports.h"
#include "vmm/core/util.h"

#define PVPANIC_LEN      1
#define PVPANIC_PANICKED (1u << 0)
#define PVPANIC_CRASH    (1u << 1) /* the guest has a crash kernel, and starts it */

struct pvpanic {
	struct device dev;
	struct power *power;
};

static uint8_t pvpanic_get(struct device *d, unsigned int port)
{
	(void)d;
	(void)port;
	return PVPANIC_PANICKED | PVPANIC_CRASH;
}

static void pvpanic_set(struct device *d, unsigned int port, uint8_t val)
{
	struct power *p = container_of(d, struct pvpanic, dev)->power;

	(void)port;
	if (val & PVPANIC_PANICKED)
		p->request(p, POWER_PANIC);
	else if (val & PVPANIC_CRASH)
		p->request(p, POWER_CRASH);
}

static uint64_t pvpanic_read(struct device *d, uint64_t off, unsigned int size)
{
	return ports_read(d, off, size, pvpanic_get);
}

static void pvpanic_write(struct device *d, uint64_t off, unsigned int size, uint64_t val)
{
	ports_write(d, off, size, val, pvpanic_set);
}

/* Only the section's name: it has no state */
static void pvpanic_state(struct device *d, struct state *s)
{
	state_begin(s, d->name, 1);
	state_end(s);
}

static void pvpanic_destroy(struct device *d)
{
	device_fini(d);
	free(container_of(d, struct pvpanic, dev));
}

static const struct device_ops pvpanic_ops = {
	.arm = device_nop_arm,
	.read = pvpanic_read,
	.write = pvpanic_write,
	.reset = device_nop_reset,
	.rest = device_nop_rest,
	.wake = device_nop_wake,
	.state = pvpanic_state,
	.destroy = pvpanic_destroy,
};

struct device *pvpanic_create(uint64_t base, struct power *p)
{
	struct pvpanic *pv = calloc(1, sizeof(*pv));

	if (!pv)
		return NULL;
	device_init(&pv->dev, &pvpanic_ops, DEVICE_PVPANIC, "pvpanic", base, PVPANIC_LEN);
	pv->power = p;
	return &pv->dev;
}
