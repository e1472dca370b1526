/* SPDX-License-Identifier: Apache-2.0 */
/* cases - the lies: ring_cases.c is told to a running device, setup_cases.c before that. */
#ifndef PAYLOAD_HOSTILE_CASES_H
#define PAYLOAD_HOSTILE_CASES_H

#include "guest-images/payloads/hostile/rig.h"

struct hostile_case {
	const char *name;
	/* must come back as an error or end in NEEDS_RESET; otherwise whatever the device
	 * does is right as long as it can be reset and wrote nowhere else
	 */
	bool refuse;
	unsigned int ndesc;           /* only targets with such chains; 0: all */
	void (*setup)(struct rig *r); /* before DRIVER_OK, or NULL */
	void (*tell)(
		struct rig *r); /* after, the chain laid but not available; or NULL */
};

extern const struct hostile_case ring_cases[], indirect_cases[], setup_cases[];
extern const unsigned int ring_ncases, indirect_ncases, setup_ncases;

/* cases_ram_end() - where the region of RAM that we live in ends */
uint64_t cases_ram_end(void);

#endif
