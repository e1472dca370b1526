/* SPDX-License-Identifier: Apache-2.0 */
/* setting - one setting of the command line and of the config file, tried word by word */
#ifndef MICROVM_TESTS_SETTING_H
#define MICROVM_TESTS_SETTING_H

#include "vmm/settings/config_life.h"

/* What the last call read, and what it said of it */
extern struct config cfg;
extern struct err e;

/* A fixture for check: setting_setup() makes @cfg anew (call teardown first), both @e */
void setting_setup(void);
void setting_teardown(void);

/* `microvm --kernel k @option @value` into @cfg; what cli_parse() returns */
int setting_option(const char *option, const char *value);

/* The config file @text, called vm.json, into @cfg; what config_json_parse() returns */
int setting_json(const char *text);

/* A @text that @parse refuses, and two pieces of the sentence that says so */
struct setting_wrong {
	int (*parse)(const char *text);
	const char *text, *says, *also;
};

/* Fails the test unless @w is refused as wrong use, in those words */
void setting_is_refused(const struct setting_wrong *w);

#endif
