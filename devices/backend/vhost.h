/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhost - a virtqueue as described to its server, either another process (vhost_user.h) or the
 * kernel (vhost_net.h).
 */
#ifndef MICROVM_BACKEND_VHOST_H
#define MICROVM_BACKEND_VHOST_H

#include <stdint.h>

#include "vmm/core/gmem.h"

struct vhost_ring {
	unsigned int index;
	uint16_t size;
	uint16_t base; /* the next entry of the available ring to take */
	gpa_t desc, avail, used;
	int kick; /* eventfd: the driver has added entries */
	int call; /* eventfd: interrupt the driver */
};

#endif
