/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_kernel - what the targets that load a kernel have in common. */
#ifndef MICROVM_TESTS_FUZZ_KERNEL_H
#define MICROVM_TESTS_FUZZ_KERNEL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "boot/kernel.h"
#include "vmm/core/util.h"

#define FUZZ_CONFIG_MAX (64 * KIB) /* of a configuration inside a kernel */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A path under which the input can be opened, until the next one */
static inline const char *fuzz_file(const uint8_t *data, size_t len)
{
	static char path[32];
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("fuzz", MFD_CLOEXEC);
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (ftruncate(fd, 0) < 0 || pwrite(fd, data, len, 0) != (ssize_t)len)
		abort();
	return path;
}

#endif
