/* SPDX-License-Identifier: Apache-2.0 */
/* vcpu_tell_x86 - a PC's registers in words. */
#include "vmm/kvm/vcpu_arch.h"

#include <linux/kvm.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "vmm/core/util.h"

void vcpu_arch_tell(struct vcpu *c, char *buf, size_t len)
{
	struct kvm_regs r;
	struct kvm_sregs s;
	size_t n = 0;

	buf[0] = '\0';
	if (ioctl(c->fd, KVM_GET_REGS, &r) < 0 || ioctl(c->fd, KVM_GET_SREGS, &s) < 0)
		return;
	const struct {
		const char *name;
		uint64_t value;
	} all[] = {{"rip", r.rip},        {"rflags", r.rflags},   {"rsp", r.rsp},
		   {"rbp", r.rbp},        {"rax", r.rax},         {"rbx", r.rbx},
		   {"rcx", r.rcx},        {"rdx", r.rdx},         {"rsi", r.rsi},
		   {"rdi", r.rdi},        {"r8", r.r8},           {"r9", r.r9},
		   {"r10", r.r10},        {"r11", r.r11},         {"r12", r.r12},
		   {"r13", r.r13},        {"r14", r.r14},         {"r15", r.r15},
		   {"cr0", s.cr0},        {"cr2", s.cr2},         {"cr3", s.cr3},
		   {"cr4", s.cr4},        {"efer", s.efer},       {"cs", s.cs.selector},
		   {"ss", s.ss.selector}, {"fs_base", s.fs.base}, {"gs_base", s.gs.base}};

	for (size_t i = 0; i < ARRAY_SIZE(all) && n < len; i++)
		n += (size_t)snprintf(buf + n, len - n, "%s\"%s\":\"0x%llx\"",
				      i ? "," : "", all[i].name,
				      (unsigned long long)all[i].value);
}
