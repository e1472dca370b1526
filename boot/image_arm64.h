/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_arm64 - arm64 Linux's Image (Documentation/arch/arm64/booting.rst), bare, in gzip
 * or in the EFI zboot wrapper (drivers/firmware/efi/libstub/zboot-header.S).
 *
 * We ask for Linux 3.17 (2014), whose header says how much memory the kernel takes.
 */
#ifndef MICROVM_BOOT_IMAGE_ARM64_H
#define MICROVM_BOOT_IMAGE_ARM64_H

#include "boot/kernel.h"

/* image_is() - does @f begin like an Image in any of its wrappings?  An Image's own
 * header decides even though it may begin with "MZ", like any EFI program.
 */
bool image_is(const struct kernel_file *f);

/* image_load() - put the kernel in @f at the start of @m's RAM, 2 MiB aligned plus the text
 * offset that it asks for, and describe it in @k.  A compressed one is decompressed right
 * there, and stopped where RAM ends.
 * Return: 0, or -errno with a sentence in @e
 */
int image_load(const struct kernel_file *f, struct gmem *m, struct kernel *k,
	       struct err *e);

#endif
