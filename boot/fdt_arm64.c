/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fdt_arm64 - the device tree that describes the machine to an arm64 guest.
 *
 * One function a node; each names the binding that it follows, a file of Linux's
 * Documentation/devicetree/bindings or a chapter of the Devicetree Specification 0.4. The nodes
 * that an overlay may want to change or to refer to have a label in /__symbols__.
 */
#include "boot/fdt_arm64.h"

#include <stdio.h>
#include <sys/random.h>

#include "vmm/core/util.h"
#include "vmm/core/layout_arm64.h"

#define FDT_SEED_LEN   32
#define FDT_UART_CLOCK 1843200  /* 115200 baud by a divisor of 1, as on a PC */
#define FDT_APB_CLOCK  24000000 /* PL031 has one, but counts seconds regardless */
#define FDT_GICV2_CPUS 8
#define FDT_GICV2_GICD 0x1000 /* the part of its windows that KVM's GICv2 has */
#define FDT_GICV2_GICC 0x2000
#define FDT_PATH_MAX   40

/* Whatever has a label has a phandle; devices and vCPUs count on from theirs. */
enum {
	FDT_PHANDLE_GIC = 1,
	FDT_PHANDLE_CLOCK,
	FDT_PHANDLE_DEVICE = 0x100,
	FDT_PHANDLE_CPU = 0x1000,
};

/* The GIC's interrupt specifier: type, number, trigger */
enum { FDT_SPI = 0, FDT_PPI = 1 };
enum { FDT_EDGE_RISING = 1, FDT_LEVEL_HIGH = 4 };

uint32_t fdt_arm64_mpidr(unsigned int id)
{
	return (id & 0xf) | (id >> 4 & 0xff) << 8 | (id >> 12 & 0xff) << 16;
}

/* Trigger of a private interrupt; a GICv2 also needs the CPUs that have it */
static uint32_t fdt_ppi_flags(const struct platform *p)
{
	uint32_t cpus = (1u << MIN(p->ncpu, (unsigned int)FDT_GICV2_CPUS)) - 1;

	return FDT_LEVEL_HIGH | (p->gic_version == 2 ? cpus << 8 : 0);
}

static void fdt_add_window(struct dtree *t, uint64_t base, uint64_t len)
{
	dtree_reg(t, &(const uint64_t[2]){base, len}, 1);
}

/* Specification, 3.3; the first is ttyS0 */
static void fdt_add_aliases(struct dtree *t, const struct platform_device *serial)
{
	char path[FDT_PATH_MAX];

	dtree_node(t, "aliases");
	if (serial) {
		(void)snprintf(path, sizeof(path), "/serial@%llx",
			       (unsigned long long)serial->base);
		dtree_text(t, "serial0", path);
	}
	dtree_end(t);
}

/* Specification, 3.6; chosen.yaml of dt-schema.  Without entropy (only while the host
 * itself boots) the guest gets no seeds.
 */
static void fdt_add_chosen(struct dtree *t, const struct fdt_arm64 *in, bool has_serial)
{
	struct {
		uint64_t kaslr;
		uint8_t rng[FDT_SEED_LEN];
	} seed;

	dtree_node(t, "chosen");
	dtree_text(t, "bootargs", in->cmdline);
	if (in->serial_console && has_serial)
		dtree_text(t, "stdout-path", "serial0:115200n8");
	if (in->initrd->len) {
		dtree_u64(t, "linux,initrd-start", in->initrd->start);
		dtree_u64(t, "linux,initrd-end", in->initrd->start + in->initrd->len);
	}
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) == sizeof(seed)) {
		dtree_u64(t, "kaslr-seed", seed.kaslr);
		dtree_bytes(t, "rng-seed", seed.rng, sizeof(seed.rng));
	}
	dtree_end(t);
}

/* Specification, 3.4 */
static void fdt_add_memory(struct dtree *t, const struct gmem *m)
{
	for (unsigned int i = 0; i < m->n; i++) {
		dtree_node(t, "memory@%llx", (unsigned long long)m->region[i].gpa);
		dtree_text(t, "device_type", "memory");
		fdt_add_window(t, m->region[i].gpa, m->region[i].len);
		dtree_end(t);
	}
}

/* arm/cpus.yaml: "arm,armv8" is its name for processors that exist in software only; PSCI's
 * CPU_ON starts secondary ones and takes the affinities in reg
 */
static void fdt_add_cpus(struct dtree *t, const struct platform *p)
{
	dtree_node(t, "cpus");
	dtree_u32(t, "#address-cells", 1);
	dtree_u32(t, "#size-cells", 0);
	for (unsigned int i = 0; i < p->ncpu; i++) {
		dtree_node(t, "cpu@%x", fdt_arm64_mpidr(i));
		dtree_text(t, "device_type", "cpu");
		dtree_text(t, "compatible", "arm,armv8");
		dtree_u32(t, "reg", fdt_arm64_mpidr(i));
		dtree_text(t, "enable-method", "psci");
		dtree_u32(t, "phandle", FDT_PHANDLE_CPU + i);
		dtree_end(t);
	}
	dtree_end(t);
}

