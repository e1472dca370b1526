/* SPDX-License-Identifier: Apache-2.0 */
/* state_x86 - a vCPU, KVM's PC chips and KVM's clock, saved and loaded. */
#include "vmm/kvm/state_x86.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/kvm/kvm_state.h"
#include "vmm/core/util.h"
#include "vmm/kvm/irqchip_x86.h"
#include "vmm/kvm/state_io.h"
#include "vmm/kvm/state_time.h"

#define XSAVE_SIZE_MIN sizeof(struct kvm_xsave)

/* The second form has the PDPTRs of 32-bit PAE paging as the processor loaded them; with the
 * first, KVM reads them from memory.
 */
static void state_sregs(const struct vcpu *c, const struct kvm *k, struct state *s)
{
	bool both = kvm_has(k, KVM_CAP_SREGS2) > 0, two = both;
	struct kvm_sregs2 sregs2 = {0};
	struct kvm_sregs sregs = {0};

	state_bool(s, &two);
	if (two && !both)
		state_fail(s, "this host's KVM has no KVM_SET_SREGS2; a host kernel of "
			      "5.14 or later has it");
	if (two)
		state_io(s, c->fd, KVM_GET_SREGS2, KVM_SET_SREGS2, &sregs2,
			 sizeof(sregs2), "system registers");
	else
		state_io(s, c->fd, KVM_GET_SREGS, KVM_SET_SREGS, &sregs, sizeof(sregs),
			 "system registers");
}

/* x87, SSE, AVX and the rest of XSAVE's state, in its format; as much as this processor has */
static void state_xsave(const struct vcpu *c, const struct kvm *k, struct state *s)
{
	int more = kvm_has(k, KVM_CAP_XSAVE2);
	size_t size = MAX((size_t)(more < 0 ? 0 : more), XSAVE_SIZE_MIN);
	cleanup_free struct kvm_xsave *x = calloc(1, size);
	struct kvm_xcrs xcrs = {0};

	if (!x) {
		state_fail(s, "no memory for its vector registers");
		return;
	}
	state_same_u32(s, (uint32_t)size, "bytes of vector registers");
	state_same_u32(s, kvm_has(k, KVM_CAP_XCRS) > 0, "XCR0 registers");
	if (kvm_has(k, KVM_CAP_XCRS) > 0)
		state_io(s, c->fd, KVM_GET_XCRS, KVM_SET_XCRS, &xcrs, sizeof(xcrs),
			 "XCR0");
	state_io(s, c->fd, more > 0 ? KVM_GET_XSAVE2 : KVM_GET_XSAVE, KVM_SET_XSAVE, x,
		 size, "vector registers");
}

/* A later set changes an earlier one: the system registers say whether there is a local APIC and
 * of which kind; setting general registers clears a pending exception; the APIC's timer counts by
 * the TSC.
 */
void vcpu_state(struct vcpu *c, struct kvm *k, struct state *s)
{
	struct kvm_debugregs debug = {0};
	struct kvm_vcpu_events events = {0};
	struct kvm_lapic_state lapic = {0};
	struct kvm_mp_state mp = {0};
	struct kvm_regs regs = {0};
	char name[STATE_NAME_SIZE];

	(void)snprintf(name, sizeof(name), "vcpu%u", c->id);
	state_begin(s, name, 1);
	state_cpuid(c, k, s);
	state_tsc(c, k, s);
	state_io(s, c->fd, KVM_GET_MP_STATE, KVM_SET_MP_STATE, &mp, sizeof(mp),
		 "run state");
	state_sregs(c, k, s);
	state_xsave(c, k, s);
	state_io(s, c->fd, KVM_GET_REGS, KVM_SET_REGS, &regs, sizeof(regs),
		 "general registers");
	state_io(s, c->fd, KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, &debug, sizeof(debug),
		 "debug registers");
	state_io(s, c->fd, KVM_GET_LAPIC, KVM_SET_LAPIC, &lapic, sizeof(lapic),
		 "local APIC");
	state_msrs(c, k, s);
	state_io(s, c->fd, KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, &events,
		 sizeof(events), "pending events");
	state_end(s);
}

static void state_pc_chips(const struct kvm *k, struct state *s)
{
	struct kvm_pit_state2 pit = {0};

	for (uint32_t id = 0; id < KVM_NR_IRQCHIPS; id++) {
		struct kvm_irqchip chip = {.chip_id = id};

		state_io(s, k->vm_fd, KVM_GET_IRQCHIP, KVM_SET_IRQCHIP, &chip,
			 sizeof(chip), "8259 pair and I/O APIC");
	}
	state_io(s, k->vm_fd, KVM_GET_PIT2, KVM_SET_PIT2, &pit, sizeof(pit), "8254");
}

void irqchip_state(struct irqchip *ic, const struct vcpu *c, unsigned int n,
		   struct state *s)
{
	bool split = irqchip_is_split(ic), was = split;

	(void)c;
	(void)n;
	if (!state_loading(s))
		irqchip_settle(ic);
	state_begin(s, "irqchip", 1);
	state_bool(s, &was);
	if (was != split)
		state_failf(s,
			    "the machine that was saved had --acpi %s, this one has "
			    "--acpi %s",
			    was ? "on" : "off", split ? "on" : "off");
	if (!split)
		state_pc_chips(ic->kvm, s);
	state_end(s);
}

/* Without KVM_CLOCK_REALTIME among the flags KVM does not add the time that has passed: we do, as for the
 * TSC.
 */
struct state_clock {
	int fd, rc;
	uint64_t ns, at; /* it shows @ns at @at */
};

static void state_clock_get(void *ctx, uint64_t at)
{
	struct state_clock *c = ctx;
	struct kvm_clock_data now = {0};

	(void)at;
	c->rc = ioctl(c->fd, KVM_GET_CLOCK, &now);
	c->ns = now.clock;
}

static void state_clock_set(void *ctx, uint64_t at)
{
	struct state_clock *c = ctx;
	struct kvm_clock_data set = {.clock = c->ns + (at - c->at)};

	c->rc = ioctl(c->fd, KVM_SET_CLOCK, &set);
}

void kvm_clock_state(struct kvm *k, struct state *s)
{
	struct state_clock c = {.fd = k->vm_fd};

	c.at = state_loading(s) ? state_now() : state_moment(state_clock_get, &c);
	if (c.rc < 0)
		state_failf(s, "this host's KVM does not tell its clock: %s",
			    strerror(errno));
	state_begin(s, "clock", 1);
	state_u64(s, &c.ns);
	c.ns += state_time(k, c.at, s);
	state_end(s);
	if (!state_loading(s) || !state_ok(s))
		return;
	(void)state_moment(state_clock_set, &c);
	if (c.rc < 0)
		state_failf(s, "clock: this host's KVM refuses it: %s", strerror(errno));
}
