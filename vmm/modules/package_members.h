/* SPDX-License-Identifier: Apache-2.0 */
/* package_members - what is in a package: the part that reads it, in a process of its own. */
#ifndef MICROVM_MODULES_PACKAGE_MEMBERS_H
#define MICROVM_MODULES_PACKAGE_MEMBERS_H

#include "vmm/core/err.h"

/* package_members() - the package in the descriptor @in, which is @path in sentences: its kernel goes to the
 * descriptor @kernel, and what the agent needs of its modules to @modules, unless that is -1; @n: how many.
 * Return: 0, or -errno with a sentence in @e
 */
int package_members(const char *path, int in, int kernel, int modules, unsigned int *n,
		    struct err *e);

#endif
