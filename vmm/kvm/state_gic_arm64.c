/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_gic_arm64 - KVM's GICv3 or GICv2, saved and loaded register by register (Documentation/
 * virt/kvm/devices/arm-vgic*.rst; Arm IHI 0069 and 0048).
 *
 * The registers of a vCPU's own interrupts (INTIDs 0 to 31) have the layout of the distributor's
 * first ones, in the redistributor's second frame (v3) or banked in the distributor (v2).
 */
#include "vmm/kvm/kvm_state.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/core/util.h"
#include "vmm/kvm/irqchip_arm64.h"
#include "vmm/kvm/kvm_arm64.h"
#include "vmm/kvm/regs_arm64.h"

#define GIC_PRIVATE 32u
#define GIC_INTIDS  (GIC_PRIVATE + IRQCHIP_GSIS)

#define GICD_CTLR     0x000u
#define GICD_IIDR     0x008u
#define GICD_TARGETS  0x800u  /* v2, a byte an interrupt */
#define GICD_IROUTER  0x6000u /* v3, eight bytes an interrupt */
#define GICR_SGI_BASE 0x10000u

/* Words in which every interrupt has its bits, in the order of setting them: an interrupt is
 * enabled after all else about it is right. @clear: where ones clear bits
 */
static const struct gic_bits {
	uint32_t offset, clear, bits;
} gic_bits[] = {
	{0x080, 0, 1},     /* group */
	{0x400, 0, 8},     /* priority */
	{0xc00, 0, 2},     /* edge or level */
	{0x200, 0x280, 1}, /* pending */
	{0x300, 0x380, 1}, /* active */
	{0x100, 0x180, 1}, /* enabled */
};

/* v3: the CPU interface, by system register */
#define ICC(crn, crm, op2) (3u << 14 | (crn) << 7 | (crm) << 3 | (op2))
#define ICC_CTLR           ICC(12u, 12u, 4u)
static const uint32_t gic_icc[] = {
	ICC(12u, 12u, 5u),                  /* SRE */
	ICC_CTLR,          ICC(4u, 6u, 0u), /* PMR */
	ICC(12u, 8u, 3u),                   /* BPR0 */
	ICC(12u, 12u, 3u),                  /* BPR1 */
	ICC(12u, 12u, 6u),                  /* IGRPEN0 */
	ICC(12u, 12u, 7u),                  /* IGRPEN1 */
};
#define ICC_AP0R(n)    ICC(12u, 8u, 4u + (n))
#define ICC_AP1R(n)    ICC(12u, 9u, (n))
#define ICC_PRIBITS(v) (((v) >> 8 & 7u) + 1)

/* v2: the CPU interface in memory: CTLR, PMR, BPR, ABPR, APR0 */
static const uint32_t gic_gicc[] = {0x00, 0x04, 0x08, 0x1c, 0xd0};
/* v2: which processors sent software interrupts: cleared by the first, set by the second */
#define GICD_SGI_CLEAR 0xf10u
#define GICD_SGI_SET   0xf20u
#define GICD_SGI_WORDS 4u

struct gic {
	struct state *s;
	int fd;
	bool v3;
};

static void gic_failed(struct gic *g, uint32_t group, uint64_t attr)
{
	state_failf(g->s,
		    "this host's KVM %s register 0x%x of group %u of its GICv%u: %s%s",
		    state_loading(g->s) ? "refuses" : "does not tell", (unsigned int)attr,
		    group, g->v3 ? 3 : 2, strerror(errno),
		    state_loading(g->s) ? "; a host with the processor and the kernel of "
					  "the one that saved it takes it"
					: "");
}

/* @value: a word, of the CPU interface's system registers (v3) two */
static void gic_access(struct gic *g, bool set, uint32_t group, uint64_t attr,
		       void *value)
{
	struct kvm_device_attr a = {
		.group = group, .attr = attr, .addr = (uintptr_t)value};

	if (!state_ok(g->s))
		return;
	if (ioctl(g->fd, set ? KVM_SET_DEVICE_ATTR : KVM_GET_DEVICE_ATTR, &a) < 0)
		gic_failed(g, group, attr);
}

static void gic_word(struct gic *g, uint32_t group, uint64_t attr)
{
	uint32_t v = 0;

	if (!state_loading(g->s))
		gic_access(g, false, group, attr, &v);
	state_u32(g->s, &v);
	if (state_loading(g->s))
		gic_access(g, true, group, attr, &v);
}

static uint64_t gic_sysreg(struct gic *g, uint64_t attr)
{
	uint64_t v = 0;

	if (!state_loading(g->s))
		gic_access(g, false, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, attr, &v);
	state_u64(g->s, &v);
	if (state_loading(g->s))
		gic_access(g, true, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, attr, &v);
	return v;
}

/* Where writing ones only sets bits, first clear those that the state does not have */
static void gic_clear_word(struct gic *g, uint32_t group, uint64_t attr)
{
	uint32_t all = UINT32_MAX;

	if (state_loading(g->s))
		gic_access(g, true, group, attr, &all);
}

