/* SPDX-License-Identifier: Apache-2.0 */
/* power - what a device hears of the guest's end: the machine holds the other end. */
#ifndef MICROVM_CORE_POWER_H
#define MICROVM_CORE_POWER_H

enum power_event {
	POWER_OFF,
	POWER_RESET,
	POWER_PANIC, /* its kernel panicked, and does nothing more than its panic= says */
	POWER_CRASH, /* it panicked, and starts the crash kernel that it has loaded */
};

struct power {
	void (*request)(struct power *p,
			enum power_event ev); /* any thread, dev->lock held */
};

#endif
