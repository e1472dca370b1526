/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trip - a guest's way from one machine to another: what trip.c (the machines, the state)
 * asks of an architecture (trip_<arch>.c: what the guest is, what it must have seen).
 */
#ifndef MICROVM_TESTS_TRIP_H
#define MICROVM_TESTS_TRIP_H

#include "vmm/core/bus.h"
#include "vmm/core/config.h"
#include "vmm/core/gmem.h"
#include "vmm/kvm/irqchip.h"
#include "vmm/kvm/kvm.h"
#include "vmm/kvm/vcpu.h"

#define TRIP_VCPUS  2
#define TRIP_MEMORY (8 * MIB)

/* A machine with the least that a guest's processor needs round it */
struct trip {
	struct config cfg;
	struct kvm kvm;
	struct gmem mem;
	struct bus mmio, pio;
	struct irqchip chip;
	struct vcpu vcpu[TRIP_VCPUS];
	unsigned int nvcpu;
	struct vcpu_host host;
	struct device port, lined; /* what the guest writes to; what has a line */
	struct device *more;       /* the architecture's own, or NULL */
	uint32_t said;             /* by the guest, to the port */
	uint64_t stored; /* milliseconds that its clocks went on by while it was stored */
	bool halts;      /* it goes on after T_READY, and is halted when it is saved */
	int heard;       /* eventfd: it has said something, or has ended */
	char ended[512];
};

/* What went wrong: prints a line, and the program fails */
void trip_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* trip_make() - a machine; @acpi as --acpi.  trip_end() undoes it */
void trip_make(struct trip *t, bool acpi);
void trip_end(struct trip *t);

/* trip_move_chips() - save the interrupt chip of @from and load it into @to: that is taken (and
 * saved again the same, if @exact: no time in it goes on), or refused with @why
 */
void trip_move_chips(struct trip *from, struct trip *to, const char *why, bool exact);

/* Where the port is, and what is said there */
extern const uint64_t trip_port;
extern const bool trip_port_is_mmio;
extern const uint64_t trip_ram;
extern const unsigned int trip_gsi;
extern const uint32_t trip_ready, trip_done;
extern const bool trip_can_halt; /* halted is a state that KVM tells */

/* trip_arch_parts() - more devices.  trip_arch_load() - the guest into its memory;
 * Return: false, this host cannot run it, which it has said.
 * trip_arch_enter() - registers for its first instruction
 */
void trip_arch_parts(struct trip *t);
bool trip_arch_load(struct trip *t);
void trip_arch_enter(struct trip *t, struct err *e);
/* trip_arch_stopped() - the guest is ready and its vCPUs are stopped: what only we can do */
void trip_arch_stopped(struct trip *t);
/* trip_arch_compare() - between the two machines, before the guest goes on */
void trip_arch_compare(struct trip *t);
/* trip_arch_check() - the guest is done: has it seen what it should? */
void trip_arch_check(struct trip *t);
/* trip_arch_extra() - what needs other machines */
void trip_arch_extra(void);

#endif
