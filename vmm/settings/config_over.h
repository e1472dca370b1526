/* SPDX-License-Identifier: Apache-2.0 */
/* config_over - the settings of a machine that was saved, changed by an operator's words. */
#ifndef MICROVM_SETTINGS_CONFIG_OVER_H
#define MICROVM_SETTINGS_CONFIG_OVER_H

#include <jansson.h>

#include "vmm/core/config.h"
#include "vmm/core/err.h"

/* config_over() - put into @saved, an object of config_say()'s, what was accepted into @over. A device is
 * replaced by the one of the same id (a port: the same name), or by the only one that is given for the only
 * one there is; a disk or pmem that was given as ID=PATH is what it was but for its path. None can be added.
 * Return: 0, or -errno in @e
 */
int config_over(json_t *saved, const struct config *over, struct err *e);

#endif
