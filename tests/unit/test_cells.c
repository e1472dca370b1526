/* SPDX-License-Identifier: Apache-2.0 */
/* cells: what a run's report says, and what many say together */
#include "vmm/test/cells.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "vmm/core/util.h"
#include "vmm/test/artifacts.h"

static struct cell cell[4];
static struct test_options options;
static struct cells c = {.options = &options, .cell = cell, .n = 3, .next = 3};

static void setup(void)
{
	memset(cell, 0, sizeof(cell));
	c.stopped = 0;
}

static void reads(struct cell *k, const char *text)
{
	cell_read(k, text, strlen(text), 7);
}

static const struct {
	const char *text;
	enum verdict verdict;
	const char *line;
} reports[] = {
	{"{\"wall_ns\": 5, \"detail\": \"x\", \"test\": {\"verdict\": \"OOPS\", \"line\": \"a\\u001bb\"}}",
	 VERDICT_OOPS, "a?b"},
	{"{\"detail\": \"PASS\", \"test\": {\"verdict\": \"PASS\", \"line\": \"\"}}",
	 VERDICT_PASS, ""},
	/* it was never built */
	{"{\"detail\": \"ERROR: no kernel\", \"test\": null}", VERDICT_ERROR,
	 "ERROR: no kernel"},
	/* what a guest that has taken over its process may write */
	{"{\"test\": {\"verdict\": \"none\"}}", VERDICT_ERROR, ""},
	{"{\"test\": {\"verdict\": 5, \"line\": []}, \"wall_ns\": \"x\"}", VERDICT_ERROR,
	 ""},
	{"[]", VERDICT_ERROR, ""},
	{"{\"test\": {\"verdict\": \"PA", VERDICT_ERROR,
	 "its process ended with status 7, without a report"},
	{"", VERDICT_ERROR, "its process ended with status 7, without a report"},
};

START_TEST(report_is_believed)
{
	reads(&cell[0], reports[_i].text);
	ck_assert(cell[0].over);
	ck_assert_str_eq(verdict_name(cell[0].verdict),
			 verdict_name(reports[_i].verdict));
	ck_assert_str_eq(cell[0].line, reports[_i].line);
}
END_TEST

static const struct {
	enum verdict is[3];
	int stopped, status;
} many[] = {
	{{VERDICT_PASS, VERDICT_PASS, VERDICT_PASS}, 0, 0},
	{{VERDICT_PASS, VERDICT_SKIP, VERDICT_OOPS}, 0, 73},
	{{VERDICT_PASS, VERDICT_FAIL, VERDICT_OOPS}, 0, 1},
	{{VERDICT_PASS, VERDICT_SKIP, VERDICT_PASS}, 0, 125},
	{{VERDICT_ERROR, VERDICT_PASS, VERDICT_PASS}, 0, 125},
	{{VERDICT_PASS, VERDICT_STOPPED, VERDICT_NONE}, 2, 130},
	{{VERDICT_PASS, VERDICT_STOPPED, VERDICT_NONE}, 15, 143},
};

START_TEST(status_of_all_is_another)
{
	for (int i = 0; i < 3; i++)
		cell[i].verdict = many[_i].is[i];
	c.stopped = many[_i].stopped;
	ck_assert_int_eq(cells_status(&c), many[_i].status);
}
END_TEST

START_TEST(xml_is_broken_by_a_line)
{
	char name[] = "/tmp/test_cells.XXXXXX", text[2048];
	int fd = mkstemp(name);
	struct err e = {0};
	ssize_t n;

	ck_assert_int_ge(fd, 0);
	reads(&cell[0],
	      "{\"wall_ns\": 1500000000, \"test\": {\"verdict\": \"OOPS\", \"line\": \"<a&\\\"]]>\"}}");
	reads(&cell[1], "{\"test\": {\"verdict\": \"SKIP\", \"line\": \"\"}}");
	options.junit = name;
	ck_assert_int_eq(results_junit(&c, results_open(name, &e), &e), 0);
	n = pread(fd, text, sizeof(text) - 1, 0);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	ck_assert_ptr_nonnull(
		strstr(text, "tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"2\""));
	ck_assert_ptr_nonnull(strstr(text, "name=\"run 1\" time=\"1.500\""));
	ck_assert_ptr_nonnull(
		strstr(text, "<failure message=\"OOPS: &lt;a&amp;&quot;]]&gt;\"/>"));
	ck_assert_ptr_nonnull(strstr(text, "<skipped message=\"not run: \"/>"));
	close(fd);
	unlink(name);
	ck_assert_ptr_null(results_open("/nonexistent/x", &e));
	ck_assert_ptr_nonnull(strstr(e.msg, "give a path that can be written"));
}
END_TEST

/* A guest to which the directory is a volume */
START_TEST(links_and_pipes_among_the_artifacts_are_replaced)
{
	static const char *const names[] = {"console.log", "vcpus.json", "report.json"};
	char dir[] = "/tmp/test_cells.XXXXXX", path[64], link[64];
	struct artifacts a = {.console = -1, .vcpus = -1};
	char *words[] = {NULL};
	struct config cfg = {0};
	struct err e = {0};
	struct stat st;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/command", dir);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		ck_assert_int_eq(symlink("victim", path), 0);
	}
	ck_assert_int_eq(artifacts_open(&a, dir, true, 0, words, &cfg, &e), 0);
	artifacts_console(&a, (const uint8_t *)"x\n", 2);
	a.most = 100;
	for (unsigned int i = 0; i < 64; i++) {
		artifacts_console(&a, (const uint8_t *)"\n", 1);
		ck_assert_int_eq(fstat(a.console, &st), 0);
		ck_assert_int_gt(st.st_size, 0);
		ck_assert_int_le(st.st_size, 100);
	}
	artifacts_close(&a);
	(void)snprintf(path, sizeof(path), "%s/victim", dir);
	ck_assert_int_lt(stat(path, &st), 0);
	(void)snprintf(link, sizeof(link), "%s.link", dir);
	ck_assert_int_eq(symlink(dir, link), 0);
	ck_assert_int_eq(artifacts_dir(link, true), -ENOTDIR);
	unlink(link);
	(void)snprintf(path, sizeof(path), "rm -r %s", dir);
	ck_assert_int_eq(system(path), 0);
	free(cfg.report);
}
END_TEST

UNIT_MAIN("cells", setup, NULL, t)
{
	tcase_add_loop_test(t, report_is_believed, 0, ARRAY_SIZE(reports));
	tcase_add_loop_test(t, status_of_all_is_another, 0, ARRAY_SIZE(many));
	tcase_add_test(t, xml_is_broken_by_a_line);
	tcase_add_test(t, links_and_pipes_among_the_artifacts_are_replaced);
}
