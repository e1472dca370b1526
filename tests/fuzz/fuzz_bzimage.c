/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_bzimage - any bzImage is loaded whole inside RAM and gets a sane zero page, or is
 * refused with a sentence; so is every file that is no kernel.
 */
#include <asm/bootparam.h>

#include "boot/bzimage.h"
#include "boot/ikconfig.h"
#include "boot/zeropage.h"
#include "tests/fuzz/fuzz_kernel_x86.h"

static void fuzz_zeropage(struct gmem *m, const struct kernel *k)
{
	const struct boot_params *bp;
	struct initrd r = {.start = 0x1234000, .len = 5};
	struct e820 map;

	e820_build(&map, m, 0, 0);
	zeropage_write(m, k, &map, &r, 0);
	bp = gmem_slice(m, LAYOUT_ZERO_PAGE, sizeof(*bp));
	BUG_ON(bp->hdr.type_of_loader != 0xff || bp->hdr.ramdisk_image != r.start);
	BUG_ON(bp->hdr.cmd_line_ptr != LAYOUT_CMDLINE || bp->sentinel);
	BUG_ON(bp->hdr.version >= 0x0209 && bp->hdr.setup_data != LAYOUT_SETUP_DATA);
	BUG_ON(bp->e820_entries != 2 || bp->e820_table[1].addr != LAYOUT_KERNEL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct kernel_file f;
	struct kernel k;
	struct gmem m;
	struct err e = {0};
	int rc;

	if (len == 0 || kernel_open(&f, fuzz_file(data, len), &e) < 0)
		return 0;
	fuzz_ram(&m);
	rc = bzimage_is(&f) ? bzimage_load(&f, &m, &k, &e) : kernel_refuse(&f, &e);
	fuzz_check(rc, &k, &m, &e);
	if (rc == 0)
		fuzz_zeropage(&m, &k);
	gmem_fini(&m);
	free(ikconfig_read(&f, FUZZ_CONFIG_MAX));
	kernel_close(&f);
	return 0;
}
