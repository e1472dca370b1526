/* SPDX-License-Identifier: Apache-2.0 */
/* state_time - how far a guest's clocks go on over the time that it was stored. */
#include "vmm/kvm/state_time.h"

#include <time.h>

#define NS_PER_S UINT64_C(1000000000)

/* A call of KVM's takes a hundredth of it; emulated, a tenth */
#define MOMENT_NS    UINT64_C(1000000)
#define MOMENT_TRIES 20

uint64_t state_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t state_moment(void (*clock)(void *ctx, uint64_t at), void *ctx)
{
	unsigned int tries = 0;
	uint64_t at;

	do {
		at = state_now();
		clock(ctx, at);
	} while (state_now() - at > MOMENT_NS && ++tries < MOMENT_TRIES);
	return at;
}

uint64_t state_time(struct kvm *k, uint64_t now, struct state *s)
{
	uint64_t was = now;
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
