/* SPDX-License-Identifier: Apache-2.0 */
/* pvh - Xen's start_info, version 1. */
#include "boot/pvh.h"

#include "vmm/core/util.h"
#include "vmm/core/layout_x86.h"

#define PVH_MAGIC 0x336ec578 /* "xEn3", the E with its top bit set */

/* The whole boot data, in one piece at LAYOUT_PVH_INFO */
struct pvh_page {
	struct {
		uint32_t magic, version, flags, nr_modules;
		uint64_t modlist, cmdline, rsdp;
		uint64_t memmap; /* version 1 begins here */
		uint32_t memmap_entries, reserved;
	} info;
	struct {
		uint64_t at, len, cmdline, reserved;
	} module;
	struct {
		uint64_t at, len;
		uint32_t type, reserved; /* types are those of e820 */
	} memmap[E820_ENTRIES_MAX];
};
_Static_assert(offsetof(struct pvh_page, module) == 56, "start_info.h, version 1");
_Static_assert(LAYOUT_PVH_INFO + sizeof(struct pvh_page) <= LAYOUT_ZERO_PAGE, "it fits");

void pvh_write(struct gmem *m, const struct e820 *map, const struct initrd *r, gpa_t rsdp)
{
	struct pvh_page *p = gmem_slice(m, LAYOUT_PVH_INFO, sizeof(*p));

	BUG_ON(!p);
	p->info.magic = PVH_MAGIC;
	p->info.version = 1;
	p->info.cmdline = LAYOUT_CMDLINE;
	p->info.rsdp = rsdp;
	if (r->len) {
		p->info.nr_modules = 1;
		p->info.modlist = LAYOUT_PVH_INFO + offsetof(struct pvh_page, module);
		p->module.at = r->start;
		p->module.len = r->len;
	}
	p->info.memmap = LAYOUT_PVH_INFO + offsetof(struct pvh_page, memmap);
	p->info.memmap_entries = map->n;
	for (unsigned int i = 0; i < map->n; i++) {
		p->memmap[i].at = map->entry[i].at;
		p->memmap[i].len = map->entry[i].len;
		p->memmap[i].type = map->entry[i].type;
	}
}
