/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel_bytes - a kernel as it is in memory, to be searched: its configuration, its version.
 *
 * That takes tens of milliseconds and as much memory as the unpacked kernel: too much for the start of
 * a machine that does not need it.
 */
#ifndef MICROVM_BOOT_KERNEL_BYTES_H
#define MICROVM_BOOT_KERNEL_BYTES_H

#include <stdint.h>

#include "boot/kernel.h"
#include "vmm/core/util.h"

/* The most of a kernel that is read, or unpacked; Debian's cloud kernel is 50 MiB */
#define KERNEL_BYTES_MAX (128 * MIB)

/* kernel_bytes() - of @f, which may be packed in a way that kernel_arch_payload() knows; @n: how many.
 * It makes no system call that a jailed loop may not make.
 * Return: for kernel_bytes_free(); NULL: the file is damaged or there is no memory, and @n is 0
 */
uint8_t *kernel_bytes(const struct kernel_file *f, size_t *n);
void kernel_bytes_free(uint8_t *bytes);

#endif
