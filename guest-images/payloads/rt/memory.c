/* SPDX-License-Identifier: Apache-2.0 */
/* memory - the RAM after the image, given away once; and page tables above 4 GiB. */
#include "guest-images/payloads/rt/boot.h"
#include "guest-images/payloads/rt/rt.h"
#include "guest-images/payloads/rt/told.h"

#define GIB1        (UINT64_C(1) << 30)
#define PDS_MAX     128  /* 1 GiB each */
#define PTE_TABLE   0x27 /* present, writable, user, accessed */
#define PTE_2M_PAGE 0xe7 /* and dirty, large */

static uint64_t memory_next;

/* memory_end() - where the region that our image lies in ends */
static uint64_t memory_end(void)
{
	uint64_t image = (uintptr_t)image_end;

	for (unsigned int i = 0; i < rt_boot.nregion; i++) {
		const struct rt_region *r = &rt_boot.region[i];

		if (image >= r->base && image - r->base <= r->len)
			return r->base + r->len;
	}
	return 0;
}

uint64_t rt_alloc_top(void)
{
	if (!memory_next)
		memory_next = (uintptr_t)image_end;
	return memory_next;
}

void *rt_alloc(size_t len, size_t align)
{
	uint64_t p = (rt_alloc_top() + align - 1) & ~(uint64_t)(align - 1);
	uint64_t end = memory_end();

	if (p > end || len > end - p) {
		print("FAIL: no RAM for %zu bytes\n", len);
		guest_panic();
	}
	memory_next = p + len;
	return memset((void *)(uintptr_t)p, 0, len);
}

bool rt_let_go(void)
{
	static const volatile uint64_t *told;

	if (!told) {
		static const uint64_t at_once = RT_TOLD;

		told = cmdline_is("until", "told")
			       ? (const volatile uint64_t *)(uintptr_t)(memory_end() -
									RT_TOLD_AT)
			       : &at_once;
	}
	return *told == RT_TOLD;
}

void rt_map(uint64_t base, uint64_t len)
{
	/* A hostile guest whose used ring is a table as well has its device write at multiples of
	 * 64 KiB: inside the image they are here, and in what is spare
	 */
	static struct {
		uint64_t pd[PDS_MAX][512];
		uint8_t spare[8192];
	} pds __attribute__((aligned(65536)));
	static unsigned int used;

	for (uint64_t g = base / GIB1; g <= (base + len - 1) / GIB1; g++) {
		if (g >= 512 || (!rt_pdpt[g] && used == PDS_MAX)) {
			print("FAIL: cannot map 0x%lx\n", g * GIB1);
			guest_panic();
		}
		if (rt_pdpt[g])
			continue;
		for (unsigned int i = 0; i < 512; i++)
			pds.pd[used][i] = (g * GIB1 + ((uint64_t)i << 21)) | PTE_2M_PAGE;
		rt_pdpt[g] = (uintptr_t)pds.pd[used++] | PTE_TABLE;
	}
	__asm__ volatile("" ::: "memory");
}
