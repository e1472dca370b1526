/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msi - how an interrupt controller that we emulate tells the hypervisor where a line
 * leads.  The device never sees KVM: the machine implements this, a unit test records it.
 */
#ifndef MICROVM_CORE_MSI_H
#define MICROVM_CORE_MSI_H

#include <stdbool.h>
#include <stdint.h>

/* What a line's edge writes to the local APICs (Intel SDM 3, 11.11): destination id bits
 * 7:0 in address bits 19:12, bits 31:8, if any, in address bits 63:40, where KVM takes
 * them (KVM_X2APIC_API_USE_32BIT_IDS)
 */
struct msi_msg {
	uint64_t address;
	uint32_t data;
};

struct msi_router {
	/* route() - from now on an edge on line @gsi sends @msg; NULL: it sends nothing. Called
	 * only if the message changes. An edge that comes while there is no message may be lost,
	 * as on the 82093AA, or kept for the next message. vCPU thread, the controller's
	 * dev->lock held.
	 */
	void (*route)(struct msi_router *r, unsigned int gsi, const struct msi_msg *msg);
	/* route_all() - route() for the lines 0 to @n - 1 in one call, changed or not: a state
	 * was loaded. No vCPU runs; the controller's dev->lock held; so for the next two
	 */
	void (*route_all)(struct msi_router *r, unsigned int n,
			  const struct msi_msg *const msg[]);
	/* kept() - does an edge on line @gsi wait for a message?  It goes on waiting.
	 * push() - an edge comes on line @gsi, as one kept() in the machine that was saved
	 */
	bool (*kept)(struct msi_router *r, unsigned int gsi);
	void (*push)(struct msi_router *r, unsigned int gsi);
};

#endif
