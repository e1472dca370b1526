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
#include "vmm/layout_x86.h"

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

static inline void fuzz_ram(struct gmem *m)
{
	struct err e;

	gmem_init(m, false);
	if (gmem_add(m, 0, 32 * MIB, &e) < 0)
		abort();
}

/* What every loader promises of a kernel that it took, and of one that it did not */
static inline void fuzz_check(int rc, const struct kernel *k, const struct gmem *m,
			      const struct err *e)
{
	if (rc < 0) {
		BUG_ON(e->code != -rc || strncmp(e->msg, "kernel ", 7) != 0);
		return;
	}
	BUG_ON(k->start < LAYOUT_KERNEL || k->start >= k->end);
	BUG_ON(k->end > kernel_ram_end(m));
	BUG_ON(k->entry < k->start || k->entry >= k->end);
	BUG_ON(!k->protocol || (k->pvh && k->mode != BOOT_PROT32));
	BUG_ON(k->setup_len > sizeof(k->setup));
}

#endif