/* The levels of the lines to the interrupts from @first, 32 of them (v3) */
static void gic_levels(struct gic *g, uint64_t cpu, uint32_t first)
{
	const uint64_t lines = (uint64_t)VGIC_LEVEL_INFO_LINE_LEVEL
			       << KVM_DEV_ARM_VGIC_LINE_LEVEL_INFO_SHIFT;

	if (g->v3)
		gic_word(g, KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO, cpu | lines | first);
}

/* The interrupts @first to @end - 1; @base: where their registers are, and whose */
static void gic_interrupts(struct gic *g, uint32_t group, uint64_t base, uint64_t cpu,
			   uint32_t first, uint32_t end)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(gic_bits); i++) {
		const struct gic_bits *b = &gic_bits[i];
		uint32_t per_word = 32 / b->bits;

		if (b->clear == 0x280) /* a level makes pending, so it goes first */
			for (uint32_t n = first; n < end; n += 32)
				gic_levels(g, cpu, n);
		for (uint32_t n = first; n < end; n += per_word) {
			uint32_t at = n / per_word * 4;

			if (b->clear)
				gic_clear_word(g, group, base + b->clear + at);
			gic_word(g, group, base + b->offset + at);
		}
	}
}

static void gic_distributor(struct gic *g)
{
	const uint32_t group = KVM_DEV_ARM_VGIC_GRP_DIST_REGS;

	/* The first: the revision of KVM's GIC, on which the others depend */
	gic_word(g, group, GICD_IIDR);
	gic_word(g, group, GICD_CTLR);
	for (uint32_t n = GIC_PRIVATE; g->v3 && n < GIC_INTIDS; n++) {
		gic_word(g, group, GICD_IROUTER + n * 8);
		gic_word(g, group, GICD_IROUTER + n * 8 + 4);
	}
	for (uint32_t n = GIC_PRIVATE; !g->v3 && n < GIC_INTIDS; n += 4)
		gic_word(g, group, GICD_TARGETS + n);
	gic_interrupts(g, group, 0, 0, GIC_PRIVATE, GIC_INTIDS);
}

static void gic_cpu_v3(struct gic *g, const struct vcpu *c)
{
	uint64_t mpidr = 0, cpu, ctlr = 0;
	unsigned int words;

	if (regs_get(c->fd, REG_MPIDR, &mpidr) < 0) {
		state_fail(g->s, "a vCPU's MPIDR is not told");
		return;
	}
	/* Affinities 3 to 0 side by side, as the attribute takes them */
	cpu = (mpidr >> 32 & 0xff) << 56 | (mpidr & 0xffffff) << 32;
	gic_interrupts(g, KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, cpu | GICR_SGI_BASE, cpu, 0,
		       GIC_PRIVATE);
	for (unsigned int i = 0; i < ARRAY_SIZE(gic_icc); i++) {
		uint64_t v = gic_sysreg(g, cpu | gic_icc[i]);

		if (gic_icc[i] == ICC_CTLR)
			ctlr = v;
	}
	/* Active priorities: a word for 5 bits of priority, 2 for 6, 4 for 7 */
	words = ICC_PRIBITS(ctlr) <= 5 ? 1 : 1u << (ICC_PRIBITS(ctlr) - 5);
	for (unsigned int i = 0; i < words && i < 4; i++) {
		(void)gic_sysreg(g, cpu | ICC_AP0R(i));
		(void)gic_sysreg(g, cpu | ICC_AP1R(i));
	}
}

static void gic_cpu_v2(struct gic *g, const struct vcpu *c)
{
	const uint32_t group = KVM_DEV_ARM_VGIC_GRP_DIST_REGS;
	uint64_t cpu = (uint64_t)c->id << KVM_DEV_ARM_VGIC_CPUID_SHIFT;

	gic_interrupts(g, group, cpu, cpu, 0, GIC_PRIVATE);
	for (uint32_t i = 0; i < GICD_SGI_WORDS; i++) {
		gic_clear_word(g, group, cpu | (GICD_SGI_CLEAR + i * 4));
		gic_word(g, group, cpu | (GICD_SGI_SET + i * 4));
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(gic_gicc); i++)
		gic_word(g, KVM_DEV_ARM_VGIC_GRP_CPU_REGS, cpu | gic_gicc[i]);
}

void irqchip_state(struct irqchip *ic, const struct vcpu *c, unsigned int n,
		   struct state *s)
{
	unsigned int version = kvm_arm64_gic(ic->kvm), was = version;
	struct gic g = {.s = s, .fd = irqchip_gic(ic), .v3 = version == 3};

	if (!state_loading(s))
		irqchip_settle(ic);
	state_begin(s, "irqchip", 1);
	state_u32(s, &was);
	if (was != version)
		state_failf(s,
			    "the machine that was saved had a GICv%u, this host's KVM "
			    "gives a GICv%u; load it on a host with the other",
			    was, version);
	state_same_u32(s, n, "vCPUs");
	gic_distributor(&g);
	for (unsigned int i = 0; i < n; i++) {
		if (g.v3)
			gic_cpu_v3(&g, &c[i]);
		else
			gic_cpu_v2(&g, &c[i]);
	}
	state_end(s);
}
