/* SPDX-License-Identifier: Apache-2.0 */
/* test_setting_vsock - --vsock and "vsock": what is understood, and what is said of the rest */
#include <check.h>
#include <string.h>

#include "tests/lib/setting.h"
#include "tests/lib/unit.h"
#include "vmm/core/util.h"

#define P32 "0123456789abcdef0123456789abcdef"

static int option(const char *value)
{
	return setting_option("--vsock", value);
}

START_TEST(none_is_asked_for)
{
	ck_assert_ptr_null(cfg.vsock.path);
}
END_TEST

START_TEST(option_is_understood)
{
	ck_assert_int_eq(option("v.sock"), 0);
	ck_assert_str_eq(cfg.vsock.path, "v.sock");
	ck_assert_uint_eq(cfg.vsock.cid, 3);
	setting_teardown();
	setting_setup();
	ck_assert_int_eq(option("path=a,,b,cid=4294967294"), 0);
	ck_assert_str_eq(cfg.vsock.path, "a,b");
	ck_assert_uint_eq(cfg.vsock.cid, 4294967294);
}
END_TEST

START_TEST(json_is_understood_and_the_option_replaces_it)
{
	ck_assert_int_eq(setting_json("{\"vsock\": {\"path\": \"v\", \"cid\": 42}}"), 0);
	ck_assert_str_eq(cfg.vsock.path, "v");
	ck_assert_uint_eq(cfg.vsock.cid, 42);
	ck_assert_int_eq(option("w"), 0);
	ck_assert_str_eq(cfg.vsock.path, "w");
	ck_assert_uint_eq(cfg.vsock.cid, 3);
}
END_TEST

START_TEST(longest_path_is_taken)
{
	ck_assert_int_eq(option(P32 P32 P32), 0); /* 96 + _4294967295 = 107 of 108 */
}
END_TEST

START_TEST(names_that_no_guest_connects_to_are_taken)
{
	static const char *const fine[] = {
		"web_",   "web_02", "web_00", "web_2.sock", "web-2",          "web_2x",
		"web_-2", "web_+2", "_2",     "/run/_2",    "web_4294967296", "web_2_"};

	for (size_t i = 0; i < ARRAY_SIZE(fine); i++) {
		ck_assert_msg(option(fine[i]) == 0, "%s: %s", fine[i], e.msg);
		ck_assert_str_eq(cfg.vsock.path, fine[i]);
		setting_teardown();
		setting_setup();
	}
}
END_TEST

static const struct setting_wrong wrong[] = {
	{option, "", "--vsock: the value is empty", "PATH"},
	{option, "cid=4", "--vsock: there is no path", "path="},
	{option, "v,cid=2", "--vsock: cid: \"2\"", "3 to 4294967294"},
	{option, "v,cid=0", "--vsock: cid: \"0\"", "3 to 4294967294"},
	{option, "v,cid=4294967295", "--vsock: cid: \"4294967295\"", "3 to"},
	{option, "v,cid=99999999999999999999", "--vsock: cid: \"9999", "3 to"},
	{option, "v,cid=x", "--vsock: cid: \"x\"", "3 to"},
	{option, "v,cid=-3", "--vsock: cid: \"-3\"", "3 to"},
	{option, "v,cid=", "--vsock: cid has no value", "give one"},
	{option, "v,cid=3,cid=4", "--vsock: cid is given twice", "once"},
	{option, "v,port=3", "--vsock: \"port\" is not", "cid=N"},
	{option, P32 P32 P32 "x", "too long for a socket", "at most 96 bytes"},
	/* where the guest of another machine, `--vsock web`, would arrive */
	{option, "web_2", "machine with --vsock web arrives", "port 2; end"},
	{option, "web_0", "--vsock web arrives", "like web_0.sock"},
	{option, "/run/a_b_4294967295,cid=4", "--vsock /run/a_b", "port 4294967295"},
	{setting_json, "{\"vsock\": {\"path\": \"a_17\"}}", "vsock: path: \"a_17\"",
	 "a_17.sock"},
	{setting_json, "{\"vsock\": {}}", "vsock: there is no path", "path="},
	{setting_json, "{\"vsock\": {\"path\": \"v\", \"cid\": \"4\"}}",
	 "vsock: cid: it is a string", "whole number"},
	{setting_json, "{\"vsock\": {\"path\": \"v\", \"cid\": 1}}", "vsock: cid: \"1\"",
	 "3 to"},
	{setting_json, "{\"vsock\": {\"path\": 1}}", "vsock: path: it is a whole number",
	 "string"},
	{setting_json, "{\"vsock\": {\"path\": \"" P32 P32 P32 "x\"}}", "too long",
	 "at most 96 bytes"},
	{setting_json, "{\"vsock\": {\"path\": \"v\", \"sid\": 4}}", "vsock: \"sid\"",
	 "cid"},
};

START_TEST(wrong_value_is_told)
{
	setting_is_refused(&wrong[_i]);
}
END_TEST

UNIT_MAIN("setting_vsock", setting_setup, setting_teardown, t)
{
	tcase_add_test(t, none_is_asked_for);
	tcase_add_test(t, option_is_understood);
	tcase_add_test(t, json_is_understood_and_the_option_replaces_it);
	tcase_add_test(t, longest_path_is_taken);
	tcase_add_test(t, names_that_no_guest_connects_to_are_taken);
	tcase_add_loop_test(t, wrong_value_is_told, 0, (int)ARRAY_SIZE(wrong));
}
