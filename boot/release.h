/* SPDX-License-Identifier: Apache-2.0 */
/* release - what `uname -r` will say in a guest, found in the kernel's file. */
#ifndef MICROVM_BOOT_RELEASE_H
#define MICROVM_BOOT_RELEASE_H

#include <stdbool.h>

#include "boot/kernel.h"

#define RELEASE_MAX 65 /* Linux' __NEW_UTS_LEN, and a NUL */

/* kernel_release() - of the opened kernel @f, in the first profile of a unified kernel image.  A bzImage
 * has it in its header; others are unpacked and searched: see boot/kernel_bytes.h.
 * Return: false: it is no Linux, or does not say
 */
bool kernel_release(const struct kernel_file *f, char release[RELEASE_MAX]);

#endif
