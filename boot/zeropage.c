/* SPDX-License-Identifier: Apache-2.0 */
/* zeropage - Linux's struct boot_params (Documentation/arch/x86/zero-page.rst). */
#include "boot/zeropage.h"

#include <asm/bootparam.h>
#include <string.h>
#include <sys/random.h>

#include "vmm/core/util.h"
#include "vmm/core/layout_x86.h"

#define ZEROPAGE_LOADER_UNKNOWN 0xff
#define ZEROPAGE_SEED_LEN       32

_Static_assert(sizeof(struct boot_params) == 4096, "one page, by the boot protocol");
_Static_assert(E820_ENTRIES_MAX <= E820_MAX_ENTRIES_ZEROPAGE, "the map fits");
_Static_assert(0x290 - offsetof(struct boot_params, hdr) ==
		       sizeof(((struct kernel *)0)->setup),
	       "the setup header fits its place");

/* A seed saves a young guest from waiting for entropy. Linux uses it since 6.0 and wipes it;
 * older kernels skip it (boot.rst, setup_data). Return: where it is, 0: none
 */
static gpa_t zeropage_seed(struct gmem *m)
{
	struct setup_data *d =
		gmem_slice(m, LAYOUT_SETUP_DATA, sizeof(*d) + ZEROPAGE_SEED_LEN);

	BUG_ON(!d);
	if (getrandom(d->data, ZEROPAGE_SEED_LEN, GRND_NONBLOCK) != ZEROPAGE_SEED_LEN)
		return 0;
	d->next = 0;
	d->type = SETUP_RNG_SEED;
	d->len = ZEROPAGE_SEED_LEN;
	return LAYOUT_SETUP_DATA;
}

/* vmlinux has no setup header: write the least that makes it accept the rest */
static void zeropage_plain_header(struct setup_header *h)
{
	h->boot_flag = 0xaa55;
	memcpy(&h->header, "HdrS", 4);
	h->version = 0x020f;
	h->loadflags = LOADED_HIGH;
}

static void zeropage_header(struct gmem *m, const struct kernel *k,
			    const struct initrd *r, struct setup_header *h)
{
	memcpy(h, k->setup, k->setup_len);
	if (k->setup_len == 0)
		zeropage_plain_header(h);
	h->type_of_loader = ZEROPAGE_LOADER_UNKNOWN;
	h->loadflags &= (uint8_t) ~(KASLR_FLAG | KEEP_SEGMENTS | CAN_USE_HEAP);
	h->vid_mode = 0xffff; /* "normal" */
	h->code32_start = (uint32_t)k->start;
	h->cmd_line_ptr = (uint32_t)LAYOUT_CMDLINE;
	h->ramdisk_image = (uint32_t)r->start;
	h->ramdisk_size = (uint32_t)r->len;
	if (h->version >= 0x0209)
		h->setup_data = zeropage_seed(m);
}

void zeropage_write(struct gmem *m, const struct kernel *k, const struct e820 *map,
		    const struct initrd *r, gpa_t rsdp)
{
	struct boot_params *bp = gmem_slice(m, LAYOUT_ZERO_PAGE, sizeof(*bp));

	BUG_ON(!bp);
	zeropage_header(m, k, r, &bp->hdr);
	bp->acpi_rsdp_addr = rsdp;
	bp->e820_entries = (uint8_t)map->n;
	for (unsigned int i = 0; i < map->n; i++) {
		bp->e820_table[i].addr = map->entry[i].at;
		bp->e820_table[i].size = map->entry[i].len;
		bp->e820_table[i].type = map->entry[i].type;
	}
}
