/* SPDX-License-Identifier: Apache-2.0 */
/* cli - the command line: argv to config. */
#ifndef MICROVM_CLI_H
#define MICROVM_CLI_H

#include <stdio.h>

#include "vmm/core/config.h"
#include "vmm/core/err.h"

enum cli_action { CLI_RUN, CLI_HELP, CLI_VERSION };

/* cli_parse() - read the options of @argv, from @argv[1] on: fill @cfg, which config_init() has
 * made ready, and say what to do.  A config file is read first, wherever --config is on the line:
 * options override it and add to its lists. With CLI_RUN the config is validated.
 * Return: 0, or -errno in @e
 */
int cli_parse(int argc, char **argv, struct config *cfg, enum cli_action *action,
	      struct err *e);

/* cli_read() - likewise, and nothing is validated */
int cli_read(int argc, char **argv, struct config *cfg, enum cli_action *action,
	     struct err *e);

/* cli_help() - the options, from the setting table, in 80 columns; after the usage lines */
void cli_help(FILE *out);

#endif
