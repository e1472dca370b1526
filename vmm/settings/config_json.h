/* SPDX-License-Identifier: Apache-2.0 */
/* config_json - the settings as a JSON file (docs/config.md). */
#ifndef MICROVM_CONFIG_JSON_H
#define MICROVM_CONFIG_JSON_H

#include <stddef.h>

#include "vmm/core/config.h"
#include "vmm/core/err.h"

#define CONFIG_JSON_MAX (1u << 20) /* bytes in a file */

/* config_json_load() - apply the file at @path to @cfg.
 * Return: 0, or -errno in @e with the file, the place and the cure
 */
int config_json_load(struct config *cfg, const char *path, struct err *e);
/* config_json_parse() - likewise @len bytes of @text; @name stands for them in messages */
int config_json_parse(struct config *cfg, const char *text, size_t len, const char *name,
		      struct err *e);

#endif
