/* SPDX-License-Identifier: Apache-2.0 */
/* the words after `microvm run`: what they mean, and the sentence for each wrong one */
#include "vmm/job/job_options.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "vmm/core/util.h"
#include "vmm/settings/config_life.h"

#define WORDS_MAX 32

static struct job_options o;
static struct config cfg;
static struct err e;
static char copy[1024], *words[WORDS_MAX];

static void setup(void)
{
	ck_assert_int_eq(config_init(&cfg, &e), 0);
}

static void teardown(void)
{
	job_options_fini(&o);
	config_fini(&cfg);
}

/* `run @line`; its words are parted by single spaces */
static int reads(const char *line)
{
	char *rest = copy, *word;
	int n = 0;

	(void)snprintf(copy, sizeof(copy), "run %s", line);
	while ((word = strsep(&rest, " ")) && n < WORDS_MAX - 1)
		words[n++] = word;
	words[n] = NULL;
	e = (struct err){0};
	return job_options_read(&o, &cfg, NULL, n, words, &e);
}

static void good(const char *line)
{
	ck_assert_msg(reads(line) == 0, "%s: %s", line, e.msg);
}

START_TEST(defaults_are_others)
{
	good("/");
	ck_assert_str_eq(o.root, "/");
	ck_assert_int_eq(o.argc, 0);
	ck_assert_uint_eq(cfg.memory, 512 * MIB);
	ck_assert_uint_eq(cfg.ncpu, 1);
	ck_assert_int_eq(cfg.jail, MICROVM_JAIL == JAIL_OFF ? JAIL_OFF : JAIL_STRICT);
	ck_assert(!o.terminal && !o.quiet && !o.net);
}
END_TEST

/* docker's forms of one option */
START_TEST(form_is_not_understood)
{
	static const char *const forms[] = {"-m 1G /", "-m1G /", "-m=1G /",
					    "--memory 1G /", "--memory=1G /"};

	good(forms[_i]);
	ck_assert_uint_eq(cfg.memory, GIB);
	ck_assert_str_eq(o.root, "/");
}
END_TEST

START_TEST(switches_in_one_word)
{
	good("-itw /x -- /");
	ck_assert(o.terminal);
	ck_assert_str_eq(o.workdir, "/x");
	ck_assert_str_eq(o.root, "/");
}
END_TEST

/* Options end at ROOT: the rest is the job's, whatever it looks like */
START_TEST(words_of_the_command_are_taken)
{
	static const char *const lines[] = {"/ -- ls -m --help", "/ ls -m --help",
					    "-- / -- ls -m --help"};

	good(lines[_i]);
	ck_assert_int_eq(o.argc, 3);
	ck_assert_str_eq(o.argv[0], "ls");
	ck_assert_str_eq(o.argv[2], "--help");
	ck_assert(!o.help);
}
END_TEST

START_TEST(lists_are_kept_in_order)
{
	good("-e A=1 --env B=x=y -e A=2 --tmpfs /a --tmpfs /b:size=1m -v /:/h:ro -v /tmp:/t /");
	ck_assert_uint_eq(o.env.n, 3);
	ck_assert_str_eq(o.env.word[1], "B=x=y");
	ck_assert_str_eq(o.env.word[2], "A=2");
	ck_assert_uint_eq(o.tmpfs.n, 2);
	ck_assert_str_eq(o.tmpfs.word[1], "/b:size=1m");
	ck_assert_uint_eq(o.nvolume, 2);
	ck_assert_str_eq(o.volume[0].src, "/");
	ck_assert_str_eq(o.volume[0].dst, "/h");
	ck_assert(o.volume[0].readonly && !o.volume[1].readonly);
}
END_TEST

START_TEST(variable_of_ours_is_taken_by_name)
{
	ck_assert_int_eq(setenv("JOB_TEST", "it", 1), 0);
	ck_assert_int_eq(unsetenv("JOB_NONE"), 0);
	good("-e JOB_TEST -e JOB_NONE /");
	ck_assert_uint_eq(o.env.n, 1);
	ck_assert_str_eq(o.env.word[0], "JOB_TEST=it");
}
END_TEST

