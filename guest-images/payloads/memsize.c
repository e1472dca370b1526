/* SPDX-License-Identifier: Apache-2.0 */
/* memsize - all RAM that the memory map tells of is there: a mark in the first and last
 * page of each region and each GiB between, all written before any is read back.
 */
#include "guest-images/payloads/rt/rt.h"

#define STEP (UINT64_C(1) << 30)

static uint64_t memsize_mark(uint64_t addr)
{
	return addr * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

/* memsize_next() - the place after @addr in [@base, @end); 0: that was the last */
static uint64_t memsize_next(uint64_t addr, uint64_t end)
{
	uint64_t last = end - 8;

	if (addr == last)
		return 0;
	return last - addr > STEP ? addr + STEP : last;
}

static unsigned int memsize_pass(const struct rt_region *r, bool write)
{
	uint64_t top = rt_alloc_top(), base = r->base < top ? top : r->base;
	unsigned int bad = 0;

	if (base + 8 > r->base + r->len)
		return 0;
	for (uint64_t a = base; a; a = memsize_next(a, r->base + r->len)) {
		if (write) {
			write64(a, memsize_mark(a));
		} else if (read64(a) != memsize_mark(a)) {
			print("FAIL: 0x%lx is not RAM of its own\n", a);
			bad++;
		}
	}
	return bad;
}

int main(void)
{
	uint64_t total = 0;
	unsigned int bad = 0;

	for (unsigned int i = 0; i < rt_boot.nregion; i++) {
		const struct rt_region *r = &rt_boot.region[i];

		print("RAM 0x%lx - 0x%lx\n", r->base, r->base + r->len);
		total += r->len;
		if (r->base >= UINT64_C(4) << 30)
			rt_map(r->base, r->len);
		memsize_pass(r, true);
	}
	for (unsigned int i = 0; i < rt_boot.nregion; i++)
		bad += memsize_pass(&rt_boot.region[i], false);
	print("%s: %lu KiB of RAM\n", bad ? "FAIL" : "PASS", total / 1024);
	return bad != 0;
}
