/* SPDX-License-Identifier: Apache-2.0 */
/* values as operators write them, and as they should not */
#include "vmm/settings/parse.h"

#include <check.h>
#include <errno.h>
#include <string.h>

#include "tests/lib/unit.h"
#include "vmm/core/util.h"

#define UNTOUCHED UINT64_C(0x5555)

static const struct {
	const char *text;
	int rc;
	uint64_t value;
} sizes[] =
	{
		{"0", 0, 0},
		{"4096", 0, 4096},
		{"1b", 0, 1},
		{"1k", 0, KIB},
		{"1KiB", 0, KIB},
		{"512M", 0, 512 * MIB},
		{"3mib", 0, 3 * MIB},
		{"5G", 0, 5 * GIB},
		{"2TiB", 0, 2048 * GIB},
		{"18446744073709551615", 0, UINT64_MAX},
		{"16777215T", 0, UINT64_C(16777215) << 40},
		{"16777216T", -ERANGE, UNTOUCHED},
		{"18446744073709551616", -ERANGE, UNTOUCHED},
		{"", -EINVAL, UNTOUCHED},
		{"M", -EINVAL, UNTOUCHED},
		{"1MB", -EINVAL, UNTOUCHED},
		{"1 M", -EINVAL, UNTOUCHED},
		{" 1M", -EINVAL, UNTOUCHED},
		{"+1M", -EINVAL, UNTOUCHED},
		{"-1", -EINVAL, UNTOUCHED},
		{"0x10", -EINVAL, UNTOUCHED},
		{"1.5G", -EINVAL, UNTOUCHED},
		{"1MM", -EINVAL, UNTOUCHED},
},
  durations[] = {
	  {"30", 0, UINT64_C(30000000000)},
	  {"7ns", 0, 7},
	  {"7us", 0, 7000},
	  {"500ms", 0, 500000000},
	  {"30s", 0, UINT64_C(30000000000)},
	  {"5m", 0, UINT64_C(300000000000)},
	  {"1h", 0, UINT64_C(3600000000000)},
	  {"5124095h", 0, UINT64_C(5124095) * 3600 * 1000000000},
	  {"5124096h", -ERANGE, UNTOUCHED},
	  {"1d", -EINVAL, UNTOUCHED},
	  {"1m30s", -EINVAL, UNTOUCHED},
	  {"s", -EINVAL, UNTOUCHED},
	  {"", -EINVAL, UNTOUCHED},
};

START_TEST(size_is_read_wrongly)
{
	uint64_t v = UNTOUCHED;

	ck_assert_int_eq(parse_size(sizes[_i].text, &v), sizes[_i].rc);
	ck_assert_uint_eq(v, sizes[_i].value);
}
END_TEST

START_TEST(duration_is_read_wrongly)
{
	uint64_t v = UNTOUCHED;

	ck_assert_int_eq(parse_duration(durations[_i].text, &v), durations[_i].rc);
	ck_assert_uint_eq(v, durations[_i].value);
}
END_TEST

START_TEST(number_past_its_end)
{
	uint64_t v = UNTOUCHED;

	ck_assert_int_eq(parse_uint("255", 255, &v), 0);
	ck_assert_uint_eq(v, 255);
	ck_assert_int_eq(parse_uint("256", 255, &v), -ERANGE);
	ck_assert_int_eq(parse_uint("25 ", 255, &v), -EINVAL);
	ck_assert_int_eq(parse_uint("99999999999999999999", UINT64_MAX, &v), -ERANGE);
	ck_assert_uint_eq(v, 255);
}
END_TEST

static const struct {
	const char *text;
	int rc;
	uint64_t value;
} decimals[] = {
	{"2", 0, 2000},
	{"0.5", 0, 500},
	{"1.25", 0, 1250},
	{"0.001", 0, 1},
	{"007.010", 0, 7010},
	{"64", 0, 64000},
	{"64.001", -ERANGE, UNTOUCHED},
	{"65", -ERANGE, UNTOUCHED},
	{"99999999999999999999", -ERANGE, UNTOUCHED},
	{"1.0001", -EINVAL, UNTOUCHED},
	{"1.", -EINVAL, UNTOUCHED},
	{".5", -EINVAL, UNTOUCHED},
	{"1.5.5", -EINVAL, UNTOUCHED},
	{"1,5", -EINVAL, UNTOUCHED},
	{"-1", -EINVAL, UNTOUCHED},
	{"1.-5", -EINVAL, UNTOUCHED},
	{"1e3", -EINVAL, UNTOUCHED},
	{"", -EINVAL, UNTOUCHED},
};

START_TEST(decimal_is_read_wrongly)
{
	uint64_t v = UNTOUCHED;

	ck_assert_int_eq(parse_milli(decimals[_i].text, 64, &v), decimals[_i].rc);
	ck_assert_uint_eq(v, decimals[_i].value);
}
END_TEST

START_TEST(mac_is_cut_or_bent)
{
	static const char good[] = "0a:1B:2c:3D:4e:5F";
	static const uint8_t want[] = {0x0a, 0x1b, 0x2c, 0x3d, 0x4e, 0x5f};
	uint8_t mac[6] = {0};
	char text[sizeof(good)];

	ck_assert_int_eq(parse_mac(good, mac), 0);
	ck_assert_mem_eq(mac, want, sizeof(want));
	for (size_t i = 0; i < sizeof(good) - 1; i++) {
		memcpy(text, good, sizeof(good));
		text[i] = '-';
		ck_assert_int_eq(parse_mac(text, mac), -EINVAL);
		text[i] = '\0';
		ck_assert_int_eq(parse_mac(text, mac), -EINVAL);
	}
	ck_assert_mem_eq(mac, want, sizeof(want));
}
END_TEST

START_TEST(switch_that_is_neither)
{
	bool on = false;

	ck_assert_int_eq(parse_switch("on", &on), 0);
	ck_assert(on);
	ck_assert_int_eq(parse_switch("yes", &on), -EINVAL);
	ck_assert_int_eq(parse_switch("", &on), -EINVAL);
	ck_assert(on);
	ck_assert_int_eq(parse_switch("off", &on), 0);
	ck_assert(!on);
}
END_TEST

static const char *nearest(const char *given)
{
	static const char *const names[] = {"disk", "dry-run", "memory", "mtu"};
	struct nearest n = {.given = given};

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		nearest_offer(&n, names[i]);
	return n.best;
}

START_TEST(name_is_guessed_wrongly)
{
	ck_assert_str_eq(nearest("disks"), "disk");
	ck_assert_str_eq(nearest("dsk"), "disk");
	ck_assert_str_eq(nearest("dry_run"), "dry-run");
	ck_assert_str_eq(nearest("mem"), "memory");
	ck_assert_str_eq(nearest("memroy"), "memory");
	ck_assert_ptr_null(nearest("gpu-model"));
	ck_assert_ptr_null(nearest(""));
}
END_TEST

UNIT_MAIN("parse", NULL, NULL, t)
{
	tcase_add_loop_test(t, size_is_read_wrongly, 0, ARRAY_SIZE(sizes));
	tcase_add_loop_test(t, duration_is_read_wrongly, 0, ARRAY_SIZE(durations));
	tcase_add_test(t, number_past_its_end);
	tcase_add_loop_test(t, decimal_is_read_wrongly, 0, ARRAY_SIZE(decimals));
	tcase_add_test(t, mac_is_cut_or_bent);
	tcase_add_test(t, switch_that_is_neither);
	tcase_add_test(t, name_is_guessed_wrongly);
}
