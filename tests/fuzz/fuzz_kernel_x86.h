/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_kernel_x86 - what the targets that load an x86-64 kernel have in common. */
#ifndef MICROVM_TESTS_FUZZ_KERNEL_X86_H
#define MICROVM_TESTS_FUZZ_KERNEL_X86_H

#include "tests/fuzz/fuzz_kernel.h"
#include "vmm/core/layout_x86.h"

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
