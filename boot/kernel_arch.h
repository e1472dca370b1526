/* SPDX-License-Identifier: Apache-2.0 */
/* kernel_arch - what boot/kernel.c asks of an architecture; one kernel_<arch>.c each. */
#ifndef MICROVM_BOOT_KERNEL_ARCH_H
#define MICROVM_BOOT_KERNEL_ARCH_H

#include "boot/kernel.h"
#include "boot/unpack.h"

/* A file that users give instead of a kernel, by magic number */
struct kernel_stranger {
	unsigned int off, len;
	const char *magic, *is; /* "is a disk; give it by --disk" */
};

/* kernel_match() - what @f is according to the first row that fits; NULL: none does */
const char *kernel_match(const struct kernel_file *f, const struct kernel_stranger *row,
			 unsigned int n);

extern const char kernel_arch_takes[];     /* "a bzImage or an ELF vmlinux" */
extern const gpa_t kernel_arch_memory_end; /* the RAM for a kernel ends here or below */

/* kernel_arch_stranger() - what @f is if only this architecture cannot boot it: most likely
 * another architecture's kernel. Return: a phrase as in struct kernel_stranger, or NULL
 */
const char *kernel_arch_stranger(const struct kernel_file *f);

/* A kernel that is packed in its file: all of [@off, @off + @len) there */
struct kernel_payload {
	unpacker *how;
	uint64_t off, len;
};

/* kernel_arch_payload() - where that is in @f.  Return: false: the kernel is not packed, or
 * unpack() does not know the method, or the header is damaged
 */
bool kernel_arch_payload(const struct kernel_file *f, struct kernel_payload *p);

#endif
