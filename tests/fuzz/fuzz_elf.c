/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_elf - any ELF file is loaded whole inside RAM, or refused with a sentence. */
#include "boot/elf.h"
#include "tests/fuzz/fuzz_kernel_x86.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct kernel_file f;
	struct kernel k;
	struct gmem m;
	struct err e = {0};

	if (len == 0 || kernel_open(&f, fuzz_file(data, len), &e) < 0)
		return 0;
	fuzz_ram(&m);
	if (elf_is(&f))
		fuzz_check(elf_load(&f, &m, &k, &e), &k, &m, &e);
	gmem_fini(&m);
	kernel_close(&f);
	return 0;
}
