/* SPDX-License-Identifier: Apache-2.0 */
/* configs: half-filled ones are freed, settings that do not fit together are refused */
#include "vmm/settings/config_life.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/unit.h"
#include "vmm/core/util.h"

static struct config cfg;
static struct err e;

static void setup(void)
{
	e = (struct err){0};
	ck_assert_int_eq(config_init(&cfg, &e), 0);
	ck_assert_int_eq(config_string(&cfg.kernel, "k", &e), 0);
	ck_assert_int_eq(config_validate(&cfg, &e), 0);
}

static void teardown(void)
{
	config_fini(&cfg);
	config_fini(&cfg); /* again does no harm */
}

static void expect(const char *says)
{
	ck_assert_int_lt(config_validate(&cfg, &e), 0);
	ck_assert_int_eq(e.usage, 1);
	ck_assert_ptr_nonnull(strstr(e.msg, says));
}

START_TEST(a_console_is_read_by_a_person_or_a_program)
{
	config_console_reader(&cfg, true, true);
	ck_assert_int_eq(cfg.console_reader, READER_TERMINAL);
	config_console_reader(&cfg, true, false); /* microvm >log, typed in a shell */
	ck_assert_int_eq(cfg.console_reader, READER_PLAIN);
	config_console_reader(&cfg, false, true);
	ck_assert_int_eq(cfg.console_reader, READER_PLAIN);
	cfg.console_end.kind = END_FILE;
	config_console_reader(&cfg, true, true);
	ck_assert_int_eq(cfg.console_reader, READER_PLAIN);
	cfg.console_end.kind = END_PTY;
	config_console_reader(&cfg, false, false);
	ck_assert_int_eq(cfg.console_reader, READER_UNKNOWN);
	cfg.console = CONSOLE_NONE;
	cfg.console_end.kind = END_UNSET;
	config_console_reader(&cfg, true, true);
	ck_assert_int_eq(cfg.console_reader, READER_UNKNOWN);
}
END_TEST

START_TEST(kernel_is_missing)
{
	free(cfg.kernel);
	cfg.kernel = NULL;
	expect("--kernel PATH");
}
END_TEST

START_TEST(memory_is_no_multiple_of_its_pages)
{
	cfg.memory = 64 * MIB + 4096;
	ck_assert_int_eq(config_validate(&cfg, &e), 0);
	cfg.hugepages = true;
	expect("2 MiB");
	cfg.memory = 64 * MIB + 1;
	expect("4 KiB");
}
END_TEST

START_TEST(cards_share_what_they_must_not)
{
	cfg.nnet = 2;
	strcpy(cfg.net[0].id, "a");
	strcpy(cfg.net[1].id, "b");
	cfg.net[0].fd = cfg.net[1].fd = 5;
	expect("fd=5 is given twice");
	cfg.net[1].fd = 6;
	ck_assert_int_eq(config_validate(&cfg, &e), 0);
	cfg.net[0].mac[5] = cfg.net[1].mac[5] = 2;
	cfg.net[0].has_mac = true;
	ck_assert_int_eq(config_validate(&cfg, &e), 0);
	cfg.net[1].has_mac = true;
	expect("same mac");
}
END_TEST

START_TEST(slot_that_was_not_counted_leaks)
{
	/* seen by the leak sanitizer */
	ck_assert_int_eq(config_string(&cfg.disk[3].path, "a", &e), 0);
	ck_assert_int_eq(config_string(&cfg.disk[3].serial, "a", &e), 0);
	ck_assert_int_eq(config_string(&cfg.net[3].tap, "a", &e), 0);
	ck_assert_int_eq(config_string(&cfg.initrd[3], "a", &e), 0);
	ck_assert_int_eq(config_string(&cfg.initrd[3], "b", &e), 0);
	ck_assert_str_eq(cfg.initrd[3], "b");
	config_disk_clear(&cfg.disk[3]);
	ck_assert_ptr_null(cfg.disk[3].path);
	config_net_clear(&cfg.net[3]);
	ck_assert_int_eq(cfg.net[3].fd, -1);
}
END_TEST

UNIT_MAIN("config", setup, teardown, t)
{
	tcase_add_test(t, a_console_is_read_by_a_person_or_a_program);
	tcase_add_test(t, kernel_is_missing);
	tcase_add_test(t, memory_is_no_multiple_of_its_pages);
	tcase_add_test(t, cards_share_what_they_must_not);
	tcase_add_test(t, slot_that_was_not_counted_leaks);
}
