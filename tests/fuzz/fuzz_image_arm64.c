/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_image_arm64 - any arm64 kernel, in whatever it is wrapped, is loaded whole inside RAM
 * or refused with a sentence; so is every file that is no kernel.
 */
#include "boot/ikconfig.h"
#include "boot/image_arm64.h"
#include "tests/fuzz/fuzz_kernel.h"
#include "vmm/core/layout_arm64.h"

#define FUZZ_RAM (8 * MIB)

static void fuzz_check_image(const struct kernel *k, const struct gmem *m)
{
	BUG_ON(k->start < LAYOUT_RAM || k->start >= k->end);
	BUG_ON(k->end > kernel_ram_end(m) || k->entry != k->start);
	BUG_ON(k->start % PAGE_SIZE || !k->protocol);
	BUG_ON(memcmp(gmem_slice(m, k->start + 56, 4), "ARM\x64", 4) != 0);
	BUG_ON(k->page_size & (k->page_size - 1));
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
	gmem_init(&m, false);
	if (gmem_add(&m, LAYOUT_RAM, FUZZ_RAM, &e) < 0)
		abort();
	rc = image_is(&f) ? image_load(&f, &m, &k, &e) : kernel_refuse(&f, &e);
	if (rc < 0)
		BUG_ON(e.code != -rc || strncmp(e.msg, "kernel ", 7) != 0);
	else
		fuzz_check_image(&k, &m);
	gmem_fini(&m);
	free(ikconfig_read(&f, FUZZ_CONFIG_MAX));
	kernel_close(&f);
	return 0;
}
