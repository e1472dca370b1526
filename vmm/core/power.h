/* SPDX-License-Identifier: Apache-2.0 */
/* power - what a device tells of the guest's end; the machine implements the op. */
#ifndef MICROVM_CORE_POWER_H
#define MICROVM_CORE_POWER_H

#include <stdint.h>

enum power_event {
	POWER_OFF,
	POWER_RESET,
	POWER_PANIC, /* its kernel panicked, and does only what its panic= says */
	POWER_CRASH, /* it panicked, and starts the crash kernel that it has loaded */
};

struct power {
	void (*request)(struct power *p,
			enum power_event ev); /* any thread, dev->lock held */
	/* a test guest ends with @value, by its exit port; likewise */
	void (*exit)(struct power *p, uint32_t value);
};

#endif
