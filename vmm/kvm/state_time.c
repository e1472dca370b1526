/* SPDX-License-Identifier: Apache-2.0 */
/* state_time - how far a guest's clocks go on over the time that it was stored. */
#include "vmm/kvm/state_time.h"

#include <time.h>

#define NS_PER_S UINT64_C(1000000000)

static uint64_t realtime_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t state_time(struct kvm *k, struct state *s)
{
	uint64_t now = realtime_ns(), was = now;
	int64_t passed;

	state_u64(s, &was);
	if (!state_loading(s))
		return 0;
	passed = (int64_t)(now - was);
	if (!k->time_is_known) {
		k->time_is_known = true;
		k->time_lost = k->keep_time || passed < 0 ? passed : 0;
	}
	passed = (int64_t)((uint64_t)passed - (uint64_t)k->time_lost);
	return passed > 0 ? (uint64_t)passed : 0;
}

uint64_t state_ticks(uint64_t ns, uint64_t hz)
{
	return ns / NS_PER_S * hz + ns % NS_PER_S * hz / NS_PER_S;
}
