/* SPDX-License-Identifier: Apache-2.0 */
/* config_files - a machine overwrites none of its own files, and no two outputs share one. */
#ifndef MICROVM_CONFIG_FILES_H
#define MICROVM_CONFIG_FILES_H

#include <stdbool.h>

#include "vmm/core/config.h"
#include "vmm/core/err.h"

/* config_check_files() - is each file that this machine writes to (report, device tree, pidfile,
 * console, ports) a file of its own?  By what the names lead to now.
 * Return: 0, or -errno with a sentence in @e
 */
int config_check_files(const struct config *cfg, struct err *e);

/* config_same_file() - do these two paths lead to one file, or would they, if it is missing?  A
 * file can have many names, so comparing names is not enough
 */
bool config_same_file(const char *a, const char *b);

#endif
