/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kvm_state - what KVM keeps of a machine: its vCPUs, its interrupt controller, its clock. One
 * implementation an architecture (state_<arch>.c).
 *
 * Each call both saves and loads, as a section of its own. One thread calls them while no vCPU
 * runs: every vCPU has completed its last exit (one KVM_RUN with immediate_exit after it) and
 * none is in KVM_RUN. A machine that is loaded has the memory, the vCPUs and the lines of the one
 * that was saved, and none of its vCPUs has run yet.
 *
 * Save and load in this order: memory, irqchip_state(), vcpu_state() of each vCPU in turn, the
 * devices, kvm_clock_state(). Saving: the devices are at rest, and irqchip_state() brings their
 * last interrupts to the vCPUs. Loading: a device's interrupt needs a vCPU that is loaded
 * already, or it would be lost.
 *
 * A failure is a sentence in @s that begins with the section's name and says what KVM refuses,
 * and what kind of host would take it. Then the loading machine must not run (unlike a device's,
 * a vCPU's state cannot be put back); a machine that was being saved goes on.
 */
#ifndef MICROVM_KVM_KVM_STATE_H
#define MICROVM_KVM_KVM_STATE_H

#include "vmm/core/state.h"
#include "vmm/kvm/irqchip.h"
#include "vmm/kvm/kvm.h"
#include "vmm/kvm/vcpu.h"

/* kvm_state_prepare() - ask /dev/kvm now what a later save has to know: afterwards that may be closed.
 * Return: 0 or -errno
 */
int kvm_state_prepare(struct kvm *k);

/* vcpu_state() - all registers of @c (section "vcpuN"): general, floating point and vector,
 * system, debug and model-specific ones, its local timers, what is pending for it, and whether it
 * is halted or not yet started. Identity: what the processor says of itself (x86: CPUID; arm64:
 * the identification registers). The time that it sees, by counter or by KVM's clock, went on
 * while it was stored, or with kvm.keep_time stood still (state_time.h).
 */
void vcpu_state(struct vcpu *c, struct kvm *k, struct state *s);

/* irqchip_state() - KVM's part of the interrupt controller outside the vCPUs (section "irqchip").
 * x86: nothing with the split irqchip, whose routes the IOAPIC's state brings; else the 8259
 * pair, KVM's IOAPIC and the 8254. arm64: the GIC, with the parts of each of the @n vCPUs @c.
 * Saving waits for interrupts that KVM is about to deliver (milliseconds).
 */
void irqchip_state(struct irqchip *ic, const struct vcpu *c, unsigned int n,
		   struct state *s);

/* kvm_clock_state() - the clock that KVM keeps for the whole machine (section "clock").  x86:
 * kvmclock.  arm64: there is none, the counters are the vCPUs'
 */
void kvm_clock_state(struct kvm *k, struct state *s);

#endif
