/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elf - ELF kernels: Linux's vmlinux and freestanding guests.
 *
 * A file with a PVH note (Xen's XEN_ELFNOTE_PHYS32_ENTRY) is entered there in 32-bit mode;
 * another x86-64 one at e_entry, taken as a physical address as in vmlinux, in 64-bit mode with a
 * Linux zero page in RSI. Segments go to their physical addresses, from 1 MiB to the end of RAM
 * below the hole.
 */
#ifndef MICROVM_BOOT_ELF_H
#define MICROVM_BOOT_ELF_H

#include "boot/kernel.h"

#define ELF_SEGMENTS_MAX 32 /* loadable ones; Linux has 5 */

/* elf_is() - does @f begin like an ELF file? */
bool elf_is(const struct kernel_file *f);

/* elf_load() - put the segments of @f into @m, whose RAM is still zero, and describe it in
 * @k.  Return: 0, or -errno with a sentence in @e
 */
int elf_load(const struct kernel_file *f, struct gmem *m, struct kernel *k,
	     struct err *e);

#endif
