/* SPDX-License-Identifier: Apache-2.0 */
/* vcpu_arch - what vcpu.c asks of an architecture; each vcpu_<arch>.c implements it all. */
#ifndef MICROVM_KVM_VCPU_ARCH_H
#define MICROVM_KVM_VCPU_ARCH_H

#include "vmm/kvm/vcpu.h"

/* vcpu_fail() - end the run: @c cannot go on because of @what, at the place where it is; @advice
 * follows in the sentence. vCPU thread
 */
void vcpu_fail(struct vcpu *c, const char *what, const char *advice);

/* vcpu_nap() - sleep @ns nanoseconds, or until a signal.  vCPU thread */
void vcpu_nap(long ns);

/* vcpu_arch_init() - the state of a new vCPU, before its first run */
int vcpu_arch_init(struct vcpu *c, struct kvm *k, unsigned int ncpu, struct err *e);

/* vcpu_arch_exit() - handle an exit that only this architecture has.
 * Return: was it one?
 */
bool vcpu_arch_exit(struct vcpu *c);

/* vcpu_arch_look() - what the guest does.  vCPU thread, outside of KVM_RUN */
enum vcpu_look vcpu_arch_look(const struct vcpu *c);

/* vcpu_arch_tell() - its registers, as members of a JSON object; "" if they cannot be read.  vCPU
 * thread, outside of KVM_RUN
 */
void vcpu_arch_tell(struct vcpu *c, char *buf, size_t len);

/* vcpu_arch_see() - all of @s but the stack.  vcpu_arch_translate(): the guest address to which its
 * kernel's virtual address @va leads. Return: 0; -errno: it is not mapped. Both as vcpu_arch_tell()
 */
void vcpu_arch_see(struct vcpu *c, struct vcpu_seen *s);
int vcpu_arch_translate(const struct vcpu *c, uint64_t va, gpa_t *gpa);
/* vcpu_see() - fill c->seen; vCPU thread, outside of KVM_RUN (vcpu_see.c) */
void vcpu_see(struct vcpu *c);

/* vcpu_arch_paused() - the process was stopped for a while: tell the guest, so that its watchdogs
 * do not take the missing time for a hang. vCPU thread, before KVM_RUN
 */
void vcpu_arch_paused(struct vcpu *c);

/* vcpu_arch_where() - where the vCPU stands, for a message: program counter and the bytes
 * there, as far as they can be read.  Always leaves a string in @buf
 */
void vcpu_arch_where(struct vcpu *c, char *buf, size_t len);

/* vcpu_arch_advice() - why this host's KVM cannot emulate the instruction, and the cure; "" if
 * there is no more to say
 */
const char *vcpu_arch_advice(const struct vcpu *c);

#endif
