/* SPDX-License-Identifier: Apache-2.0 */
/* file - a kernel or an initrd as the operator named it: opened once and checked. */
#ifndef MICROVM_BOOT_FILE_H
#define MICROVM_BOOT_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/core/err.h"

struct boot_file {
	const char *what; /* "kernel" or "initrd": how sentences begin */
	const char *path; /* the caller's */
	int fd;           /* -1 when not open */
	uint64_t at; /* where it begins in @fd: not at 0 if it lies inside another file */
	uint64_t size; /* bytes, never 0 */
};

/* boot_file_open() - open @path for reading and check that it is a file and not empty. @what and
 * @path are kept, not copied. boot_file_close() also takes a file that failed to open. Return: 0,
 * or -errno with a sentence in @e
 */
int boot_file_open(struct boot_file *f, const char *what, const char *path,
		   struct err *e);
void boot_file_close(struct boot_file *f);

/* boot_file_read() - as many of the @len bytes at @off as @f has. A jailed loop may call it.
 * Return: bytes read, or -errno
 */
long boot_file_read(const struct boot_file *f, void *dst, size_t len, uint64_t off);

#endif
