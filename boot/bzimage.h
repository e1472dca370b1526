/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bzimage - Linux's x86 boot image (Documentation/arch/x86/boot.rst).
 *
 * We ask for boot protocol 2.02 (2000; a command line anywhere) and a kernel loaded high. A
 * kernel of 2.12 or later that has a 64-bit entry is entered there, others at the 32-bit entry.
 */
#ifndef MICROVM_BOOT_BZIMAGE_H
#define MICROVM_BOOT_BZIMAGE_H

#include "boot/kernel.h"

/* bzimage_is() - does @f begin like a bzImage? */
bool bzimage_is(const struct kernel_file *f);

/* bzimage_load() - put the protected-mode part of @f into @m and describe it in @k.
 * Return: 0, or -errno with a sentence in @e
 */
int bzimage_load(const struct kernel_file *f, struct gmem *m, struct kernel *k,
		 struct err *e);

#endif
