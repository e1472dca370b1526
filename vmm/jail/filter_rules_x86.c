/* SPDX-License-Identifier: Apache-2.0 */
/* filter_rules_x86 - what x86-64 has of its own. */
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "vmm/core/fds.h"
#include "vmm/core/util.h"
#include "vmm/jail/filter.h"
#include "vmm/jail/filter_rules.h"

const struct filter_rule filter_rules_arch[] = {
	IOCTL(KVM_KVMCLOCK_CTRL, FD_VCPU, VCPU,
	      "tells the guest that its host stood still"),
	IOCTL(KVM_GET_REGS, FD_VCPU, VCPU, "a last sentence: where the guest is"),
	IOCTL(KVM_GET_SREGS, FD_VCPU, VCPU, "the same"),
	IOCTL(KVM_TRANSLATE, FD_VCPU, VCPU, "the same"),
	IOCTL(KVM_GET_MSRS, FD_VCPU, VCPU, "and where its kernel lies"),
	SAVES(KVM_GET_REGS, FD_VCPU, "a machine is saved: general registers"),
	SAVES(KVM_GET_SREGS, FD_VCPU, "system registers"),
	SAVES(KVM_GET_SREGS2, FD_VCPU, "the same"),
	SAVES(KVM_GET_XSAVE2, FD_VCPU, "vector registers"),
	SAVES(KVM_GET_XSAVE, FD_VCPU, "the same, before Linux 5.17"),
	SAVES(KVM_GET_XCRS, FD_VCPU, "which of them there are"),
	SAVES(KVM_GET_DEBUGREGS, FD_VCPU, "debug registers"),
	SAVES(KVM_GET_VCPU_EVENTS, FD_VCPU, "what is pending"),
	SAVES(KVM_GET_MP_STATE, FD_VCPU, "does it halt"),
	SAVES(KVM_GET_LAPIC, FD_VCPU, "its interrupt controller"),
	SAVES(KVM_GET_MSRS, FD_VCPU, "model-specific registers"),
	SAVES(KVM_GET_TSC_KHZ, FD_VCPU, "its time"),
	SAVES(KVM_GET_DEVICE_ATTR, FD_VCPU, "the same"),
	SAVES(KVM_GET_CLOCK, FD_VM, "the machine's clock"),
	SAVES(KVM_IRQFD, FD_VM, "interrupts on their way arrive first"),
	SAVES(KVM_GET_IRQCHIP, FD_VM, "the 8259 pair and KVM's IOAPIC"),
	SAVES(KVM_GET_PIT2, FD_VM, "the 8254"),
	SAVES(KVM_CHECK_EXTENSION, FD_VM, "which of these there are"),
	/* O_DIRECTORY and O_NOFOLLOW; O_LARGEFILE is for the C library to say */
	ARGS("openat", COPIER, 0, "a directory, and no file to be read",
	     INT_BUT(2, 0100000, O_CLOEXEC | 0200000 | 0400000)),
};
const unsigned int filter_rules_arch_n = ARRAY_SIZE(filter_rules_arch);
