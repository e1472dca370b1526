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
	c.matrix = NULL;
	options = (struct test_options){0};
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

/* A full disk */
START_TEST(verdict_is_lost_with_its_report)
{
	cell_read(&cell[0], "{\"test\": {\"verd", 16, 73);
	ck_assert_int_eq(cell[0].verdict, VERDICT_OOPS);
	ck_assert_str_eq(cell[0].line,
			 "its process ended with status 73, without a report");
	cell_read(&cell[0], "", 0, 0);
	ck_assert_int_eq(cell[0].verdict, VERDICT_PASS);
	cell_read(&cell[0], "", 0, 125);
	ck_assert_int_eq(cell[0].verdict, VERDICT_ERROR);
	cell_read(&cell[0], "", 0, 128 + 9);
	ck_assert_int_eq(cell[0].verdict, VERDICT_ERROR);
}
END_TEST

START_TEST(output_has_no_bound)
{
	char name[] = "/tmp/test_cells.XXXXXX";
	struct stat st;
	int fd = mkstemp(name);

	for (unsigned int i = 0; i < ARRAY_SIZE(cell); i++)
		cell[i].output = -1;
	cell[1].output = fd;
	ck_assert_int_eq(write(fd, "0123456789", 10), 10);
	cells_trim(&c, 10);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(st.st_size, 10);
	ck_assert(!cell[1].trimmed);
	cells_trim(&c, 9);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(st.st_size, 0);
	ck_assert(cell[1].trimmed && !cell[0].trimmed);
	close(fd);
	unlink(name);
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

static const char xml[] =
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
	"  <testsuite name=\"microvm test: run 1\" tests=\"5\" failures=\"3\" errors=\"0\" "
	"skipped=\"1\" time=\"1.500\">\n"
	"    <testcase classname=\"microvm.test\" name=\"run 1\" time=\"1.500\">\n"
	"      <failure message=\"OOPS: &lt;a&amp;&quot;]]&gt;\"/>\n"
	"      <system-out>7 more not listed</system-out>\n"
	"    </testcase>\n"
	"    <testcase classname=\"run 1\" name=\"s.a\"/>\n"
	"    <testcase classname=\"run 1\" name=\"s.b\">\n"
	"      <failure message=\"not ok 2 b&lt;?\"/>\n    </testcase>\n"
	"    <testcase classname=\"run 1\" name=\"c\">\n"
	"      <skipped message=\"ok 3 c # SKIP\"/>\n    </testcase>\n"
	"    <testcase classname=\"run 1\" name=\"\">\n"
	"      <failure message=\"\"/>\n    </testcase>\n"
	"  </testsuite>\n"
	"  <testsuite name=\"microvm test: run 2\" tests=\"1\" failures=\"0\" errors=\"0\" "
	"skipped=\"1\" time=\"0.000\">\n"
	"    <testcase classname=\"microvm.test\" name=\"run 2\" time=\"0.000\">\n"
	"      <skipped message=\"SKIP: \"/>\n    </testcase>\n"
	"  </testsuite>\n"
	"  <testsuite name=\"microvm test: run 3\" tests=\"1\" failures=\"0\" errors=\"0\" "
	"skipped=\"1\" time=\"0.000\">\n"
	"    <testcase classname=\"microvm.test\" name=\"run 3\" time=\"0.000\">\n"
	"      <skipped message=\"not run: \"/>\n    </testcase>\n"
	"  </testsuite>\n"
	"</testsuites>\n";

START_TEST(xml_has_another_result)
{
	char name[] = "/tmp/test_cells.XXXXXX", text[4096];
	int fd = mkstemp(name);
	struct err e = {0};
	ssize_t n;

	ck_assert_int_ge(fd, 0);
	reads(&cell[0],
	      "{\"wall_ns\": 1500000000, \"test\": {\"verdict\": \"OOPS\", \"line\": \"<a&\\\"]]>\", "
	      "\"each_more\": 7, \"each\": [{\"name\": \"s.a\", \"result\": \"ok\"},"
	      "{\"name\": \"s.b\", \"result\": \"failed\", \"line\": \"not ok 2 b<\\u001b\"},"
	      "{\"name\": \"c\", \"result\": \"skipped\", \"line\": \"ok 3 c # SKIP\"}, 5]}}");
	reads(&cell[1], "{\"test\": {\"verdict\": \"SKIP\", \"line\": \"\"}}");
	options.junit = name;
	ck_assert_int_eq(junit_open(&c, &e), 0);
	junit_run(&c, 0);
	junit_run(&c, 1);
	ck_assert_int_eq(junit_end(&c, &e), 0);
	json_decref(cell[0].each);
	n = pread(fd, text, sizeof(text) - 1, 0);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	ck_assert_str_eq(text, xml);
	close(fd);
	unlink(name);
	options.junit = "/nonexistent/x";
	ck_assert_int_lt(junit_open(&c, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.msg, "give a path that can be written"));
	options.junit = "/dev/full";
	ck_assert_int_eq(junit_open(&c, &e), 0);
	ck_assert_int_eq(junit_end(&c, &e), -ENOSPC);
}
END_TEST

/* What the matrix has in a name is no directive of TAP's */
START_TEST(tap_name_is_a_directive)
{
	char name[] = "/tmp/test_cells.XXXXXX", text[256];
	const char *dims = "{\"append\": [\"a # SKIP b\\\\c\"]}";
	struct matrix m = {0};
	struct config cfg = {0};
	struct job_options o = {0};
	struct job_reader r = {.o = &o, .cfg = &cfg, .ctx = &options};
	int fd = mkstemp(name), out = dup(STDOUT_FILENO);
	struct err e = {0};
	ssize_t n;

	ck_assert_int_eq(write(fd, dims, strlen(dims)), (int)strlen(dims));
	ck_assert_int_eq(matrix_read(&m, name, &r, &e), 0);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	c.matrix = &m;
	options.tap = true;
	cell[0] = (struct cell){.over = true, .verdict = VERDICT_PASS};
	(void)fflush(stdout);
	ck_assert_int_ge(dup2(fd, STDOUT_FILENO), 0);
	(void)lseek(fd, 0, SEEK_SET);
	results_tap(&c);
	ck_assert_int_ge(dup2(out, STDOUT_FILENO), 0);
	n = pread(fd, text, sizeof(text) - 1, 0);
	text[MAX(n, 0)] = '\0';
	ck_assert_str_eq(text, "TAP version 13\n1..3\n"
			       "ok 1 - run 1: append=a \\# SKIP b\\\\c\n");
	matrix_free(&m);
	close(out);
	close(fd);
	unlink(name);
}
END_TEST

/* A guest to which the directory is a volume */
START_TEST(links_and_pipes_among_the_artifacts_are_replaced)
{
	static const char *const names[] = {"console.log", "vcpus.json", "cpus.txt",
					    "report.json"};
	char dir[] = "/tmp/test_cells.XXXXXX", path[64], link[64];
	struct artifacts a = {.console = -1, .vcpus = -1, .cpus = -1};
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
	tcase_add_test(t, verdict_is_lost_with_its_report);
	tcase_add_test(t, output_has_no_bound);
	tcase_add_loop_test(t, status_of_all_is_another, 0, ARRAY_SIZE(many));
	tcase_add_test(t, xml_has_another_result);
	tcase_add_test(t, tap_name_is_a_directive);
	tcase_add_test(t, links_and_pipes_among_the_artifacts_are_replaced);
}
