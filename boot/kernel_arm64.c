/* SPDX-License-Identifier: Apache-2.0 */
/* kernel_arm64 - the files that arm64 cannot boot but another architecture might. */
#include "boot/kernel_arch.h"

#include <elf.h>
#include <string.h>

#include "vmm/core/util.h"
#include "vmm/core/layout_arm64.h"

const char kernel_arch_takes[] = "an Image, plain or compressed, an EFI zboot kernel "
				 "or a unified kernel image";
/* A kernel and its initrd must lie in one window of 32 GiB (booting.rst) */
const gpa_t kernel_arch_memory_end = LAYOUT_RAM + 32 * GIB;

static const struct kernel_stranger kernel_foreign[] = {
	{0x202, 4, "HdrS",
	 "is an x86-64 bzImage, but this host is arm64; "
	 "build or fetch the kernel for arm64"},
	{0x38, 4, "RSC\x05",
	 "is a riscv64 kernel, but this host is arm64; "
	 "build or fetch the kernel for arm64"},
	{0, 4, "\x27\x05\x19\x56", "is a U-Boot uImage; give the Image it was made of"},
	{0, 4, "\xd0\x0d\xfe\xed",
	 "is a device tree or a U-Boot FIT image; give the Image in it"},
	{0, 2, "MZ", "is an EFI or Windows program, not a kernel Image"},
};

static const char *kernel_elf_stranger(const struct kernel_file *f)
{
	Elf64_Ehdr eh;

	memcpy(&eh, f->head, sizeof(eh)); /* e_machine: as in 32 bits */
	if (eh.e_machine == EM_AARCH64)
		return "is an ELF file; give the Image that is built from it "
		       "(arch/arm64/boot/Image)";
	if (eh.e_machine == EM_X86_64)
		return "is an x86-64 ELF file, but this host is arm64; "
		       "build or fetch the kernel for arm64";
	return "is an ELF file for another machine, but this host is arm64; "
	       "build or fetch the kernel for arm64";
}

const char *kernel_arch_stranger(const struct kernel_file *f)
{
	if (!memcmp(f->head, ELFMAG, SELFMAG))
		return kernel_elf_stranger(f);
	return kernel_match(f, kernel_foreign, ARRAY_SIZE(kernel_foreign));
}

/* Its loader unpacks to where the kernel will lie */
int kernel_arch_unpack(struct kernel_file *f, struct err *e)
{
	(void)f;
	(void)e;
	return 0;
}
