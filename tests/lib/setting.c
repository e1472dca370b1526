/* SPDX-License-Identifier: Apache-2.0 */
/* setting - see setting.h */
#include "tests/lib/setting.h"

#include <check.h>
#include <string.h>

#include "vmm/settings/cli.h"
#include "vmm/settings/config_json.h"
#include "vmm/core/util.h"

struct config cfg;
struct err e;

void setting_setup(void)
{
	e = (struct err){0};
	ck_assert_int_eq(config_init(&cfg, &e), 0);
}

void setting_teardown(void)
{
	config_fini(&cfg);
}

int setting_option(const char *option, const char *value)
{
	char name[32], text[256];
	char *argv[] = {(char[]){"microvm"},
			(char[]){"--kernel"},
			(char[]){"k"},
			name,
			text,
			NULL};
	enum cli_action action;

	ck_assert_uint_lt(strlen(option), sizeof(name));
	ck_assert_uint_lt(strlen(value), sizeof(text));
	strcpy(name, option);
	strcpy(text, value);
	return cli_parse((int)ARRAY_SIZE(argv) - 1, argv, &cfg, &action, &e);
}

int setting_json(const char *text)
{
	return config_json_parse(&cfg, text, strlen(text), "vm.json", &e);
}

void setting_is_refused(const struct setting_wrong *w)
{
	ck_assert_int_lt(w->parse(w->text), 0);
	ck_assert_int_eq(e.usage, 1);
	ck_assert_msg(strstr(e.msg, w->says), "%s: %s", w->text, e.msg);
	ck_assert_msg(strstr(e.msg, w->also), "%s: %s", w->text, e.msg);
}
