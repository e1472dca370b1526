/* SPDX-License-Identifier: Apache-2.0 */
/* shell - a name in a suggested command line is one word to a shell, and it is that name. */
#include "vmm/core/shell.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/util.h"

/* What sh makes of @word: each of its words in brackets */
static const char *shell_reads(const char *word)
{
	static char said[2048];
	char line[1024];
	FILE *sh;

	(void)snprintf(line, sizeof(line), "printf '[%%s]' %s", word);
	sh = popen(line, "r");
	ck_assert_ptr_nonnull(sh);
	said[fread(said, 1, sizeof(said) - 1, sh)] = '\0';
	ck_assert_int_eq(pclose(sh), 0);
	return said;
}

static const char *const names[] = {
	"disk.img", "/a/b-c_d+e.img", "my disk.img", "it's", "'",    "a\"b",
	"$HOME",    "a`id`b",         "a;id",        "*",    "a\\b", "",
	"~",        "a\nb",           "a&b",         "<a>",  "#a",   "a=b",
	"!x",       "{a,b}",          "\xc3\xa9",
};

START_TEST(name_is_read_otherwise)
{
	char want[64];

	(void)snprintf(want, sizeof(want), "[%s]", names[_i]);
	ck_assert_str_eq(shell_reads(SHELL_WORD(names[_i])), want);
	(void)snprintf(want, sizeof(want), "[%s.raw]", names[_i]);
	ck_assert_str_eq(shell_reads(SHELL_SUFFIX(names[_i], ".raw")), want);
}
END_TEST

START_TEST(plain_name_is_quoted)
{
	ck_assert_str_eq(SHELL_WORD("/srv/root-1.img"), "/srv/root-1.img");
	ck_assert_str_eq(SHELL_WORD("my disk"), "'my disk'");
	ck_assert_str_eq(SHELL_SUFFIX("my disk", ".raw"), "'my disk.raw'");
}
END_TEST

START_TEST(name_is_taken_for_an_option)
{
	ck_assert_str_eq(SHELL_WORD("-rf"), "./-rf");
	ck_assert_str_eq(SHELL_WORD("-r f"), "'./-r f'");
}
END_TEST

START_TEST(comma_ends_an_options_value)
{
	ck_assert_str_eq(SHELL_VALUE("overlay=", "a,b"), "overlay=a,,b");
	ck_assert_str_eq(SHELL_VALUE("", "a, b"), "'a,, b'");
}
END_TEST

START_TEST(long_name_leaves_its_room)
{
	char name[2000];

	for (int c = 0; c < 2; c++) {
		memset(name, "'a"[c], sizeof(name) - 1);
		name[0] = ' ';
		name[sizeof(name) - 1] = '\0';
		ck_assert_uint_lt(strlen(SHELL_WORD(name)), sizeof(struct shell_word));
		ck_assert_uint_lt(strlen(SHELL_SUFFIX(name, ".raw")),
				  sizeof(struct shell_word));
	}
	memset(name, ',', sizeof(name) - 1);
	ck_assert_uint_lt(strlen(SHELL_VALUE("overlay=", name)),
			  sizeof(struct shell_word));
	/* the quotes are closed all the same */
	memset(name, '\'', sizeof(name) - 1);
	ck_assert_uint_gt(strlen(shell_reads(SHELL_WORD(name))), 100);
}
END_TEST

START_TEST(program_is_looked_for_elsewhere)
{
	char dir[] = "/tmp/shell.XXXXXX", file[64], found[128];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(file, sizeof(file), "%s/tool", dir);
	ck_assert_int_eq(setenv("PATH", dir, 1), 0);
	ck_assert_int_eq(shell_find("tool", found, sizeof(found)), -ENOENT);
	fclose(fopen(file, "w"));
	ck_assert_int_eq(chmod(file, 0644), 0);
	ck_assert_int_eq(shell_find("tool", found, sizeof(found)), -EACCES);
	ck_assert_int_eq(chmod(file, 0755), 0);
	ck_assert_int_eq(shell_find("tool", found, sizeof(found)), 0);
	ck_assert_str_eq(found, file);
	/* not here, whoever filled this directory */
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert_int_eq(setenv("PATH", ":/nowhere:", 1), 0);
	ck_assert_int_eq(shell_find("tool", found, sizeof(found)), -ENOENT);
	unlink(file);
	rmdir(dir);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("shell");
	TCase *tc = tcase_create("shell");
	SRunner *r;
	int failed;

	tcase_add_loop_test(tc, name_is_read_otherwise, 0, (int)ARRAY_SIZE(names));
	tcase_add_test(tc, plain_name_is_quoted);
	tcase_add_test(tc, name_is_taken_for_an_option);
	tcase_add_test(tc, comma_ends_an_options_value);
	tcase_add_test(tc, long_name_leaves_its_room);
	tcase_add_test(tc, program_is_looked_for_elsewhere);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
