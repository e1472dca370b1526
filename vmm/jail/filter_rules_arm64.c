/* SPDX-License-Identifier: Apache-2.0 */
/* filter_rules_arm64 - what arm64 has of its own. */
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "vmm/core/fds.h"
#include "vmm/core/util.h"
#include "vmm/jail/filter.h"
#include "vmm/jail/filter_rules.h"

const struct filter_rule filter_rules_arch[] = {
	ANY("ppoll", VCPU, 0, "would a line of the log wait"),
	IOCTL(KVM_GET_ONE_REG, FD_VCPU, VCPU, "a last sentence: where the guest is"),
	IOCTL(KVM_SET_ONE_REG, FD_VCPU, VCPU,
	      "a store to read-only memory is stepped over"),
	IOCTL(KVM_GET_VCPU_EVENTS, FD_VCPU, VCPU, "an access that no device answers"),
	IOCTL(KVM_SET_VCPU_EVENTS, FD_VCPU, VCPU, "the same"),
	SAVES(KVM_GET_REG_LIST, FD_VCPU, "a machine is saved: which registers there are"),
	SAVES(KVM_GET_ONE_REG, FD_VCPU, "a register"),
	SAVES(KVM_GET_MP_STATE, FD_VCPU, "is it off"),
	SAVES(KVM_GET_VCPU_EVENTS, FD_VCPU, "what is pending"),
	SAVES(KVM_GET_DEVICE_ATTR, FD_GIC, "its interrupt controller"),
	SAVES(KVM_IRQFD, FD_VM, "interrupts on their way arrive first"),
	SAVES(KVM_CHECK_EXTENSION, FD_VM, "which of these there are"),
	/* O_DIRECTORY and O_NOFOLLOW; O_LARGEFILE is for the C library to say */
	ARGS("openat", COPIER, 0, "a directory, and no file to be read",
	     INT_BUT(2, 0400000, O_CLOEXEC | 040000 | 0100000)),
};
const unsigned int filter_rules_arch_n = ARRAY_SIZE(filter_rules_arch);
