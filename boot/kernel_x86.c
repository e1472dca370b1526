/* SPDX-License-Identifier: Apache-2.0 */
/* kernel_x86 - the files that x86-64 cannot boot but another architecture might. */
#include "boot/kernel_arch.h"

#include "vmm/core/util.h"
#include "vmm/core/layout_x86.h"

const char kernel_arch_takes[] = "a bzImage or an ELF vmlinux";
const gpa_t kernel_arch_memory_end = LAYOUT_RAM_HOLE;

static const struct kernel_stranger kernel_foreign[] = {
	{0x38, 4, "ARM\x64",
	 "is an arm64 kernel, but this host is x86-64; "
	 "build or fetch the kernel for amd64"},
	{0x38, 4, "RSC\x05",
	 "is a riscv64 kernel, but this host is x86-64; "
	 "build or fetch the kernel for amd64"},
	{4, 4, "zimg",
	 "is an EFI zboot kernel of another architecture, but this host is x86-64; "
	 "build or fetch the kernel for amd64"},
	{0, 2, "\x1f\x8b", "is gzip-compressed; gunzip it first"},
	{0, 4, "\x28\xb5\x2f\xfd", "is zstd-compressed; unzstd it first"},
	{0, 2, "MZ", "is an EFI or Windows program, not a bzImage"},
};

const char *kernel_arch_stranger(const struct kernel_file *f)
{
	return kernel_match(f, kernel_foreign, ARRAY_SIZE(kernel_foreign));
}