START_TEST(copies_are_parted_elsewhere)
{
	good("--scratch 10G --copy-in a:b:/c --copy-in ./x:/ --copy-out /r:./a:b "
	     "--copy-out-limit 20G /");
	ck_assert_uint_eq(o.scratch, 10 * GIB);
	ck_assert_uint_eq(o.out_most, 20 * GIB);
	ck_assert_uint_eq(o.in.n, 2);
	ck_assert_str_eq(o.in.copy[0].src, "a:b");
	ck_assert_str_eq(o.in.copy[0].dst, "/c");
	ck_assert_str_eq(o.in.copy[1].dst, "/");
	ck_assert_str_eq(o.out.copy[0].src, "/r");
	ck_assert_str_eq(o.out.copy[0].dst, "./a:b");
	job_options_fini(&o);
	o = (struct job_options){0};
	for (unsigned int i = 0; i < JOB_COPIES_MAX; i++)
		ck_assert_int_eq(job_set_copy_in(&o, "a:/b", &e), 0);
	ck_assert_int_lt(job_set_copy_in(&o, "a:/b", &e), 0);
	ck_assert_ptr_nonnull(strstr(e.msg, "one too many"));
}
END_TEST

START_TEST(limits_are_normal)
{
	good("--ulimit nofile=100 --ulimit core=0:-1 --ulimit stack=unlimited /");
	ck_assert_str_eq(o.ulimit.word[0], "nofile=100:100");
	ck_assert_str_eq(o.ulimit.word[1], "core=0:unlimited");
	ck_assert_str_eq(o.ulimit.word[2], "stack=unlimited:unlimited");
}
END_TEST

/* A line, and what its sentence has */
static const struct {
	const char *line, *says;
} wrong[] = {
	{"", "no ROOT: give the directory, tar or image"},
	{"-m 1G", "no ROOT"},
	{"--memroy 1G /", "unknown option --memroy; did you mean --memory?"},
	{"-x /", "unknown option -x"},
	{"/ --timeout 3 true", "--timeout is no command; options come before ROOT"},
	{"--disk x /", "unknown option --disk"},
	{"--memory", "--memory has no value; give SIZE"},
	{"-m", "-m has no value; give SIZE"},
	{"--rm=yes /", "--rm takes no value"},
	{"-m 1G -m 2G /", "--memory is given twice"},
	{"-m much /", "--memory: size: \"much\" is not a size"},
	{"--timeout 0 /", "--timeout: \"0\" would end the machine at once"},
	{"--jail maybe /", "--jail: "},
	{"-w here /", "--workdir: \"here\" is no directory of the job"},
	{"-u a/b /", "--user: \"a/b\" is no user"},
	{"-u :5 /", "--user: \":5\" is no user"},
	{"-h a_b /", "--hostname: \"a_b\" is no host name"},
	{"--net tap /", "--net: \"tap\" is no network"},
	{"-p 80:80 /", "--publish needs a network; give --net user"},
	{"-e =x /", "--env: \"=x\" names no variable"},
	{"--env-file /nonexistent /",
	 "--env-file: /nonexistent: No such file or directory; check the path"},
	{"--scratch much /", "--scratch: \"much\" is no size for it; give 1M to 16T"},
	{"--scratch 1K /", "\"1K\" is no size for it"},
	{"--copy-out-limit 0 /", "--copy-out-limit: \"0\" is no size for it; give 1M"},
	{"--scratch 17T /", "\"17T\" is no size for it"},
	{"--scratch 1G --scratch 1G /", "--scratch is given twice"},
	{"--copy-in x /", "--copy-in: \"x\" is not SRC:DST; give both"},
	{"--copy-in :/x /", "\":/x\" is not SRC:DST"},
	{"--copy-in x: /", "\"x:\" is not SRC:DST"},
	{"--copy-in x:y /", "--copy-in: \"y\" is no place in the job's root"},
	{"--copy-in x:/a/../b /", "has a \"..\" in it"},
	{"--copy-out x:y /", "--copy-out: \"x\" is no place in the job's root"},
	{"--copy-out /:y /", "\"/\" is no place in the job's root"},
	{"--copy-out /a/..:y /", "has a \"..\" in it"},
	{"--ulimit nofile /", "--ulimit: \"nofile\" names no limit"},
	{"--ulimit files=1 /", "names no limit; give NAME=SOFT[:HARD]"},
	{"--ulimit nofile=x /", "\"nofile=x\" is no limit"},
	{"--ulimit nofile=5:4 /", "is above the second"},
	{"--ulimit nofile=-1:4 /", "is above the second"},
	{"-v /tmp /", "--volume: \"/tmp\" has no place for it; give SRC:DST"},
	{"-v :/x /", "has no place for it"},
	{"-v /tmp:x /", "\"x\" is no place in the job's root"},
	{"-v /tmp:/ /", "\"/\" is no place in the job's root"},
	{"-v /tmp:/a/../b /", "has a \"..\" in it"},
	{"-v /tmp:/x:rx /", "\"rx\" is neither ro nor rw"},
	{"-v /nonexistent:/x /", "/nonexistent: No such file or directory"},
	{"-v /etc/passwd:/x /", "/etc/passwd is no directory"},
	{"-v /tmp:/x -v /etc:/x /", "two have the place /x"},
	{"-v /:/1 -v /:/2 -v /:/3 -v /:/4 -v /:/5 -v /:/6 -v /:/7 -v /:/8 /",
	 "one too many; a job has at most 7 volumes"},
	{"--tmpfs x /", "--tmpfs: \"x\" is no place in the job's root"},
};

