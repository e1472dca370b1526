/* SPDX-License-Identifier: Apache-2.0 */
/* config_files - nothing is written over what the machine consists of, or over another's output. */
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

/* config_same_file() - do these two paths lead to one file, or, if it is not there, would they?  A
 * file has many names, so those alone say nothing
 */
bool config_same_file(const char *a, const char *b);

#endif
