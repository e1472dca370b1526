/* SPDX-License-Identifier: Apache-2.0 */
/* job_find - where `microvm run` finds its kernel and its agent (docs/run.md has the order). */
#ifndef MICROVM_JOB_FIND_H
#define MICROVM_JOB_FIND_H

#include "vmm/core/err.h"

/* job_find() - the path of @name ("kernel" or "agent") in the first of the documented directories
 * that has it. @given: the operator's own, which wins; NULL: none.
 * Return: a string that the caller frees; NULL with a sentence in @e
 */
char *job_find(const char *name, const char *given, struct err *e);

#endif
