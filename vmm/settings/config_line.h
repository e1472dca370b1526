/* SPDX-License-Identifier: Apache-2.0 */
/* config_line - what the operator's kernel command line implies for the machine itself. */
#ifndef MICROVM_CONFIG_LINE_H
#define MICROVM_CONFIG_LINE_H

#include "vmm/core/config.h"

/* config_read_line() - if a word of cfg->append or cfg->cmdline keeps Linux from using a machine
 * with ACPI, the first such word switches cfg->acpi off and is named in cfg->acpi_word. arm64 has
 * no such words; there cfg->acpi has no meaning.
 */
void config_read_line(struct config *cfg);

#endif