/* arm/psci.yaml: KVM answers the HVC instruction */
static void fdt_add_psci(struct dtree *t)
{
	static const char compatible[] = "arm,psci-1.0\0arm,psci-0.2";

	dtree_node(t, "psci");
	dtree_bytes(t, "compatible", compatible, sizeof(compatible));
	dtree_text(t, "method", "hvc");
	dtree_end(t);
}

/* timer/arm,arch_timer.yaml: interrupts in the order secure, physical, virtual, hypervisor; KVM's
 * keep counting while the vCPU waits
 */
static void fdt_add_timer(struct dtree *t, const struct platform *p)
{
	static const uint32_t ppi[] = {LAYOUT_PPI_TIMER_SECURE, LAYOUT_PPI_TIMER,
				       LAYOUT_PPI_TIMER_VIRTUAL, LAYOUT_PPI_TIMER_HYP};
	uint32_t interrupts[ARRAY_SIZE(ppi)][3];

	for (unsigned int i = 0; i < ARRAY_SIZE(ppi); i++) {
		interrupts[i][0] = FDT_PPI;
		interrupts[i][1] = ppi[i];
		interrupts[i][2] = fdt_ppi_flags(p);
	}
	dtree_node(t, "timer");
	dtree_text(t, "compatible", "arm,armv8-timer");
	dtree_cells(t, "interrupts", interrupts[0], ARRAY_SIZE(ppi) * 3);
	dtree_flag(t, "always-on");
	dtree_end(t);
}

/* arm/pmu.yaml */
static void fdt_add_pmu(struct dtree *t, const struct platform *p)
{
	if (!p->pmu)
		return;
	dtree_node(t, "pmu");
	dtree_text(t, "compatible", "arm,armv8-pmuv3");
	dtree_cells(t, "interrupts",
		    (const uint32_t[]){FDT_PPI, LAYOUT_PPI_PMU, fdt_ppi_flags(p)}, 3);
	dtree_end(t);
}

/* interrupt-controller/arm,gic-v3.yaml (distributor, redistributors in a row) and
 * arm,gic.yaml (distributor, CPU interface)
 */
static void fdt_add_gic(struct dtree *t, const struct platform *p)
{
	const uint64_t v3[][2] = {{LAYOUT_GICD, LAYOUT_GICD_LEN},
				  {LAYOUT_GICR, p->ncpu * LAYOUT_GICR_LEN}};
	static const uint64_t v2[][2] = {{LAYOUT_GICD, FDT_GICV2_GICD},
					 {LAYOUT_GICC, FDT_GICV2_GICC}};
	bool is_v3 = p->gic_version == 3;

	dtree_node(t, "interrupt-controller@%llx", LAYOUT_GICD);
	dtree_text(t, "compatible", is_v3 ? "arm,gic-v3" : "arm,cortex-a15-gic");
	dtree_u32(t, "#address-cells", 0);
	dtree_u32(t, "#interrupt-cells", 3);
	dtree_flag(t, "interrupt-controller");
	dtree_reg(t, is_v3 ? v3 : v2, 2);
	dtree_u32(t, "phandle", FDT_PHANDLE_GIC);
	dtree_end(t);
}

/* clock/fixed-clock.yaml */
static void fdt_add_clock(struct dtree *t)
{
	dtree_node(t, "apb-pclk");
	dtree_text(t, "compatible", "fixed-clock");
	dtree_u32(t, "#clock-cells", 0);
	dtree_u32(t, "clock-frequency", FDT_APB_CLOCK);
	dtree_text(t, "clock-output-names", "apb_pclk");
	dtree_u32(t, "phandle", FDT_PHANDLE_CLOCK);
	dtree_end(t);
}

/* rtc/arm,pl031.yaml, arm/primecell.yaml */
static void fdt_add_rtc(struct dtree *t)
{
	static const char compatible[] = "arm,pl031\0arm,primecell";

	dtree_bytes(t, "compatible", compatible, sizeof(compatible));
	dtree_u32(t, "clocks", FDT_PHANDLE_CLOCK);
	dtree_text(t, "clock-names", "apb_pclk");
}

/* serial/8250.yaml: registers are bytes, one after the other */
static void fdt_add_serial(struct dtree *t)
{
	dtree_text(t, "compatible", "ns16550a");
	dtree_u32(t, "clock-frequency", FDT_UART_CLOCK);
	dtree_u32(t, "reg-shift", 0);
	dtree_u32(t, "reg-io-width", 1);
}

/* virtio/mmio.yaml */
static void fdt_add_virtio(struct dtree *t)
{
	dtree_text(t, "compatible", "virtio,mmio");
	dtree_flag(t, "dma-coherent");
}

/* misc/pvpanic-mmio.txt */
static void fdt_add_pvpanic(struct dtree *t)
{
	dtree_text(t, "compatible", "qemu,pvpanic-mmio");
}

/* rng/microsoft,vmgenid.yaml; Linux 6.10 and later */
static void fdt_add_genid(struct dtree *t)
{
	dtree_text(t, "compatible", "microsoft,vmgenid");
}

