/* SPDX-License-Identifier: Apache-2.0 */
/*
 * acpi_pm - the registers by which a guest with ACPI resets itself and powers off (ACPI 6.4,
 * 4.8.3.6 and 4.8.3.7).
 *
 * S5 is the only sleep state. Any other SLP_TYP wakes up at once: WAK_STS is set, so that a guest
 * that waits for it goes on.
 *
 * The power button has no register: the DSDT names its line as a generic event (5.6.9), whose
 * method notifies the button.
 */
#include "devices/legacy/legacy.h"

#include <stdlib.h>

#include "devices/legacy/pio_ports.h"
#include "vmm/core/util.h"

#define ACPI_PM_SLP_TYP (7u << 2) /* sleep control */
#define ACPI_PM_SLP_EN  (1u << 5)
#define ACPI_PM_WAK_STS (1u << 7) /* sleep status; writing 1 clears it */

struct acpi_pm {
	struct device dev;
	struct power *power;
	uint8_t control, status;
};

static uint8_t acpi_pm_get(struct device *d, unsigned int port)
{
	const struct acpi_pm *pm = container_of(d, struct acpi_pm, dev);

	switch (port) {
	case ACPI_PM_SLEEP_CONTROL:
		return pm->control;
	case ACPI_PM_SLEEP_STATUS:
		return pm->status;
	default:
		return 0;
	}
}

static void acpi_pm_sleep(struct acpi_pm *pm, uint8_t val)
{
	pm->control = val & ACPI_PM_SLP_TYP;
	if (!(val & ACPI_PM_SLP_EN)) /* which reads as 0 */
		return;
	if (pm->control == ACPI_PM_S5_TYPE << 2)
		pm->power->request(pm->power, POWER_OFF);
	else
		pm->status |= ACPI_PM_WAK_STS;
}

static void acpi_pm_set(struct device *d, unsigned int port, uint8_t val)
{
	struct acpi_pm *pm = container_of(d, struct acpi_pm, dev);

	switch (port) {
	case ACPI_PM_RESET:
		if (val == ACPI_PM_RESET_VALUE)
			pm->power->request(pm->power, POWER_RESET);
		break;
	case ACPI_PM_SLEEP_CONTROL:
		acpi_pm_sleep(pm, val);
		break;
	case ACPI_PM_SLEEP_STATUS:
		pm->status &= (uint8_t)~val;
		break;
	default:
		break;
	}
}

static uint64_t acpi_pm_read(struct device *d, uint64_t off, unsigned int size)
{
	return ports_read(d, off, size, acpi_pm_get);
}

static void acpi_pm_write(struct device *d, uint64_t off, unsigned int size, uint64_t val)
{
	ports_write(d, off, size, val, acpi_pm_set);
}

static void acpi_pm_reset(struct device *d)
{
	struct acpi_pm *pm = container_of(d, struct acpi_pm, dev);

	pm->control = 0;
	pm->status = 0;
}

static void acpi_pm_state(struct device *d, struct state *s)
{
	struct acpi_pm *pm = container_of(d, struct acpi_pm, dev);

	state_begin(s, d->name, 1);
	state_u8(s, &pm->control);
	state_u8(s, &pm->status);
	if (pm->control & ~ACPI_PM_SLP_TYP || pm->status & ~ACPI_PM_WAK_STS)
		state_fail(s, "a sleep register has reserved bits");
	state_end(s);
	if (state_refused(s))
		acpi_pm_reset(d);
}

static void acpi_pm_destroy(struct device *d)
{
	device_fini(d);
	free(container_of(d, struct acpi_pm, dev));
}

static const struct device_ops acpi_pm_ops = {
	.arm = device_nop_arm,
	.read = acpi_pm_read,
	.write = acpi_pm_write,
	.reset = acpi_pm_reset,
	.rest = device_nop_rest,
	.wake = device_nop_wake,
	.state = acpi_pm_state,
	.destroy = acpi_pm_destroy,
};

struct device *acpi_pm_create(uint64_t base, unsigned int button, struct power *p)
{
	struct acpi_pm *pm = calloc(1, sizeof(*pm));

	if (!pm)
		return NULL;
	device_init(&pm->dev, &acpi_pm_ops, DEVICE_ACPI_PM, "acpi_pm", base, ACPI_PM_LEN);
	pm->power = p;
	if (button && irq_init(&pm->dev.irq, button) < 0) {
		acpi_pm_destroy(&pm->dev);
		return NULL;
	}
	return &pm->dev;
}
