/* SPDX-License-Identifier: Apache-2.0 */
/* nop_device - a device that does nothing, for code that wants one */
#ifndef MICROVM_TESTS_NOP_DEVICE_H
#define MICROVM_TESTS_NOP_DEVICE_H

#include "vmm/core/device.h"

static const struct device_ops nop_ops = {
	.arm = device_nop_arm,
	.read = device_nop_read,
	.write = device_nop_write,
	.reset = device_nop_reset,
	.rest = device_nop_rest,
	.wake = device_nop_wake,
	.state = device_nop_state,
	.destroy = device_fini,
};

#endif
