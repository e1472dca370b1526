/* SPDX-License-Identifier: Apache-2.0 */
/* machine_x86 - a PC's memory holes, ports and interrupt lines. */
#include "vmm/machine/machine_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "devices/legacy/ioapic.h"
#include "devices/legacy/legacy.h"
#include "devices/virtio/devices.h"
#include "vmm/core/kernel_line.h"
#include "vmm/core/util.h"
#include "vmm/core/layout_x86.h"

int machine_arch_memory(struct machine *m, struct err *e)
{
	uint64_t low = MIN(m->cfg->memory, LAYOUT_RAM_HOLE);
	uint64_t high = m->cfg->memory - low;
	int rc = gmem_add(&m->mem, 0, low, e);

	return rc < 0 || high == 0 ? rc : gmem_add(&m->mem, LAYOUT_RAM_HIGH, high, e);
}

/* Linux writes its mode before it resets, whatever way it takes */
enum machine_reset machine_arch_reset(const struct machine *m)
{
	uint16_t mode = LAYOUT_REBOOT_UNUSED;

	(void)gmem_read(&m->mem, LAYOUT_REBOOT_FLAG, &mode, sizeof(mode));
	switch (mode) {
	case LAYOUT_REBOOT_WARM:
		return MACHINE_RESET_WARM;
	case LAYOUT_REBOOT_UNUSED:
		return MACHINE_RESET_UNSAID;
	default:
		return MACHINE_RESET_COLD;
	}
}

/* Without ACPI most of a machine cannot be described to a guest. A kernel does not report what it
 * does not find, so we say this at the start.
 */
static void machine_warn_without_acpi(const struct config *cfg)
{
	const char *word = cfg->acpi_word;
	char cure[64] = "use --acpi on";

	if (word)
		(void)snprintf(cure, sizeof(cure), "leave the word %s out", word);
	if (word && strcmp(word, "acpi=off") != 0)
		log_warn(
			"the kernel command line's word %s switches off what a machine "
			"with ACPI has for interrupts or time, so this one is made as by "
			"--acpi off; for a machine with ACPI %s",
			word, cure);
	if (cfg->ncpu > 1)
		log_warn("--cpus %u: a guest without ACPI finds one vCPU only, since "
			 "nothing else lists them; %s, or use --cpus 1",
			 cfg->ncpu, cure);
	/* every such machine has a source of random numbers and the button */
	if (machine_virtio_count(cfg) == 2)
		return;
	if (!cfg->cmdline)
		log_warn("a guest without ACPI finds its virtio devices by its command "
			 "line, which takes a kernel with "
			 "CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES; kernels of distributions "
			 "lack that: for them %s",
			 cure);
	else if (!kernel_line_has(cfg->cmdline, "virtio_mmio.device"))
		log_warn("a guest without ACPI finds its virtio devices by the words "
			 "virtio_mmio.device= on its command line, and --cmdline has "
			 "none; use --append, which keeps them, or %s",
			 cure);
}

/* With ACPI Linux finds the serial port by this alone */
static void machine_warn_serial(const struct config *cfg)
{
	if (cfg->console == CONSOLE_SERIAL &&
	    (kernel_line_says(cfg->append, "pnpacpi", "off") ||
	     kernel_line_says(cfg->cmdline, "pnpacpi", "off")))
		log_warn("the kernel command line's word pnpacpi=off hides the serial "
			 "port's interrupt, so programs of the guest cannot use the "
			 "console; use --console virtio, or leave the word out");
}

/* Without ACPI the 8259 pair and the 8254 are the kernel's, which answers before we are asked */
static bool machine_port_is_kvms(const struct config *cfg, uint64_t first, uint64_t last)
{
	static const uint16_t kvms[][2] = {
		{0x20, 0x21}, {0x40, 0x43}, {0xa0, 0xa1}, {0x4d0, 0x4d1}};

	for (unsigned int i = 0; !cfg->acpi && i < ARRAY_SIZE(kvms); i++)
		if (first <= kvms[i][1] && last >= kvms[i][0])
			return true;
	return false;
}

static int machine_add_exit_port(struct machine *m, struct err *e)
{
	uint64_t port = m->cfg->exit_port.port;
	struct device *d;
	int rc;

	if (!m->cfg->exit_port.on)
		return 0;
	d = exit_port_create(port, &m->power);
	if (d && machine_port_is_kvms(m->cfg, d->base, d->base + d->len - 1)) {
		d->ops->destroy(d);
		return err_set(
			e, EINVAL,
			"--exit-port: port 0x%llx is the interrupt controller's or "
			"the timer's; give another one, like 0xf4",
			(unsigned long long)port);
	}
	rc = machine_add_device(m, &m->pio, d, e);
	return rc < 0 && d
		       ? err_set(e, EINVAL,
				 "--exit-port: other devices are on its four ports from "
				 "0x%llx on; give another one, like 0xf4",
				 (unsigned long long)port)
		       : rc;
}

