/* SPDX-License-Identifier: Apache-2.0 */
/* config_say - a machine's settings as the JSON that config_json.h reads. */
#ifndef MICROVM_SETTINGS_CONFIG_SAY_H
#define MICROVM_SETTINGS_CONFIG_SAY_H

#include <jansson.h>

#include "vmm/core/config.h"
#include "vmm/core/err.h"

#define CONFIG_SAY_SOCKET_MAX 96 /* bytes: every setting for a socket takes this length */

/* config_say() - an object with every setting that was accepted into @cfg (and nothing else: no
 * defaults). Read as a config file by the same program, from any directory, it makes a config
 * equal to @cfg but for paths, which are absolute in it. A socket's path that would become longer
 * than CONFIG_SAY_SOCKET_MAX stays as it was written.
 * Return: an object of the caller's, or NULL with a sentence in @e: out of memory, the working
 * directory has no name, or a value is not UTF-8, which JSON needs
 */
json_t *config_say(const struct config *cfg, struct err *e);

#endif
