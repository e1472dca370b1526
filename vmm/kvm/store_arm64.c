/* SPDX-License-Identifier: Apache-2.0 */
/* store_arm64 - tell plain stores from other A64 instructions. */
#include "vmm/kvm/store_arm64.h"

#define CLASS_MASK 0x3a000000u /* bits 29, 28, 27 and 25 */
#define CLASS_PAIR 0x28000000u
#define CLASS_ONE  0x38000000u

static unsigned int bits(uint32_t code, unsigned int at, unsigned int n)
{
	return code >> at & ((1u << n) - 1);
}

static int64_t signed_bits(uint32_t code, unsigned int at, unsigned int n)
{
	int64_t v = bits(code, at, n), sign = INT64_C(1) << (n - 1);

	return (v ^ sign) - sign;
}

/* STP, STNP: opc (31:30), V (26), mode (24:23), L (22), imm7 (21:15), Rn */
static bool store_pair(uint32_t code, int64_t *add)
{
	unsigned int opc = bits(code, 30, 2), v = bits(code, 26, 1);

	if (bits(code, 22, 1) || opc == 3 || (!v && opc == 1))
		return false;
	if (bits(code, 23, 1)) /* after or before the access */
		*add = signed_bits(code, 15, 7) * (4 << (v ? opc : opc / 2));
	return true;
}

/* STR, STUR, STTR and their like: V (26), opc (23:22), imm9 (20:12), Rn */
static bool store_one(uint32_t code, int64_t *add)
{
	unsigned int kind = bits(code, 10, 2);

	if (bits(code, 22, 1) || (bits(code, 23, 1) && !bits(code, 26, 1)))
		return false;
	if (bits(code, 24, 1)) /* an unsigned offset */
		return true;
	if (bits(code, 21, 1))
		return kind == 2; /* a register as the offset; else no plain store */
	if (kind & 1)             /* after or before the access */
		*add = signed_bits(code, 12, 9);
	return true;
}

bool store_skip(uint32_t code, unsigned int *base, int64_t *add)
{
	*base = bits(code, 5, 5);
	*add = 0;
	switch (code & CLASS_MASK) {
	case CLASS_PAIR:
		/* mode: 0 (no allocate), 1 after, 2 an offset only, 3 before */
		return store_pair(code, add);
	case CLASS_ONE:
		return store_one(code, add);
	default:
		return false;
	}
}