/* How to describe a kind of device besides its window and line, and its names as a node and as a
 * label
 */
static const struct {
	enum device_kind kind;
	void (*add)(struct dtree *t);
	const char *node, *label;
	bool line;
} fdt_devices[] = {
	{DEVICE_RTC, fdt_add_rtc, "rtc", "rtc", .line = true},
	{DEVICE_SERIAL, fdt_add_serial, "serial", "serial", .line = true},
	{DEVICE_VIRTIO_MMIO, fdt_add_virtio, "virtio_mmio", "virtio", .line = true},
	{DEVICE_PVPANIC, fdt_add_pvpanic, "pvpanic", "pvpanic", .line = false},
	{DEVICE_GENID, fdt_add_genid, "rng", "genid", .line = true},
};

/* Lines are eventfds that KVM takes for pulses, so they are edge-triggered. */
static void fdt_add_device(struct dtree *t, const struct platform *p, unsigned int i,
			   unsigned int kind)
{
	const struct platform_device *d = &p->dev[i];

	dtree_node(t, "%s@%llx", fdt_devices[kind].node, (unsigned long long)d->base);
	fdt_devices[kind].add(t);
	fdt_add_window(t, d->base, d->len);
	if (fdt_devices[kind].line)
		dtree_cells(t, "interrupts",
			    (const uint32_t[]){FDT_SPI, d->gsi, FDT_EDGE_RISING}, 3);
	dtree_u32(t, "phandle", FDT_PHANDLE_DEVICE + i);
	dtree_end(t);
}

static void fdt_add_devices(struct dtree *t, const struct platform *p)
{
	for (unsigned int k = 0; k < ARRAY_SIZE(fdt_devices); k++)
		for (unsigned int i = 0; i < p->ndev; i++)
			if (p->dev[i].kind == fdt_devices[k].kind)
				fdt_add_device(t, p, i, k);
}

/* "serial0" and so on: counted by kind */
static void fdt_add_device_symbols(struct dtree *t, const struct platform *p)
{
	char label[FDT_PATH_MAX], path[FDT_PATH_MAX];

	for (unsigned int k = 0; k < ARRAY_SIZE(fdt_devices); k++) {
		for (unsigned int i = 0, n = 0; i < p->ndev; i++) {
			if (p->dev[i].kind != fdt_devices[k].kind)
				continue;
			(void)snprintf(label, sizeof(label), "%s%u", fdt_devices[k].label,
				       n++);
			(void)snprintf(path, sizeof(path), "/%s@%llx",
				       fdt_devices[k].node,
				       (unsigned long long)p->dev[i].base);
			dtree_text(t, label, path);
		}
	}
}

/* The table that resolves an overlay's references by label (dtc's dt-object-internal.txt) */
static void fdt_add_symbols(struct dtree *t, const struct platform *p)
{
	char label[FDT_PATH_MAX], path[FDT_PATH_MAX];

	dtree_node(t, "__symbols__");
	(void)snprintf(path, sizeof(path), "/interrupt-controller@%llx", LAYOUT_GICD);
	dtree_text(t, "gic", path);
	dtree_text(t, "apb_pclk", "/apb-pclk");
	for (unsigned int i = 0; i < p->ncpu; i++) {
		(void)snprintf(label, sizeof(label), "cpu%u", i);
		(void)snprintf(path, sizeof(path), "/cpus/cpu@%x", fdt_arm64_mpidr(i));
		dtree_text(t, label, path);
	}
	fdt_add_device_symbols(t, p);
	dtree_end(t);
}

static const struct platform_device *fdt_find_serial(const struct platform *p)
{
	for (unsigned int i = 0; i < p->ndev; i++)
		if (p->dev[i].kind == DEVICE_SERIAL)
			return &p->dev[i];
	return NULL;
}

int fdt_arm64_build(struct dtree *t, const struct fdt_arm64 *in, struct err *e)
{
	const struct platform *p = in->platform;
	const struct platform_device *serial = fdt_find_serial(p);
	int rc = dtree_open(t, e);

	if (rc < 0)
		return rc;
	BUG_ON(p->gic_version != 2 && p->gic_version != 3);
	/* Specification, 2.3.5, 3.2 */
	dtree_u32(t, "#address-cells", 2);
	dtree_u32(t, "#size-cells", 2);
	dtree_u32(t, "interrupt-parent", FDT_PHANDLE_GIC);
	dtree_text(t, "compatible", "linux,dummy-virt"); /* arm/linux,dummy-virt.yaml */
	dtree_text(t, "model", "microvm");
	fdt_add_aliases(t, serial);
	fdt_add_chosen(t, in, serial != NULL);
	fdt_add_memory(t, in->mem);
	fdt_add_cpus(t, p);
	fdt_add_psci(t);
	fdt_add_timer(t, p);
	fdt_add_pmu(t, p);
	fdt_add_gic(t, p);
	fdt_add_clock(t);
	fdt_add_devices(t, p);
	fdt_add_symbols(t, p);
	return dtree_close(t, e);
}
