/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gmem_guard - guest memory that may be gone when we touch it, which is a SIGBUS then: a file
 * that it is mapped from is cut short, RAM in a memory file or of huge pages for which the host
 * has no page left, or a page that the host's hardware has lost.
 *
 * That ends us with a sentence and status 1 instead of a crash.  (What the guest touches
 * itself is KVM's to refuse, and ends the run the usual way.)
 */
#ifndef MICROVM_CORE_GMEM_GUARD_H
#define MICROVM_CORE_GMEM_GUARD_H

#include <stddef.h>

enum gmem_kind { GMEM_RAM, GMEM_FILE };

/* gmem_guard() - [@p, @p + @len) is of this kind, from now on.  Before any thread starts */
void gmem_guard(const void *p, size_t len, enum gmem_kind kind);
/* gmem_unguard() - nothing is any more */
void gmem_unguard(void);

#endif
