/* SPDX-License-Identifier: Apache-2.0 */
/* test_image_words - which words name an image, what is told of one, and what the job makes of it */
#include "vmm/job/job_image.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "vmm/core/util.h"

static char dir[] = "/tmp/test_image_words.XXXXXX";
static struct reference r;
static struct err e;

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert_int_eq(mkdir("here", 0700), 0);
	ck_assert_int_eq(mkdir("a:b", 0700), 0);
}

static void teardown(void)
{
	(void)rmdir("here");
	(void)rmdir("a:b");
	ck_assert_int_eq(chdir("/"), 0);
	(void)rmdir(dir);
}

static const struct {
	const char *word;
	int rc;
	enum reference_kind kind;
	const char *path, *tag;
} words[] = {
	{"oci:here", 0, REFERENCE_LOCAL, "here", NULL},
	{"oci:here:v1", 0, REFERENCE_LOCAL, "here", "v1"},
	{"oci:a:b", 0, REFERENCE_LOCAL, "a:b", NULL},
	{"oci:a:b:v1", 0, REFERENCE_LOCAL, "a:b", "v1"},
	{"oci:/x:y/z", 0, REFERENCE_LOCAL, "/x:y/z", NULL},
	{"docker-archive:-", 0, REFERENCE_LOCAL, "-", NULL},
	{"oci-archive:-:v1", 0, REFERENCE_LOCAL, "-", "v1"},
	{"oci:", -EINVAL, REFERENCE_NONE, NULL, NULL},
	{"docker://alpine", 0, REFERENCE_REGISTRY, "alpine", NULL},
	{"docker://", -EINVAL, REFERENCE_NONE, NULL, NULL},
	{"alpine:3.20", 0, REFERENCE_REGISTRY, "alpine:3.20", NULL},
	{"localhost:5000/a/b:v1_2", 0, REFERENCE_REGISTRY, "localhost:5000/a/b:v1_2",
	 NULL},
	{"ghcr.io/a/b@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	 0, REFERENCE_REGISTRY, NULL, NULL},
	{"a/b@sha256:01", 0, REFERENCE_NONE, NULL, NULL},
	{"a:b", -EINVAL, REFERENCE_NONE, NULL, NULL},
	{"./a:b", 0, REFERENCE_NONE, NULL, NULL},
	{"/x/a:b", 0, REFERENCE_NONE, NULL, NULL},
	{"here", 0, REFERENCE_NONE, NULL, NULL},
	{"alpine", 0, REFERENCE_NONE, NULL, NULL},
	{"-", 0, REFERENCE_NONE, NULL, NULL},
	{"a:", 0, REFERENCE_NONE, NULL, NULL},
	{"a:b:c", 0, REFERENCE_NONE, NULL, NULL},
	{"a b:c", 0, REFERENCE_NONE, NULL, NULL},
	{"a/:c", 0, REFERENCE_NONE, NULL, NULL},
	{"Alpine:3", 0, REFERENCE_NONE, NULL, NULL},
};

START_TEST(a_word_is_an_image_or_not)
{
	ck_assert_msg(reference_read(&r, words[_i].word, &e) == words[_i].rc, "%s",
		      words[_i].word);
	if (words[_i].rc == 0) {
		ck_assert_msg(r.kind == words[_i].kind, "%s: %d", words[_i].word, r.kind);
		if (words[_i].path)
			ck_assert_str_eq(r.path, words[_i].path);
		ck_assert_pstr_eq(r.tag, words[_i].tag);
	} else {
		ck_assert_int_eq(e.usage, 1);
	}
	reference_free(&r);
}
END_TEST

START_TEST(digests_are_known_ones)
{
	static const char abc[] =
		"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410"
		"ff61f20015ad";
	struct digest_sum s;
	struct digest d, again;
	char text[DIGEST_TEXT];

	digest_begin(&s);
	digest_add(&s, "ab", 2);
	digest_add(&s, "c", 1);
	digest_end(&s, &d);
	digest_text(&d, text);
	ck_assert_str_eq(text, abc);
	ck_assert(digest_parse(abc, &again) && digest_same(&d, &again));
	text[10] = 'G';
	ck_assert(!digest_parse(text, &again));
	ck_assert(!digest_parse("sha512:00", &again));
	ck_assert(!digest_parse("", &again));
}
END_TEST

START_TEST(text_that_is_none)
{
	char whole[] = "a=1\0b=2\0a=3", cut[] = {'a', '=', '1'}, odd[] = "a=1\0b";
	struct image_text t = {whole, sizeof(whole)};

	ck_assert(image_text_ok(&t));
	ck_assert_str_eq(image_text_next(&t, "a", image_text_next(&t, "a", NULL)), "3");
	ck_assert_ptr_null(image_text_next(&t, "c", NULL));
	ck_assert_uint_eq(image_text_number(&t, "b"), 2);
	ck_assert_uint_eq(image_text_number(&t, "c"), 0);
	t = (struct image_text){cut, sizeof(cut)};
	ck_assert(!image_text_ok(&t));
	t = (struct image_text){odd, sizeof(odd)};
	ck_assert(!image_text_ok(&t));
	t = (struct image_text){NULL, 0};
	ck_assert(!image_text_ok(&t));
}
END_TEST

static const struct {
	const char *name;
	int number;
} signals[] = {{"SIGTERM", 15},     {"QUIT", 3},       {"9", 9}, {"SIGRTMIN+3", 37},
	       {"RTMIN", 34},       {"SIGFROB", 0},    {"0", 0}, {"64", 0},
	       {"SIGRTMIN+400", 0}, {"SIGRTMIN-1", 0}, {"", 0},  {"15x", 0}};

START_TEST(signals_have_names_and_numbers)
{
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		ck_assert_int_eq(job_signal_number(signals[i].name), signals[i].number);
}
END_TEST

static const char about[] =
	"entrypoint=/e\0entrypoint=x\0cmd=c\0cmd=d\0env=A=b\0user=joe\0"
	"workdir=/w\0stopsignal=SIGQUIT";

/* What the agent is told of the command, its words separated by blanks */
static const char *told(const char *entrypoint, char *const *argv)
{
	static char line[256];
	struct job_image i = {.cached.about = {(char *)(uintptr_t)about, sizeof(about)}};
	struct job_options o = {.entrypoint = entrypoint, .argv = argv};
	struct job_text t = {0};

	while (argv && argv[o.argc])
		o.argc++;
	ck_assert_int_eq(job_image_words(&i, &o, &t, &e), 0);
	for (size_t n = 0; n + 1 < t.len; n++)
		if (!t.text[n])
			t.text[n] = ' ';
	(void)snprintf(line, sizeof(line), "%s", t.text);
	job_text_free(&t);
	return line;
}

START_TEST(options_come_before_the_image)
{
	static char *const given[] = {(char *)(uintptr_t) "x", NULL};
	struct job_image i = {.cached.about = {(char *)(uintptr_t)about, sizeof(about)}};
	struct job_options o = {0};

	ck_assert_str_eq(told(NULL, NULL), "arg=/e arg=x arg=c arg=d env=A=b");
	ck_assert_str_eq(told(NULL, given), "arg=/e arg=x arg=x env=A=b");
	ck_assert_str_eq(told("/f", NULL), "arg=/f env=A=b");
	ck_assert_str_eq(told("/f", given), "arg=/f arg=x env=A=b");
	ck_assert_str_eq(told("", given), "arg=x env=A=b");
	ck_assert_str_eq(told("", NULL), "arg=/bin/sh env=A=b");
	ck_assert_str_eq(job_image_user(&i, &o), "joe");
	ck_assert_str_eq(job_image_workdir(&i, &o), "/w");
	ck_assert_int_eq(job_image_stop(&i, &o, &e), 3);
	o = (struct job_options){.user = "1", .workdir = "/o", .stop_signal = 2};
	ck_assert_str_eq(job_image_user(&i, &o), "1");
	ck_assert_str_eq(job_image_workdir(&i, &o), "/o");
	ck_assert_int_eq(job_image_stop(&i, &o, &e), 2);
	i = (struct job_image){0};
	o = (struct job_options){0};
	ck_assert_ptr_null(job_image_user(&i, &o));
	ck_assert_int_eq(job_image_stop(&i, &o, &e), 15);
}
END_TEST

UNIT_MAIN("image_words", setup, teardown, t)
{
	tcase_add_loop_test(t, a_word_is_an_image_or_not, 0, ARRAY_SIZE(words));
	tcase_add_test(t, digests_are_known_ones);
	tcase_add_test(t, text_that_is_none);
	tcase_add_test(t, signals_have_names_and_numbers);
	tcase_add_test(t, options_come_before_the_image);
}
