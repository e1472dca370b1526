/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kvm - the virtual machine as KVM sees it: memory slots, interrupt lines, doorbells.
 *
 * vmm/kvm/ is the only room that knows KVM's file descriptors.  The order of calls
 * matters for start-up time: memory slots first, I/O-bus registrations (doorbells) last,
 * since a slot change after a registration waits for an SRCU grace period.
 */
#ifndef MICROVM_KVM_KVM_H
#define MICROVM_KVM_KVM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/core/doorbell.h"
#include "vmm/core/err.h"
#include "vmm/core/gmem.h"
#include "vmm/core/irq.h"

struct kvm_arch;

struct kvm {
	int dev_fd, vm_fd; /* -1 when not open */
	unsigned int nslot;
	size_t run_size; /* bytes of struct kvm_run and what follows it */
	struct doorbells doorbells;
	struct kvm_arch *arch;
	bool keep_time; /* for a loader: its clocks go on from where they stood (state_time.h) */
	bool time_is_known; /* state_time.c's: is */
	int64_t time_lost;  /* the time that they leave out, in ns */
	void *to_save;      /* of kvm_state_prepare(): freed with the VM; NULL: nothing */
};

/* kvm_open() - open /dev/kvm, check its version and what we cannot do without, make a VM.
 * Return: 0, or -errno with a sentence in @e; kvm_close() in either case
 */
int kvm_open(struct kvm *k, struct err *e);
void kvm_close(struct kvm *k);

/* kvm_has() - the value of KVM_CHECK_EXTENSION for this VM; 0: not there */
int kvm_has(const struct kvm *k, int cap);
/* kvm_max_vcpus() - how many vCPUs KVM allows in one VM */
unsigned int kvm_max_vcpus(const struct kvm *k);

/* kvm_add_memory() - every region of @m as a slot.  kvm_add_rom() - @len bytes at @host, which
 * the guest can read but not write (KVM_MEM_READONLY: a write is an MMIO exit). For registers,
 * which a guest may read past its caches; after the vCPUs are made
 */
int kvm_add_memory(struct kvm *k, const struct gmem *m, struct err *e);
int kvm_add_rom(struct kvm *k, gpa_t gpa, void *host, uint64_t len, struct err *e);

/* kvm_add_file() - @len bytes at @host, which are mapped from a file.  If the guest touches a
 * part that the file has lost, KVM_RUN fails with EFAULT
 */
int kvm_add_file(struct kvm *k, gpa_t gpa, void *host, uint64_t len, bool readonly,
		 struct err *e);

/* kvm_irqfd() - bind @line's eventfd to its GSI (@on), or unbind it: signals then stay in the
 * eventfd and are delivered at the next bind. Return: 0 or -errno
 */
int kvm_irqfd(struct kvm *k, const struct irq_line *line, bool on);

#endif
