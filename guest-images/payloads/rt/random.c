/* SPDX-License-Identifier: Apache-2.0 */
/* random - xorshift64* (Vigna 2014): not random at all, and that is the point. */
#include "guest-images/payloads/rt/rt.h"

void prng_seed(struct prng *p, uint64_t seed)
{
	p->s = seed ? seed : 1;
}

uint64_t prng_next(struct prng *p)
{
	p->s ^= p->s >> 12;
	p->s ^= p->s << 25;
	p->s ^= p->s >> 27;
	return p->s * UINT64_C(0x2545f4914f6cdd1d);
}

uint64_t prng_below(struct prng *p, uint64_t n)
{
	return (prng_next(p) >> 11) % n;
}
