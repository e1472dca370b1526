/* SPDX-License-Identifier: Apache-2.0 */
/* config files: the manual's example, each wrong file with its sentence, odd bytes */
#include "vmm/settings/config_json.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "vmm/settings/config_life.h"
#include "vmm/core/util.h"
#include "vmm/settings/setting.h"

static struct config cfg;
static struct err e;

static void setup(void)
{
	e = (struct err){0};
	ck_assert_int_eq(config_init(&cfg, &e), 0);
}

static void teardown(void)
{
	config_fini(&cfg);
}

static int parse(const char *text)
{
	return config_json_parse(&cfg, text, strlen(text), "vm.json", &e);
}

static const struct {
	const char *text, *says, *also;
} wrong[] = {
	/* not JSON */
	{"", "vm.json, line 1, column 0: ", ""},
	{"{\"cpus\": 2,\n}", "vm.json, line 2, column 1: ", "string"},
	{"{\"cpus\": 2", "vm.json, line 1, column", "'}'"},
	{"{\"cpus\": 2} x", "vm.json, line 1, column", "end of file"},
	{"{\"cpus\": 2, \"cpus\": 3}", "vm.json, line 1, column", "duplicate"},
	{"{\"disk\": [{\"path\": \"a\", \"path\": \"b\"}]}", "vm.json, line 1",
	 "duplicate"},
	{"{\"name\": \"\\u0000\"}", "vm.json, line 1", "NUL"},
	{"{\"name\": \"\xff\"}", "vm.json, line 1", "0xff"},
	{"{\"cpus\": 99999999999999999999}", "vm.json, line 1", "integer"},
	/* not an object */
	{"[]", "vm.json: it is a list", "{ and }"},
	/* unknown keys */
	{"{\"kernal\": \"k\"}", "vm.json: \"kernal\" is not a setting", "\"kernel\""},
	{"{\"log_level\": \"info\"}", "\"log_level\"", "\"log-level\""},
	{"{\"--cpus\": 2}", "\"--cpus\"", "\"cpus\""},
	{"{\"drives\": []}", "vm.json: \"drives\" is not a setting",
	 "here it is \"disk\""},
	{"{\"vcpu_count\": 2}", "vm.json: \"vcpu_count\" is not", "\"cpus\""},
	{"{\"nographic\": true}", "vm.json: \"nographic\" is not a setting", "--help"},
	{"{\"gpu\": 2}", "vm.json: \"gpu\" is not a setting", "--help"},
	{"{\"zzzzzz\": 2}", "vm.json: \"zzzzzz\" is not a setting", "--help"},
	{"{\"config\": \"x\"}", "\"config\" is for the command line only", "out"},
	{"{\"dry-run\": true}", "\"dry-run\" is for the command line only", "out"},
	{"{\"disk\": [{\"path\": \"a\"}, {\"pth\": \"b\"}]}", "disk[1]: \"pth\"", "path"},
	{"{\"memory\": {\"sise\": \"1G\"}}", "memory: \"sise\"", "size"},
	/* wrong types */
	{"{\"kernel\": 5}", "kernel: it is a whole number", "make it a string"},
	{"{\"kernel\": null}", "kernel: it is null", "make it a string"},
	{"{\"kernel\": [\"k\"]}", "kernel: it is a list", "make it a string"},
	{"{\"cpus\": \"2\"}", "cpus: it is a string", "make it a whole number"},
	{"{\"cpus\": 2.0}", "cpus: it is a number with a fraction", "whole number"},
	{"{\"cpus\": true}", "cpus: it is true or false", "whole number"},
	{"{\"acpi\": \"on\"}", "acpi: it is a string", "true or false"},
	{"{\"initrd\": \"a\"}", "initrd: it is a string", "a list"},
	{"{\"initrd\": [\"a\", 1]}", "initrd[1]: it is a whole number", "a string"},
	{"{\"disk\": {\"path\": \"a\"}}", "disk: it is an object", "a list"},
	{"{\"disk\": [1]}", "disk[0]: path: it is a whole number", "a string"},
	{"{\"disk\": [[]]}", "disk[0]: path: it is a list", "a string"},
	{"{\"disk\": [{\"path\": \"a\", \"readonly\": \"on\"}]}",
	 "readonly: it is a string", "true or false"},
	{"{\"net\": \"none\"}", "net: it is a string", "a list"},
	{"{\"net\": [\"none\"]}", "net[0]: it is a string", "an object"},
	{"{\"net\": [{\"tap\": \"a\", \"mtu\": \"1500\"}]}",
	 "net[0]: mtu: it is a string", "whole number"},
	{"{\"memory\": true}", "memory: size: it is true or false",
	 "a string with a unit"},
	/* wrong values: the command line's sentences */
	{"{\"kernel\": \"\"}", "kernel: the value is empty", "give one"},
	{"{\"cpus\": 0}", "cpus: \"0\"", "give 1 to"},
	{"{\"cpus\": -2}", "cpus: \"-2\"", "give 1 to"},
	{"{\"memory\": \"lots\"}", "memory: size: \"lots\"", "512M"},
	{"{\"memory\": 512}", "memory: size: \"512\" is 512 bytes", "512M"},
	{"{\"memory\": {}}", "memory: there is no size", "size=512M"},
	{"{\"disk\": [{}]}", "disk[0]: there is no path", "path="},
	{"{\"disk\": [{\"path\": \"\"}]}", "disk[0]: path has no value", "give one"},
	{"{\"disk\": [{\"path\": \"a\", \"ro\": true, \"readonly\": true}]}",
	 "readonly is given twice", "once"},
	{"{\"net\": [{}]}", "net[0]: there is no network", "fd="},
	{"{\"net\": [{\"tap\": \"a\", \"fd\": 3}]}", "net[0]: tap \"a\" and fd 3",
	 "one of"},
	{"{\"net\": [{\"tap\": \"a\", \"mac\": \"x\"}]}", "net[0]: mac: \"x\"",
	 "52:54:00"},
	{"{\"timeout\": \"soon\"}", "timeout: \"soon\"", "30s"},
};

