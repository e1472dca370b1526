/* SPDX-License-Identifier: Apache-2.0 */
/* boot - first C in ring 3: read what the VMM told us, run main(), say how it went. */
#include <asm/bootparam.h>

#include "guest-images/payloads/rt/boot.h"
#include "guest-images/payloads/rt/rt.h"

#define E820_RAM  1
#define PVH_MAGIC 0x336ec578

/* Xen's public/arch-x86/hvm/start_info.h, version 1 */
struct pvh_info {
	uint32_t magic, version, flags, nmodule;
	uint64_t modlist, cmdline, rsdp;
	uint64_t memmap;
	uint32_t nmemmap, reserved;
};
struct pvh_memory {
	uint64_t base, len;
	uint32_t type, reserved;
};

struct rt_boot rt_boot;

static void boot_region(uint64_t base, uint64_t len, uint32_t type)
{
	if (type != E820_RAM || rt_boot.nregion == RT_REGIONS_MAX)
		return;
	rt_boot.region[rt_boot.nregion++] = (struct rt_region){base, len};
}

static void boot_pvh(const struct pvh_info *s)
{
	const struct pvh_memory *m = (const void *)(uintptr_t)s->memmap;

	rt_boot.protocol = "PVH";
	if (s->cmdline)
		rt_boot.cmdline = (const char *)(uintptr_t)s->cmdline;
	if (s->version < 1)
		return;
	for (uint32_t i = 0; i < s->nmemmap; i++)
		boot_region(m[i].base, m[i].len, m[i].type);
}

static void boot_linux(const struct boot_params *z)
{
	uint64_t cmdline = z->hdr.cmd_line_ptr | (uint64_t)z->ext_cmd_line_ptr << 32;

	rt_boot.protocol = "64-bit";
	if (cmdline)
		rt_boot.cmdline = (const char *)(uintptr_t)cmdline;
	for (unsigned int i = 0; i < z->e820_entries; i++)
		boot_region(z->e820_table[i].addr, z->e820_table[i].size,
			    z->e820_table[i].type);
}

_Noreturn void rt_main(const struct pvh_info *info, const struct boot_params *zero_page)
{
	rt_boot.cmdline = "";
	if (info && info->magic == PVH_MAGIC)
		boot_pvh(info);
	else if (zero_page)
		boot_linux(zero_page);
	if (main())
		guest_panic();
	power_off();
}

_Noreturn void rt_exception(uint64_t vector, uint64_t error, uint64_t rip, uint64_t cr2,
			    uint64_t rsp)
{
	print("\nFAIL: exception %lu, error 0x%lx, rip 0x%lx, cr2 0x%lx, rsp 0x%lx\n",
	      vector, error, rip, cr2, rsp);
	guest_panic();
}
