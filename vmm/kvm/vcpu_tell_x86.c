/* SPDX-License-Identifier: Apache-2.0 */
/* vcpu_tell_x86 - a PC's registers in words. */
#include "vmm/kvm/vcpu_arch.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "vmm/core/util.h"

#define MSR_LSTAR 0xc0000082u

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

int vcpu_arch_translate(const struct vcpu *c, uint64_t va, gpa_t *gpa)
{
	struct kvm_translation tr = {.linear_address = va};

	if (ioctl(c->fd, KVM_TRANSLATE, &tr) < 0)
		return -errno;
	*gpa = tr.physical_address;
	return tr.valid ? 0 : -EFAULT;
}

void vcpu_arch_see(struct vcpu *c, struct vcpu_seen *s)
{
	_Alignas(struct kvm_msrs)
		uint8_t buf[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)] = {0};
	struct kvm_msrs *msrs = (void *)buf;
	struct kvm_regs r;
	struct kvm_sregs v;

	s->known = ioctl(c->fd, KVM_GET_REGS, &r) == 0 &&
		   ioctl(c->fd, KVM_GET_SREGS, &v) == 0;
	if (!s->known)
		return;
	s->user = v.ss.dpl == 3;
	s->pc = r.rip;
	s->sp = r.rsp;
	msrs->nmsrs = 1;
	msrs->entries[0].index = MSR_LSTAR;
	s->entry = ioctl(c->fd, KVM_GET_MSRS, msrs) == 1 ? msrs->entries[0].data : 0;
}
