/* SPDX-License-Identifier: Apache-2.0 */
/* file - a kernel or an initrd as the operator named it: opened once and checked. */
#ifndef MICROVM_BOOT_FILE_H
#define MICROVM_BOOT_FILE_H

#include <stdint.h>

#include "vmm/core/err.h"

struct boot_file {
	const char *what; /* "kernel" or "initrd": how sentences begin */
	const char *path; /* the caller's */
	int fd;           /* -1 when not open */
	uint64_t size;    /* bytes, never 0 */
};

/* boot_file_open() - open @path for reading and check that it is a file and not empty. @what and
 * @path are kept, not copied. boot_file_close() also takes a file that failed to open. Return: 0,
 * or -errno with a sentence in @e
 */
int boot_file_open(struct boot_file *f, const char *what, const char *path,
		   struct err *e);
void boot_file_close(struct boot_file *f);

#endif
