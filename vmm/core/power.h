/* SPDX-License-Identifier: Apache-2.0 */
/* power - how a device says that the guest wants to end: the machine holds the other end. */
#ifndef MICROVM_CORE_POWER_H
#define MICROVM_CORE_POWER_H

enum power_event { POWER_OFF, POWER_RESET };

struct power {
	void (*request)(struct power *p,
			enum power_event ev); /* any thread, dev->lock held */
};

#endif
