/* SPDX-License-Identifier: Apache-2.0 */
/* test_setting_net - --net and "net": limits and namespaces; the rest is test_cli's */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/setting.h"
#include "tests/lib/unit.h"
#include "vmm/core/util.h"

static int option(const char *value)
{
	return setting_option("--net", value);
}

START_TEST(limits_are_understood)
{
	const struct config_net *n = &cfg.net[0];

	ck_assert_int_eq(
		option("tap=t,rx-bps=10M,rx-bps-burst=1M,rx-iops=5,rx-iops-burst=6,"
		       "tx-bps=20M,tx-bps-burst=2M,tx-iops=7,tx-iops-burst=8"),
		0);
	ck_assert_uint_eq(n->rx.bytes, 10 * MIB);
	ck_assert_uint_eq(n->rx.bytes_burst, MIB);
	ck_assert_uint_eq(n->rx.ops, 5);
	ck_assert_uint_eq(n->rx.ops_burst, 6);
	ck_assert_uint_eq(n->tx.bytes, 20 * MIB);
	ck_assert_uint_eq(n->tx.bytes_burst, 2 * MIB);
	ck_assert_uint_eq(n->tx.ops, 7);
	ck_assert_uint_eq(n->tx.ops_burst, 8);
	ck_assert_int_eq(option("user,tx-bps=1M"), 0);
	ck_assert_uint_eq(cfg.net[1].tx.bytes, MIB);
	ck_assert_uint_eq(cfg.net[1].rx.bytes, 0);
}
END_TEST

START_TEST(json_is_understood)
{
	ck_assert_int_eq(setting_json("{\"net\": [{\"tap\": \"t\", \"netns\": \"/n/a\", "
				      "\"rx-bps\": 4096, \"tx-iops\": 9}]}"),
			 0);
	ck_assert_str_eq(cfg.net[0].netns, "/n/a");
	ck_assert_uint_eq(cfg.net[0].rx.bytes, 4096);
	ck_assert_uint_eq(cfg.net[0].tx.ops, 9);
}
END_TEST

START_TEST(one_name_in_two_namespaces_is_two_taps)
{
	ck_assert_int_eq(option("tap=t"), 0);
	ck_assert_int_eq(option("tap=t,netns=/run/netns/a"), 0);
	ck_assert_int_eq(option("tap=t,netns=/run/netns/b"), 0);
}
END_TEST

/* What passt is told is made of numbers, whichever byte stands wherever in the option */
START_TEST(published_ports_are_numbers_for_passt)
{
	static const char good[] = "127.0.0.1:8080:80/udp";

	for (size_t at = 0; at < sizeof(good); at++) {
		for (int c = 1; c < 256; c++) {
			char text[64];
			int n = snprintf(text, sizeof(text), "user,publish=%.*s%c%s",
					 (int)at, good, c, good + at);
			const struct config_publish *p = &cfg.net[0].publish[0];

			ck_assert_int_eq(n, 13 + (int)sizeof(good));
			if (option(text) == 0)
				ck_assert_msg(p->spec[strspn(p->spec, "0123456789.:/")] ==
							      '\0' &&
						      strlen(p->spec) < 30,
					      "%s: %s", text, p->spec);
			setting_teardown();
			setting_setup();
		}
	}
	ck_assert_int_eq(option("user,publish=0.0.0.0:00080:000000081,publish=7:8"), 0);
	ck_assert_str_eq(cfg.net[0].publish[0].spec, "0.0.0.0/80:81");
	ck_assert_str_eq(cfg.net[0].publish[1].spec, "7:8");
}
END_TEST

static const struct setting_wrong wrong[] = {
	{option, "tap=t,netns=", "--net: netns has no value", "give one"},
	{option, "fd=5,netns=/n", "netns is where a tap is", "tap=NAME"},
	{option, "user,netns=/n", "netns is where a tap is", "tap=NAME"},
	{option, "vhost-user=s,netns=/n", "netns is where a tap is", "tap=NAME"},
	{option, "user,publish=80:1,publish=80:2", "port 80 is published already",
	 "another"},
	{option, "user,publish=80:1,publish=127.0.0.1:80:2", "port 80 is published",
	 "another"},
	{option, "tap=t,rx-bps=fast", "rx-bps: \"fast\"", "like 100M"},
	{option, "tap=t,tx-bps=1023", "tx-bps: \"1023\"", "1024"},
	{option, "tap=t,tx-iops=0", "tx-iops: \"0\"", "1 or more"},
	{option, "tap=t,rx-iops=1k", "rx-iops: \"1k\"", "like 500"},
	{option, "tap=t,rx-bps-burst=1M", "rx-bps-burst=", "give rx-bps="},
	{option, "tap=t,tx-bps=1M,tx-iops-burst=5", "tx-iops-burst=", "give tx-iops="},
	{option, "tap=t,rx-iops=1,tx-iops-burst=5", "tx-iops-burst=", "give tx-iops="},
	{option, "tap=t,vhost,tx-bps=1M", "kept by microvm", "vhost"},
	{option, "vhost-user=s,rx-iops=9", "kept by microvm", "vhost-user"},
};

START_TEST(wrong_value_is_told)
{
	setting_is_refused(&wrong[_i]);
}
END_TEST

UNIT_MAIN("setting_net", setting_setup, setting_teardown, t)
{
	tcase_add_test(t, limits_are_understood);
	tcase_add_test(t, json_is_understood);
	tcase_add_test(t, one_name_in_two_namespaces_is_two_taps);
	tcase_add_test(t, published_ports_are_numbers_for_passt);
	tcase_add_loop_test(t, wrong_value_is_told, 0, (int)ARRAY_SIZE(wrong));
}
