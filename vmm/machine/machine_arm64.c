/* SPDX-License-Identifier: Apache-2.0 */
/* machine_arm64 - memory in one piece, and all devices on the memory bus. */
#include "vmm/machine/machine_parts.h"

#include <errno.h>

#include "devices/legacy/legacy.h"
#include "devices/virtio/devices.h"
#include "vmm/core/kernel_line.h"
#include "vmm/core/util.h"
#include "vmm/kvm/kvm_arm64.h"
#include "vmm/core/layout_arm64.h"

#define RAM_MAX  ((UINT64_C(1) << LAYOUT_BITS) - LAYOUT_RAM)
#define CPUS_MAX ((unsigned int)((LAYOUT_GICR_LIMIT - LAYOUT_GICR) / LAYOUT_GICR_LEN))

int machine_arch_memory(struct machine *m, struct err *e)
{
	if (m->cfg->memory > RAM_MAX)
		return err_set(e, EINVAL,
			       "--memory: an arm64 machine can have %llu GiB at most",
			       (unsigned long long)(RAM_MAX / GIB));
	if (m->cfg->ncpu > CPUS_MAX) /* as many redistributors */
		return err_set(e, EINVAL, "--cpus: an arm64 machine can have %u at most",
			       CPUS_MAX);
	return gmem_add(&m->mem, LAYOUT_RAM, m->cfg->memory, e);
}

static void machine_warn_line(const struct config *cfg)
{
	if (kernel_line_says(cfg->append, "acpi", "force") ||
	    kernel_line_says(cfg->cmdline, "acpi", "force"))
		log_warn(
			"the kernel command line's word acpi=force makes Linux pass over "
			"the device tree for ACPI tables, which this machine has none of: "
			"it will find no device; leave the word out");
}

int machine_arch_devices(struct machine *m, struct err *e)
{
	struct tty *tty = m->cfg->console == CONSOLE_SERIAL ? m->tty : NULL;
	struct device *serial =
		serial_create("serial0", LAYOUT_COM1, LAYOUT_GSI_COM1, tty);
	int rc;

	machine_warn_line(m->cfg);
	if (serial && tty)
		m->console = serial_client(serial);
	rc = machine_add_device(m, &m->mmio, serial, e);
	if (rc == 0)
		rc = machine_add_device(m, &m->mmio,
					pl031_create(LAYOUT_RTC, LAYOUT_GSI_RTC, m->loop),
					e);
	if (rc == 0)
		rc = machine_add_device(m, &m->mmio,
					pvpanic_create(LAYOUT_PVPANIC, &m->power), e);
	return rc < 0 ? rc : machine_add_genid(m, LAYOUT_GENID, LAYOUT_GSI_GENID, e);
}

/* PSCI tells it with the reset */
enum machine_reset machine_arch_reset(const struct machine *m)
{
	(void)m;
	return MACHINE_RESET_UNSAID;
}

/* Of a device tree's buttons, distributions' kernels have a driver for the virtio device:
 * Debian's cloud kernel knows the PL061's lines, but has no gpio-keys to make a key of one
 */
bool machine_arch_button(const struct config *cfg)
{
	(void)cfg;
	return true;
}

bool machine_arch_press(struct machine *m)
{
	return input_press(m->button);
}

void machine_arch_platform(const struct machine *m, struct platform *p)
{
	bool kvm = !m->cfg->dry_run;

	p->gic_version = kvm ? kvm_arm64_gic(&m->kvm) : 3;
	p->pmu = kvm ? kvm_arm64_has(&m->kvm, KVM_ARM_VCPU_PMU_V3) : true;
}

void machine_arch_pmem(const struct machine *m, gpa_t *start, gpa_t *end)
{
	*start = gmem_end(&m->mem);
	*end = UINT64_C(1) << LAYOUT_BITS;
}

int machine_arch_virtio_slot(const struct machine *m, unsigned int i, uint64_t *base,
			     unsigned int *gsi, struct err *e)
{
	(void)m;
	if (i >= LAYOUT_GSIS - LAYOUT_GSI_VIRTIO)
		return err_set(
			e, ENOSPC,
			"there are interrupt lines for %u virtio devices only; use fewer "
			"disks and nets",
			LAYOUT_GSIS - LAYOUT_GSI_VIRTIO);
	*base = LAYOUT_VIRTIO + (uint64_t)i * VIRTIO_MMIO_WINDOW;
	*gsi = LAYOUT_GSI_VIRTIO + i;
	return 0;
}
