/* SPDX-License-Identifier: Apache-2.0 */
/* vcpu_exit - what vcpu.c does with an exit.  All: the vCPU's thread, outside of KVM_RUN */
#ifndef MICROVM_KVM_VCPU_EXIT_H
#define MICROVM_KVM_VCPU_EXIT_H

#include "vmm/kvm/vcpu.h"

/* vcpu_handle_exit() - KVM_RUN returned 0: serve the exit.  Return: false, the guest is over, and
 * the host has been told why
 */
bool vcpu_handle_exit(struct vcpu *c);
/* vcpu_run_failed() - KVM_RUN failed with errno @code: tell the host in a sentence */
void vcpu_run_failed(struct vcpu *c, int code);
/* vcpu_count() - one exit more for @reason, KVM_EXIT_* below VCPU_EXIT_REASONS */
void vcpu_count(struct vcpu *c, uint32_t reason);

#endif