int machine_arch_devices(struct machine *m, struct err *e)
{
	uint64_t low = MIN(m->cfg->memory, LAYOUT_RAM_HOLE);
	struct tty *tty = m->cfg->console == CONSOLE_SERIAL ? m->tty : NULL;
	struct device *serial =
		serial_create("serial0", LAYOUT_COM1, LAYOUT_GSI_COM1, tty);
	/* without ACPI nothing would say what the line is */
	unsigned int button = m->cfg->acpi ? LAYOUT_GSI_BUTTON : 0, pins;
	int rc;

	if (serial && tty)
		m->console = serial_client(serial);
	if ((rc = machine_add_device(m, &m->pio, serial, e)) < 0 ||
	    (rc = machine_add_device(m, &m->pio, i8042_create(&m->power), e)) < 0 ||
	    (rc = machine_add_device(m, &m->pio, cmos_create(low, m->cfg->memory - low),
				     e)) < 0 ||
	    (rc = machine_add_device(m, &m->pio,
				     acpi_pm_create(LAYOUT_ACPI_PM, button, &m->power),
				     e)) < 0 ||
	    (rc = machine_add_device(m, &m->pio, pci_address_create(), e)) < 0 ||
	    (rc = machine_add_device(m, &m->pio,
				     pvpanic_create(LAYOUT_PVPANIC, &m->power), e)) < 0 ||
	    (rc = machine_add_exit_port(m, e)) < 0)
		return rc;
	if (!m->cfg->acpi) { /* the 8259 pair and the 8254 are KVM's */
		machine_warn_without_acpi(m->cfg);
		return 0;
	}
	machine_warn_serial(m->cfg);
	rc = machine_add_genid(m, LAYOUT_GENID, LAYOUT_GSI_GENID, e);
	if (rc < 0)
		return rc;
	/* Linux writes every pin of an IOAPIC, at 20 exits each: so it has no unused ones */
	pins = MIN(LAYOUT_GSI_VIRTIO + machine_virtio_count(m->cfg), LAYOUT_IOAPIC_PINS);
	return machine_add_device(
		m, &m->mmio, ioapic_create(LAYOUT_IOAPIC, pins, &m->irqchip.router), e);
}

static struct device *machine_find(const struct machine *m, enum device_kind kind)
{
	for (unsigned int i = 0; i < m->ndev; i++)
		if (m->dev[i]->kind == kind)
			return m->dev[i];
	return NULL;
}

bool machine_arch_button(const struct config *cfg)
{
	return !cfg->acpi;
}

/* Linux unmasks the pin when its driver for generic events takes the line; every kernel with ACPI
 * has that driver
 */
bool machine_arch_press(struct machine *m)
{
	struct device *pm = machine_find(m, DEVICE_ACPI_PM);
	struct device *ioapic = machine_find(m, DEVICE_IOAPIC);
	bool heard = false;

	if (m->button)
		return input_press(m->button);
	pthread_mutex_lock(&ioapic->lock);
	heard = ioapic_routes(ioapic, pm->irq.gsi);
	pthread_mutex_unlock(&ioapic->lock);
	if (heard)
		irq_pulse(&pm->irq);
	return heard;
}

void machine_arch_platform(const struct machine *m, struct platform *p)
{
	p->acpi = m->cfg->acpi;
}

void machine_arch_pmem(const struct machine *m, gpa_t *start, gpa_t *end)
{
	*start = MAX(gmem_end(&m->mem), LAYOUT_RAM_HIGH);
	*end = LAYOUT_PMEM_END;
}

int machine_arch_virtio_slot(const struct machine *m, unsigned int i, uint64_t *base,
			     unsigned int *gsi, struct err *e)
{
	static const uint8_t pic[] = LAYOUT_PIC_GSIS;
	unsigned int max = m->cfg->acpi ? LAYOUT_IOAPIC_PINS - LAYOUT_GSI_VIRTIO
					: (unsigned int)ARRAY_SIZE(pic);

	if (i >= max)
		return err_set(
			e, ENOSPC,
			"there are interrupt lines for %u virtio devices only; use fewer "
			"disks and nets%s",
			max, m->cfg->acpi ? "" : ", or --acpi on");
	*base = LAYOUT_VIRTIO + (uint64_t)i * VIRTIO_MMIO_WINDOW;
	*gsi = m->cfg->acpi ? LAYOUT_GSI_VIRTIO + i : pic[i];
	return 0;
}
