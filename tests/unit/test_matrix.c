/* SPDX-License-Identifier: Apache-2.0 */
/* matrix: each with each, and a sentence for each mistake */
#include "vmm/test/matrix.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "vmm/core/util.h"
#include "vmm/settings/config_life.h"
#include "vmm/test/test_options.h"

static char path[] = "/tmp/test_matrix.XXXXXX";
static struct config cfg;
static struct job_options job;
static struct test_options options;
static struct job_reader r = {.o = &job, .cfg = &cfg, .ctx = &options};
static struct matrix m;
static struct err e;

static void setup(void)
{
	int fd;

	(void)snprintf(path, sizeof(path), "/tmp/test_matrix.XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(config_init(&cfg, &e), 0);
	job = (struct job_options){0};
	options = (struct test_options){0};
}

static void teardown(void)
{
	unlink(path);
	matrix_free(&m);
	config_fini(&cfg);
}

static int reads(const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	(void)fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
	e = (struct err){0};
	return matrix_read(&m, path, &r, &e);
}

START_TEST(combination_is_lost_or_another)
{
	static const char *const names[] = {
		"kernel=a memory=64M append=",  "kernel=a memory=64M append=x y",
		"kernel=a memory=128M append=", "kernel=a memory=128M append=x y",
		"kernel=b memory=64M append=",  "kernel=b memory=64M append=x y",
		"kernel=b memory=128M append=", "kernel=b memory=128M append=x y"};
	char name[80];

	ck_assert_msg(reads("{\"append\": [\"\", \"x y\"], \"kernel\": [\"a\", \"b\"], "
			    "\"memory\": [\"64M\", \"128M\"]}") == 0,
		      "%s", e.msg);
	ck_assert_uint_eq(m.n, ARRAY_SIZE(names));
	for (unsigned int i = 0; i < m.n; i++) {
		matrix_name(&m, i, name, sizeof(name));
		ck_assert_str_eq(name, names[i]);
		ck_assert_int_eq(matrix_apply(&m, i, &r, &e), 0);
		ck_assert_str_eq(cfg.kernel, i < 4 ? "a" : "b");
		ck_assert_uint_eq(cfg.memory, (i & 2 ? 128 : 64) * MIB);
		ck_assert_str_eq(options.append, i & 1 ? "x y" : "");
	}
}
END_TEST

START_TEST(root_and_processors_are_not_set)
{
	ck_assert_msg(reads("{\"cpus\": [3], \"root\": [\"host\"]}") == 0, "%s", e.msg);
	ck_assert_int_eq(matrix_apply(&m, 0, &r, &e), 0);
	ck_assert_uint_eq(cfg.ncpu, 3);
	ck_assert(job.host);
}
END_TEST

START_TEST(no_matrix_is_none)
{
	char name[8];

	ck_assert_int_eq(matrix_read(&m, NULL, &r, &e), 0);
	ck_assert_uint_eq(m.n, 1);
	ck_assert_int_eq(matrix_apply(&m, 0, &r, &e), 0);
	matrix_name(&m, 0, name, sizeof(name));
	ck_assert_str_eq(name, "");
}
END_TEST

START_TEST(long_name_has_no_bound)
{
	char name[8];

	ck_assert_int_eq(
		reads("{\"kernel\": [\"aaaaaaaaaaaa\"], \"append\": [\"\\u001b\"]}"), 0);
	matrix_name(&m, 0, name, sizeof(name));
	ck_assert_str_eq(name, "kernel=");
}
END_TEST

static const struct {
	const char *text, *says;
} wrong[] = {
	{"{\"kernl\": [\"a\"]}", "there is no \"kernl\"; did you mean kernel"},
	{"{\"x\": [\"a\"]}", "there are kernel, memory, cpus, append and root"},
	{"[1]", "is no object"},
	{"{\"kernel\": \"a\"}", "kernel: is no list, or empty"},
	{"{\"kernel\": []}", "kernel: is no list, or empty"},
	{"{\"kernel\": [\"\"]}", "kernel[0]: is no text"},
	{"{\"kernel\": [\"a\", true]}", "kernel[1]: is no text"},
	{"{\"append\": [1]}", "append[0]: is no text"},
	{"{\"memory\": [\"64M\", \"1Q\"]}", "memory[1]: size: \"1Q\" is not a size"},
	{"{\"cpus\": [0]}", "cpus[0]: \"0\" is not a number of vCPUs"},
	{"{\"cpus\": [1],\n\"cpus\": [2]}", "line 2: duplicate object key"},
	{"{", "line 1"},
};

START_TEST(mistake_is_taken)
{
	ck_assert_int_lt(reads(wrong[_i].text), 0);
	ck_assert(e.usage);
	ck_assert_msg(strstr(e.msg, wrong[_i].says) != NULL, "%s", e.msg);
	ck_assert_msg(strstr(e.msg, path) != NULL, "%s", e.msg);
}
END_TEST

UNIT_MAIN("matrix", setup, teardown, t)
{
	tcase_add_test(t, combination_is_lost_or_another);
	tcase_add_test(t, root_and_processors_are_not_set);
	tcase_add_test(t, no_matrix_is_none);
	tcase_add_test(t, long_name_has_no_bound);
	tcase_add_loop_test(t, mistake_is_taken, 0, ARRAY_SIZE(wrong));
}
