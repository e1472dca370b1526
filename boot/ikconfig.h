/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ikconfig - the configuration that a kernel with CONFIG_IKCONFIG=y carries inside.
 *
 * Looking for it takes tens of milliseconds and as much memory as the unpacked kernel: too much
 * for the start of a machine.
 */
#ifndef MICROVM_BOOT_IKCONFIG_H
#define MICROVM_BOOT_IKCONFIG_H

#include <stddef.h>

#include "boot/kernel.h"

/* ikconfig_read() - the configuration inside the kernel @f, which may be packed in a way that
 * kernel_arch_payload() knows. At most @max bytes; the caller checks whether it is valid. It makes
 * no system call that a jailed loop may not make.
 * Return: text, which the caller frees; NULL: there is none, it is longer, the file is damaged,
 * or there is no memory
 */
char *ikconfig_read(const struct kernel_file *f, size_t max);

#endif
