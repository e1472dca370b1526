/* SPDX-License-Identifier: Apache-2.0 */
/* test_setting_balloon - --balloon and "balloon": what is understood, and what is said of the rest */
#include <check.h>
#include <string.h>

#include "tests/lib/setting.h"
#include "tests/lib/unit.h"
#include "vmm/core/util.h"

static int option(const char *value)
{
	return setting_option("--balloon", value);
}

START_TEST(none_is_asked_for)
{
	ck_assert(!cfg.balloon.on);
}
END_TEST

START_TEST(option_is_understood)
{
	ck_assert_int_eq(option("0"), 0);
	ck_assert(cfg.balloon.on && cfg.balloon.reporting && cfg.balloon.deflate_on_oom);
	ck_assert_uint_eq(cfg.balloon.size, 0);
	setting_teardown();
	setting_setup();
	ck_assert_int_eq(option("size=100M,reporting=off,deflate-on-oom=off"), 0);
	ck_assert(cfg.balloon.on);
	ck_assert(!cfg.balloon.reporting && !cfg.balloon.deflate_on_oom);
	ck_assert_uint_eq(cfg.balloon.size, 100 * MIB);
}
END_TEST

START_TEST(json_is_understood_and_the_option_replaces_it)
{
	ck_assert_int_eq(
		setting_json("{\"balloon\": {\"size\": \"64M\", \"reporting\": false}}"),
		0);
	ck_assert_uint_eq(cfg.balloon.size, 64 * MIB);
	ck_assert(!cfg.balloon.reporting);
	ck_assert_int_eq(option("32M"), 0);
	ck_assert_uint_eq(cfg.balloon.size, 32 * MIB);
	ck_assert(cfg.balloon.reporting);
}
END_TEST

START_TEST(none_takes_back_what_the_file_said)
{
	ck_assert_int_eq(setting_json("{\"balloon\": {\"size\": 0}}"), 0);
	ck_assert(cfg.balloon.on);
	ck_assert_int_eq(option("none"), 0);
	ck_assert(!cfg.balloon.on);
}
END_TEST

START_TEST(largest_balloon_leaves_16_mib)
{
	ck_assert_int_eq(option("240M"), 0); /* of 256 */
}
END_TEST

static const struct setting_wrong wrong[] = {
	{option, "", "--balloon: the value is empty", "SIZE"},
	{option, "reporting=on", "--balloon: there is no size", "size="},
	{option, "lots", "--balloon: size: \"lots\"", "128M"},
	{option, "-1M", "--balloon: size: \"-1M\"", "128M"},
	{option, "1.5M", "--balloon: size: \"1.5M\"", "whole number"},
	{option, "100", "--balloon: size: \"100\"", "like 1M"},
	{option, "4097", "--balloon: size: \"4097\"", "multiple of 4 KiB"},
	{option, "241M", "balloon: 241 MiB", "256 MiB"},
	{option, "256M", "balloon: 256 MiB", "give less"},
	{option, "1T", "balloon: 1048576 MiB", "give less"},
	{option, "16T", "--balloon: size: \"16T\"", "less"},
	{option, "99999999999T", "--balloon: size: \"99999", "less"},
	{option, "1M,size=2M", "--balloon: size is given twice", "once"},
	{option, "1M,reporting=yes", "--balloon: reporting: \"yes\"", "on nor off"},
	{option, "1M,deflate-on-oom=1", "deflate-on-oom: \"1\"", "on nor off"},
	{option, "1M,deflate", "--balloon: \"deflate\" is not", "deflate-on-oom\"?"},
	{option, "0,reporting=off", "--balloon: size=0,reporting=off", "give a size"},
	{setting_json, "{\"balloon\": {}}", "balloon: there is no size", "size="},
	{setting_json, "{\"balloon\": {\"size\": true}}", "balloon: size: it is",
	 "string"},
	{setting_json, "{\"balloon\": {\"size\": 0, \"reporting\": 1}}",
	 "reporting: it is", "true"},
};

START_TEST(wrong_value_is_told)
{
	setting_is_refused(&wrong[_i]);
}
END_TEST

UNIT_MAIN("setting_balloon", setting_setup, setting_teardown, t)
{
	tcase_add_test(t, none_is_asked_for);
	tcase_add_test(t, option_is_understood);
	tcase_add_test(t, json_is_understood_and_the_option_replaces_it);
	tcase_add_test(t, none_takes_back_what_the_file_said);
	tcase_add_test(t, largest_balloon_leaves_16_mib);
	tcase_add_loop_test(t, wrong_value_is_told, 0, (int)ARRAY_SIZE(wrong));
}
