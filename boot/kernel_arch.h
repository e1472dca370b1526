/* SPDX-License-Identifier: Apache-2.0 */
/* kernel_arch - what the common files of boot/ ask of an architecture. */
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

/* kernel_read_head() - @f->head and @f->head_len anew, from @f->file. Return: as kernel_open() */
int kernel_read_head(struct kernel_file *f, struct err *e);

/* kernel_arch_unpack() - if @f is packed in a way that the loaders here do not undo themselves, do
 * it into memory.  Return: 0, or -errno with a sentence in @e
 */
int kernel_arch_unpack(struct kernel_file *f, struct err *e);

/* A kernel that is packed in its file: all of [@off, @off + @len) there */
struct kernel_payload {
	unpacker *how;
	uint64_t off, len;
};

/* kernel_arch_payload() - where that is in @f.  Return: false: the kernel is not packed, or
 * unpack() does not know the method, or the header is damaged
 */
bool kernel_arch_payload(const struct kernel_file *f, struct kernel_payload *p);

/* boot_load_file() - boot_load() from the unwrapped kernel @f (boot_<arch>.c) */
int boot_load_file(const struct config *cfg, const struct platform *p,
		   const struct kernel_file *f, struct gmem *m, struct boot_result *r,
		   struct err *e);

#endif
