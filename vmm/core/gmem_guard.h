/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gmem_guard - guest memory that may be gone when we touch it; the access then raises SIGBUS.
 * Causes: a file that is mapped was cut short, the host has no page left for a memory file or for
 * huge pages, or the host's hardware lost a page.
 *
 * The process then ends with a sentence and status 1 instead of a crash. (If the guest itself
 * touches such memory, KVM refuses, and the run ends the usual way.)
 */
#ifndef MICROVM_CORE_GMEM_GUARD_H
#define MICROVM_CORE_GMEM_GUARD_H

#include <stddef.h>

enum gmem_kind { GMEM_RAM, GMEM_FILE, GMEM_SAVED };

/* gmem_guard() - [@p, @p + @len) is of this kind from now on.  Before any thread starts */
void gmem_guard(const void *p, size_t len, enum gmem_kind kind);
/* gmem_guard_last() - from now on the process may not change what a signal does: a fault elsewhere ends
 * it with status 128 + SIGBUS
 */
void gmem_guard_last(void);
/* gmem_unguard() - no memory is of this kind any more */
void gmem_unguard(void);

#endif
