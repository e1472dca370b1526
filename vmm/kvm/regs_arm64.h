/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regs_arm64 - a vCPU's registers by KVM's names for them, and where its virtual
 * addresses lead.
 */
#ifndef MICROVM_KVM_REGS_ARM64_H
#define MICROVM_KVM_REGS_ARM64_H

#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/core/gmem.h"

/* KVM's API document, 4.68 (KVM_SET_ONE_REG): core registers go by their place in struct
 * kvm_regs in units of 32 bits, system registers by their encoding in MRS
 */
#define REG_CORE(field)                                        \
	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | \
	 (offsetof(struct kvm_regs, field) / sizeof(uint32_t)))
#define REG_X(n)   (REG_CORE(regs.regs[0]) + UINT64_C(2) * (n))
#define REG_PC     REG_CORE(regs.pc)
#define REG_PSTATE REG_CORE(regs.pstate)
#define PSTATE_A32 0x10u /* in the latter: not A64 */
#define REG_SCTLR  ARM64_SYS_REG(3, 0, 1, 0, 0)
#define REG_TTBR0  ARM64_SYS_REG(3, 0, 2, 0, 0)
#define REG_TTBR1  ARM64_SYS_REG(3, 0, 2, 0, 1)
#define REG_TCR    ARM64_SYS_REG(3, 0, 2, 0, 2)
#define REG_VBAR   ARM64_SYS_REG(3, 0, 12, 0, 0)
#define REG_MPIDR  ARM64_SYS_REG(3, 0, 0, 0, 5)
#define REG_MMFR0  ARM64_SYS_REG(3, 0, 0, 7, 0)
#define REG_MMFR2  ARM64_SYS_REG(3, 0, 0, 7, 2)

/* Both: Return 0 or -errno.  @fd: a vCPU's */
int regs_get(int fd, uint64_t reg, uint64_t *value);
int regs_set(int fd, uint64_t reg, uint64_t value);

/* regs_translate() - the guest address to which EL1's virtual address @va leads, by the tables
 * that are in @m; for messages. The vCPU does not run. Return: 0; -EFAULT: @va is not mapped;
 * -errno
 */
int regs_translate(int fd, const struct gmem *m, uint64_t va, gpa_t *gpa);

#endif
