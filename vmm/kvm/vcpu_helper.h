/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vcpu_helper - a thread that makes a vCPU's slow accesses (device.h), while the vCPU waits.
 *
 * Each vCPU has its own where devices are armed early, so that a reset that waits for the host
 * holds up one vCPU.
 */
#ifndef MICROVM_KVM_VCPU_HELPER_H
#define MICROVM_KVM_VCPU_HELPER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/core/bus.h"

struct vcpu_helper {
	pthread_t thread;
	bool started;
	unsigned int nr;
	pthread_mutex_t lock; /* for all that follows */
	pthread_cond_t moved;
	bool asked;
	struct bus *bus; /* the write that it was asked for */
	uint64_t addr, val;
	unsigned int size;
};

void vcpu_helper_init(struct vcpu_helper *h, unsigned int nr);
/* vcpu_helper_start() - Return: 0, or an errno as thread_start() */
int vcpu_helper_start(struct vcpu_helper *h);
/* vcpu_helper_write() - bus_write() by the helper; returns when it is done. The vCPU's thread */
void vcpu_helper_write(struct vcpu_helper *h, struct bus *b, uint64_t addr,
		       unsigned int size, uint64_t val);
void vcpu_helper_fini(struct vcpu_helper *h); /* never started */

#endif
