/* SPDX-License-Identifier: Apache-2.0 */
/* config_line - what the operator's kernel command line asks of the machine itself. */
#ifndef MICROVM_CONFIG_LINE_H
#define MICROVM_CONFIG_LINE_H

#include "vmm/core/config.h"

/* config_read_line() - let the first word of cfg->append or cfg->cmdline with which Linux
 * cannot use a machine with ACPI switch cfg->acpi off, and name it in cfg->acpi_word.
 * arm64 has no such words; there cfg->acpi says nothing.
 */
void config_read_line(struct config *cfg);

#endif
