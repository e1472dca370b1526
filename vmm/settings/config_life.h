/* SPDX-License-Identifier: Apache-2.0 */
/* config_life - the life of a struct config: defaults, checks across settings, end. */
#ifndef MICROVM_SETTINGS_CONFIG_LIFE_H
#define MICROVM_SETTINGS_CONFIG_LIFE_H

#include "vmm/core/config.h"
#include "vmm/core/err.h"

/* config_init() - the defaults: one vCPU, 256 MiB, serial console, ACPI, name "microvm".
 * Return: 0, or -ENOMEM in @e; config_fini() in either case
 */
int config_init(struct config *cfg, struct err *e);
void config_fini(struct config *cfg);

/* config_console_reader() - set cfg->console_reader, once all settings are read; @in and @out: are our
 * stdin and our stdout terminals?
 */
void config_console_reader(struct config *cfg, bool in, bool out);

/* config_string() - *@dst becomes a copy of @value; its former string is freed */
int config_string(char **dst, const char *value, struct err *e);
/* config_disk_clear() and so on - free and empty one slot */
void config_disk_clear(struct config_disk *d);
void config_net_clear(struct config_net *n);
void config_share_clear(struct config_share *s);
void config_pmem_clear(struct config_pmem *p);
void config_end_clear(struct config_end *end);
void config_port_clear(struct config_port *p);

/* config_validate() - after all settings are read: check those that must fit together, and let
 * words on the operator's kernel command line set cfg->acpi (config_line.h).
 * Return: 0, or -EINVAL with a usage error in @e
 */
int config_validate(struct config *cfg, struct err *e);

#endif
