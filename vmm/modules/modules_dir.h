/* SPDX-License-Identifier: Apache-2.0 */
/* modules_dir - modules in a directory: where they were built, or installed. */
#ifndef MICROVM_MODULES_DIR_H
#define MICROVM_MODULES_DIR_H

#include "vmm/modules/modules.h"

/* modules_dir_find() - where below @given the modules of a kernel of @release ("": not known) are: there,
 * in modules (as fetch-debian has it), in lib/modules/RELEASE, usr/lib/modules/RELEASE or RELEASE; a single
 * other RELEASE is taken as well. What tells it is a modules.dep or a modules.order.
 * Return: a path, which the caller frees; NULL: there is none, or no memory
 */
char *modules_dir_find(const char *given, const char *release);

/* modules_dir_read() - answer all that @m asks for by the files in @dir, of modules_dir_find().
 * Return: 0, or -errno with a sentence in @e
 */
int modules_dir_read(struct modules *m, const char *dir, struct err *e);

#endif
