/* SPDX-License-Identifier: Apache-2.0 */
/* kernel_arch - what boot/kernel.c asks of an architecture; one kernel_<arch>.c each. */
#ifndef MICROVM_BOOT_KERNEL_ARCH_H
#define MICROVM_BOOT_KERNEL_ARCH_H

#include "boot/kernel.h"
#include "boot/unpack.h"

/* Something that people give instead of a kernel, by magic number */
struct kernel_stranger {
	unsigned int off, len;
	const char *magic, *is; /* "is a disk; give it by --disk" */
};

/* kernel_match() - what @f is according to the first row that fits; NULL: none does */
const char *kernel_match(const struct kernel_file *f, const struct kernel_stranger *row,
			 unsigned int n);

extern const char kernel_arch_takes[];     /* "a bzImage or an ELF vmlinux" */
extern const gpa_t kernel_arch_memory_end; /* no RAM for a kernel is at or above this */

/* kernel_arch_stranger() - what @f is if only this architecture cannot boot it: another's
 * kernel, most likely.  Return: a phrase as in struct kernel_stranger, or NULL
 */
const char *kernel_arch_stranger(const struct kernel_file *f);

/* A kernel that lies in its file packed, and is all of [@off, @off + @len) there */
struct kernel_payload {
	unpacker *how;
	uint64_t off, len;
};

/* kernel_arch_payload() - where that is in @f.  Return: false, it is not packed, or in a way
 * that unpack() does not know, or the header is damaged
 */
bool kernel_arch_payload(const struct kernel_file *f, struct kernel_payload *p);

#endif
