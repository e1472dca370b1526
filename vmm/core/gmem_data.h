/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gmem_data - which parts of guest memory hold data: what a guest never touched, or gave back
 * (gmem_release()), is a hole that reads as zeroes and need not be stored.
 *
 * One thread, while guest memory is not written: no vCPU runs, the devices are at rest.
 */
#ifndef MICROVM_CORE_GMEM_DATA_H
#define MICROVM_CORE_GMEM_DATA_H

#include "vmm/core/gmem.h"
#include "vmm/core/state.h"

struct gmem_run {
	gpa_t gpa;
	uint64_t len; /* of one region, a multiple of the host's page size */
	uint8_t *host;
};

struct gmem_walk {
	const struct gmem *m;
	int pagemap; /* -1: it cannot be read, and all counts as data */
	unsigned int region;
	uint64_t off; /* how far the walk has come in the region */
};

/* gmem_walk_init() - begin at the first region.  gmem_walk_next() - the next run that may hold
 * anything but zeroes, in ascending order. Return: false, there is none. It cannot fail: if the
 * host does not tell, the run is the rest of the region.
 */
void gmem_walk_init(struct gmem_walk *w, const struct gmem *m);
bool gmem_walk_next(struct gmem_walk *w, struct gmem_run *run);
void gmem_walk_fini(struct gmem_walk *w);

/* gmem_state() - identity of @m's regions, and what they hold (section "memory").  Loading makes
 * @m the same byte for byte, whatever it held. A load that fails may have changed a part of it,
 * and then the machine must not run
 */
void gmem_state(struct gmem *m, struct state *s);

#endif
