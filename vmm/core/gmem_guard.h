/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gmem_guard - guest memory that is mapped from a file, and what happens when somebody
 * cuts the file short meanwhile: a page of it that we touch is then a SIGBUS.
 *
 * That ends us with a sentence and status 1 instead of a crash.  (What the guest touches
 * itself is KVM's to refuse, and ends the run the usual way.)
 */
#ifndef MICROVM_CORE_GMEM_GUARD_H
#define MICROVM_CORE_GMEM_GUARD_H

#include <stddef.h>

/* gmem_guard() - [@p, @p + @len) is mapped from a file.  Before any thread starts */
void gmem_guard(const void *p, size_t len);
/* gmem_unguard() - nothing is any more */
void gmem_unguard(void);

#endif