START_TEST(wrong_file_gets_another_sentence)
{
	ck_assert_msg(parse(wrong[_i].text) < 0, "%s: accepted", wrong[_i].text);
	ck_assert_int_eq(e.usage, 1);
	ck_assert_msg(strstr(e.msg, wrong[_i].says), "%s: %s", wrong[_i].text, e.msg);
	ck_assert_msg(strstr(e.msg, wrong[_i].also), "%s: %s", wrong[_i].text, e.msg);
}
END_TEST

/* The JSON block of docs/config.md, in @page */
static char *manual_example(char *page, size_t len)
{
	FILE *f = fopen(SOURCE_ROOT "/docs/config.md", "r");
	char *start, *end;

	ck_assert_ptr_nonnull(f);
	page[fread(page, 1, len - 1, f)] = '\0';
	(void)fclose(f);
	start = strstr(page, "```json\n");
	ck_assert_ptr_nonnull(start);
	start += strlen("```json\n");
	end = strstr(start, "```");
	ck_assert_ptr_nonnull(end);
	*end = '\0';
	return start;
}

START_TEST(manual_example_is_refused)
{
	char page[16384];

	ck_assert_msg(parse(manual_example(page, sizeof(page))) == 0, "%s", e.msg);
	ck_assert_str_eq(cfg.kernel, "vmlinuz");
	ck_assert_uint_eq(cfg.ninitrd, 2);
	ck_assert_str_eq(cfg.append, "quiet loglevel=3");
	ck_assert_uint_eq(cfg.ndisk, 2);
	ck_assert_str_eq(cfg.disk[0].serial, "ROOT");
	ck_assert(cfg.disk[0].direct && !cfg.disk[0].readonly);
	ck_assert_str_eq(cfg.disk[1].path, "data,2024.img");
	ck_assert(cfg.disk[1].readonly);
	ck_assert_uint_eq(cfg.nnet, 2);
	ck_assert_uint_eq(cfg.net[0].mtu, 1500);
	ck_assert_int_eq(cfg.net[1].fd, 7);
	ck_assert_uint_eq(cfg.ncpu, 2);
	ck_assert_uint_eq(cfg.memory, GIB);
	ck_assert_str_eq(cfg.name, "web-1");
	ck_assert_uint_eq(cfg.timeout_ns, UINT64_C(30000000000));
	ck_assert_uint_eq(cfg.stop_timeout_ns, UINT64_C(20000000000));
	ck_assert_int_eq(cfg.log_level, LOG_INFO);
	ck_assert_int_eq(config_validate(&cfg, &e), 0);
}
END_TEST

