/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fdt_dump NCPU NVIRTIO GIC FILE [OVERLAY] - write the device tree of such an arm64 machine
 * with a GIC of that version to FILE, for dtc.
 */
#include <stdio.h>
#include <stdlib.h>

#include "boot/fdt_arm64.h"
#include "tests/unit/fdt_platform.h"
#include "vmm/core/util.h"

static int dump_tree(const struct fdt_arm64 *in, char **argv, struct err *e)
{
	struct dtree t;
	int rc = fdt_arm64_build(&t, in, e);

	if (rc == 0 && argv[5])
		rc = dtree_overlay(&t, argv[5], e);
	if (rc == 0)
		rc = dtree_reserve(&t, LAYOUT_RAM + 64 * MIB, e);
	if (rc == 0)
		rc = dtree_dump(&t, argv[4], e);
	dtree_free(&t);
	return rc;
}

int main(int argc, char **argv)
{
	struct initrd initrd = {.start = LAYOUT_RAM + 255 * MIB, .len = MIB};
	struct platform p;
	struct gmem m;
	struct err e = {0};
	struct fdt_arm64 in = {.platform = &p,
			       .mem = &m,
			       .initrd = &initrd,
			       .cmdline = "console=ttyS0 \"quoted\"",
			       .serial_console = true};

	if (argc < 5 || argc > 6)
		return 2;
	platform_make(&p, (unsigned int)strtoul(argv[1], NULL, 10),
		      (unsigned int)strtoul(argv[2], NULL, 10),
		      (unsigned int)strtoul(argv[3], NULL, 10));
	gmem_init(&m, false);
	if (gmem_add(&m, LAYOUT_RAM, 256 * MIB, &e) || dump_tree(&in, argv, &e)) {
		(void)fprintf(stderr, "%s\n", e.msg);
		return 1;
	}
	return 0;
}
