/* SPDX-License-Identifier: Apache-2.0 */
/* filter_rules_x86 - what x86-64 has of its own. */
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "vmm/core/fds.h"
#include "vmm/core/util.h"
#include "vmm/jail/filter_rules.h"

const struct filter_rule filter_rules_arch[] = {
	IOCTL(KVM_KVMCLOCK_CTRL, FD_VCPU, VCPU,
	      "tells the guest that its host stood still"),
	IOCTL(KVM_GET_REGS, FD_VCPU, VCPU, "a last sentence: where the guest is"),
	IOCTL(KVM_GET_SREGS, FD_VCPU, VCPU, "the same"),
	IOCTL(KVM_TRANSLATE, FD_VCPU, VCPU, "the same"),
	IOCTL(KVM_GET_MSRS, FD_VCPU, VCPU, "and where its kernel lies"),
	/* O_DIRECTORY and O_NOFOLLOW; O_LARGEFILE is for the C library to say */
	ARGS("openat", COPIER, 0, "a directory, and no file to be read",
	     INT_BUT(2, 0100000, O_CLOEXEC | 0200000 | 0400000)),
};
const unsigned int filter_rules_arch_n = ARRAY_SIZE(filter_rules_arch);