START_TEST(manual_omits_a_setting)
{
	char page[16384], row[64];
	const char *table;

	(void)manual_example(page, sizeof(page));
	table = page + strlen(page) + 1; /* what follows the example */
	for (unsigned int i = 0; i < setting_count; i++) {
		const struct setting *s = &setting_table[i];

		if (s->role != ROLE_MACHINE)
			continue;
		(void)snprintf(row, sizeof(row), "\n| `%s` |", s->name);
		ck_assert_msg(strstr(table, row), "no row%s", row);
		for (unsigned int j = 0; s->parts && j < s->parts->n; j++) {
			(void)snprintf(row, sizeof(row), "\n| `%s%s.%s` |", s->name,
				       s->repeats ? "[]" : "", s->parts->part[j].name);
			ck_assert_msg(strstr(table, row), "no row%s", row);
		}
	}
}
END_TEST

START_TEST(short_forms)
{
	ck_assert_int_eq(
		parse("{\"disk\": [\"a,ro\"], \"memory\": 33554432, \"timeout\": 2, "
		      "\"net\": []}"),
		0);
	ck_assert_str_eq(cfg.disk[0].path, "a,ro"); /* nothing is taken apart */
	ck_assert(!cfg.disk[0].readonly);
	ck_assert_uint_eq(cfg.memory, 32 * MIB);
	ck_assert_uint_eq(cfg.timeout_ns, UINT64_C(2000000000));
	ck_assert_uint_eq(cfg.nnet, 0);
}
END_TEST

START_TEST(nested_too_deep)
{
	char text[8192];

	memset(text, '[', sizeof(text));
	ck_assert_int_lt(config_json_parse(&cfg, text, sizeof(text), "vm.json", &e), 0);
	ck_assert_ptr_nonnull(strstr(e.msg, "vm.json, line 1"));
}
END_TEST

START_TEST(manual_example_is_cut_or_bent)
{
	char page[16384], text[8192];
	const char *example = manual_example(page, sizeof(page));
	size_t len = strlen(example);

	ck_assert_uint_lt(len, sizeof(text));
	for (size_t i = 0; i + 3 < len; i++) {
		ck_assert_int_lt(config_json_parse(&cfg, example, i, "vm.json", &e), 0);
		memcpy(text, example, len);
		text[i] ^= 0x11; /* right or wrong, it comes to an end */
		(void)config_json_parse(&cfg, text, len, "vm.json", &e);
		teardown();
		setup();
	}
}
END_TEST

START_TEST(file_is_too_large)
{
	char path[] = "/tmp/test_config_json.XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_eq(ftruncate(fd, CONFIG_JSON_MAX + 1), 0);
	ck_assert_int_lt(config_json_load(&cfg, path, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.msg, "larger than 1 MiB"));
	ck_assert_int_eq(e.usage, 1);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(close(fd), 0);
}
END_TEST

UNIT_MAIN("config_json", setup, teardown, t)
{
	tcase_add_loop_test(t, wrong_file_gets_another_sentence, 0, ARRAY_SIZE(wrong));
	tcase_add_test(t, manual_example_is_refused);
	tcase_add_test(t, manual_omits_a_setting);
	tcase_add_test(t, short_forms);
	tcase_add_test(t, nested_too_deep);
	tcase_add_test(t, manual_example_is_cut_or_bent);
	tcase_add_test(t, file_is_too_large);
}
