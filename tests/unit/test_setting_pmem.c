/* SPDX-License-Identifier: Apache-2.0 */
/* test_setting_pmem - --pmem and "pmem": what is understood, and what is said of the rest */
#include <check.h>
#include <string.h>

#include "tests/lib/setting.h"
#include "tests/lib/unit.h"
#include "vmm/core/util.h"

static int option(const char *value)
{
	return setting_option("--pmem", value);
}

START_TEST(option_is_understood)
{
	ck_assert_int_eq(option("root.img"), 0);
	ck_assert_uint_eq(cfg.npmem, 1);
	ck_assert_str_eq(cfg.pmem[0].path, "root.img");
	ck_assert(!cfg.pmem[0].readonly);
	ck_assert_int_eq(
		setting_json("{\"pmem\": [{\"path\": \"a\", \"ro\": true}, \"b\"]}"), 0);
	ck_assert_str_eq(cfg.pmem[1].path, "a");
	ck_assert(cfg.pmem[1].readonly && !cfg.pmem[2].readonly);
}
END_TEST

static const struct setting_wrong wrong[] = {
	{option, "", "--pmem: the value is empty", "PATH"},
	{option, "readonly=on", "--pmem: there is no path", "path="},
	{option, "a,ro=1", "readonly: \"1\"", "on nor off"},
	{option, "a,rw", "--pmem: \"rw\" is not", "ro"},
	{option, "a,path=b", "--pmem: path is given twice", "once"},
	{setting_json, "{\"pmem\": [{\"ro\": true}]}", "pmem[0]: there is no path",
	 "path="},
	{setting_json, "{\"pmem\": [\"a\", \"b\", \"c\", \"d\", \"e\"]}",
	 "pmem[4]: this is one too many", "4"},
};

START_TEST(wrong_value_is_told)
{
	setting_is_refused(&wrong[_i]);
}
END_TEST

UNIT_MAIN("setting_pmem", setting_setup, setting_teardown, t)
{
	tcase_add_test(t, option_is_understood);
	tcase_add_loop_test(t, wrong_value_is_told, 0, (int)ARRAY_SIZE(wrong));
}