START_TEST(wrong_word_has_no_sentence)
{
	ck_assert_int_lt(reads(wrong[_i].line), 0);
	ck_assert_msg(strstr(e.msg, wrong[_i].says) != NULL, "%s: %s", wrong[_i].line,
		      e.msg);
}
END_TEST

static char env_name[] = "/tmp/test_job_options.XXXXXX";

static int env_file(const char *text, size_t n)
{
	char name[sizeof(env_name)];
	int fd, rc;

	(void)strcpy(name, env_name);
	fd = mkstemp(name);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, n), (ssize_t)n);
	close(fd);
	o = (struct job_options){0};
	e = (struct err){0};
	rc = job_set_env_file(&o, name, &e);
	(void)unlink(name);
	return rc;
}

START_TEST(env_file_is_read_otherwise)
{
	static const char text[] = "# words\n\nA=1\r\n  B=two words # kept\nJOB_NONE\nC=";

	ck_assert_int_eq(unsetenv("JOB_NONE"), 0);
	ck_assert_int_eq(env_file(text, sizeof(text) - 1), 0);
	ck_assert_uint_eq(o.env.n, 3);
	ck_assert_str_eq(o.env.word[0], "A=1");
	ck_assert_str_eq(o.env.word[1], "B=two words # kept");
	ck_assert_str_eq(o.env.word[2], "C=");
}
END_TEST

START_TEST(wrong_line_of_an_env_file_is_not_found)
{
	static const char *const texts[] = {"A=1\ntwo words\n", "A=1\n=2\n",
					    "A=1\nB=\0x\n"};
	static const size_t lens[] = {14, 7, 9};

	ck_assert_int_lt(env_file(texts[_i], lens[_i]), 0);
	ck_assert_msg(strstr(e.msg, ", line 2: ") != NULL, "%s", e.msg);
}
END_TEST

START_TEST(help_does_not_fit)
{
	char *text = NULL;
	unsigned int lines = 0;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(f);
	job_options_help(f);
	(void)fclose(f);
	for (char *p = text, *end; (end = strchr(p, '\n')); p = end + 1, lines++)
		ck_assert_msg(end - p <= 80, "too long: %.100s", p);
	ck_assert_uint_le(lines, 36);
	for (unsigned int i = 0; job_option_name(i); i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), " --%s ", job_option_name(i));
		ck_assert_msg(strstr(text, name) != NULL, "%s", name);
	}
	free(text);
	good("--help");
	ck_assert(o.help);
}
END_TEST

UNIT_MAIN("job_options", setup, teardown, t)
{
	tcase_add_test(t, defaults_are_others);
	tcase_add_loop_test(t, form_is_not_understood, 0, 5);
	tcase_add_test(t, switches_in_one_word);
	tcase_add_loop_test(t, words_of_the_command_are_taken, 0, 3);
	tcase_add_test(t, lists_are_kept_in_order);
	tcase_add_test(t, variable_of_ours_is_taken_by_name);
	tcase_add_test(t, copies_are_parted_elsewhere);
	tcase_add_test(t, limits_are_normal);
	tcase_add_loop_test(t, wrong_word_has_no_sentence, 0, (int)ARRAY_SIZE(wrong));
	tcase_add_test(t, env_file_is_read_otherwise);
	tcase_add_loop_test(t, wrong_line_of_an_env_file_is_not_found, 0, 3);
	tcase_add_test(t, help_does_not_fit);
}
