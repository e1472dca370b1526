/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doorbell - ask the hypervisor to turn one guest write into an eventfd signal, without leaving
 * the kernel (KVM_IOEVENTFD). A device never sees KVM: the machine implements this, and a unit
 * test gives ops that refuse.
 */
#ifndef MICROVM_CORE_DOORBELL_H
#define MICROVM_CORE_DOORBELL_H

#include <stdint.h>

struct doorbells {
	/* bind() - a 4-byte MMIO write of @value to @addr signals @fd and does not reach the
	 * device. Any thread. Return: 0; -errno: writes still reach the device
	 */
	int (*bind)(struct doorbells *d, uint64_t addr, uint32_t value, int fd);
};

#endif
