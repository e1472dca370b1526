/* SPDX-License-Identifier: Apache-2.0 */
/* test_util - the small helpers: whole reads, near names, sentences, lines to the operator. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "vmm/core/err.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

static struct err err;

START_TEST(error_is_returned_negative_and_kept)
{
	ck_assert_int_eq(err_set(&err, ENOENT, "disk %s: %d", "a.img", 7), -ENOENT);
	ck_assert_int_eq(err.code, ENOENT);
	ck_assert_int_eq(err.usage, 0);
	ck_assert_str_eq(err.msg, "disk a.img: 7");
}
END_TEST

START_TEST(error_without_a_number_is_an_error_all_the_same)
{
	ck_assert_int_lt(err_set(&err, 0, "no errno"), 0);
}
END_TEST

START_TEST(usage_error_is_marked_and_stays_so_when_wrapped)
{
	ck_assert_int_eq(err_usage(&err, "bad"), -EINVAL);
	ck_assert_int_eq(err_wrap(&err, "--disk %d", 2), -EINVAL);
	ck_assert_int_eq(err.usage, 1);
	ck_assert_str_eq(err.msg, "--disk 2: bad");
}
END_TEST

START_TEST(overlong_sentence_is_cut)
{
	static char lots[2000];

	memset(lots, 'x', sizeof(lots) - 1);
	err_set(&err, EIO, "%s", lots);
	ck_assert_uint_eq(strlen(err.msg), sizeof(err.msg) - 1);
	err_wrap(&err, "ctx");
	ck_assert_uint_eq(strlen(err.msg), sizeof(err.msg) - 1);
	ck_assert_int_eq(strncmp(err.msg, "ctx: xxx", 8), 0);
	err_wrap(&err, "%s", lots);
	ck_assert_uint_eq(strlen(err.msg), sizeof(err.msg) - 1);
	ck_assert_int_eq(err.code, EIO);
}
END_TEST

START_TEST(distances_are_those_of_levenshtein)
{
	static const struct {
		const char *a, *b;
		unsigned int d;
	} c[] = {
		{"", "", 0},
		{"disk", "disk", 0},
		{"", "cpus", 4},
		{"dsik", "disk", 2},
		{"cpu", "cpus", 1},
		{"memroy", "memory", 2},
		{"kitten", "sitting", 3},
		{"abc", "xyz", 3},
	};

	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		ck_assert_uint_eq(edit_distance(c[i].a, c[i].b), c[i].d);
		ck_assert_uint_eq(edit_distance(c[i].b, c[i].a), c[i].d);
	}
}
END_TEST

START_TEST(overlong_names_are_far_from_everything)
{
	char a[65];

	memset(a, 'a', 64);
	a[64] = 0;
	ck_assert_uint_ge(edit_distance(a, a), 64);
	a[63] = 0;
	ck_assert_uint_eq(edit_distance(a, a), 0);
	ck_assert_uint_eq(edit_distance(a, ""), 63);
}
END_TEST

/* Write in bits, with pauses */
static void *dribble(void *arg)
{
	for (int i = 0; i < 10; i++) {
		usleep(500);
		if (write(*(int *)arg, "abc", 3) != 3)
			break;
	}
	close(*(int *)arg);
	return NULL;
}

START_TEST(short_counts_are_made_whole)
{
	char got[64] = "";
	pthread_t t;
	int p[2];

	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(pthread_create(&t, NULL, dribble, &p[1]), 0);
	ck_assert_int_eq(read_full(p[0], got, 20), 20);
	ck_assert_int_eq(strncmp(got, "abcabcabcabcabcabcab", 20), 0);
	ck_assert_int_eq(read_full(p[0], got, 20), 10); /* short only at the end */
	ck_assert_int_eq(read_full(p[0], got, 20), 0);
	pthread_join(t, NULL);
	close(p[0]);
}
END_TEST

static void *swallow(void *arg)
{
	char got[1000];
	long sum = 0, n;

	while ((n = read(*(int *)arg, got, sizeof(got))) > 0)
		sum += n;
	return (void *)sum;
}

START_TEST(a_write_larger_than_a_pipe_is_whole)
{
	static char lots[300000];
	void *sum;
	pthread_t t;
	int p[2];

	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(pthread_create(&t, NULL, swallow, &p[0]), 0);
	ck_assert_int_eq(write_full(p[1], lots, sizeof(lots)), sizeof(lots));
	close(p[1]);
	pthread_join(t, &sum);
	ck_assert_int_eq((long)sum, sizeof(lots));
	close(p[0]);
}
END_TEST

START_TEST(errors_of_reads_and_writes_are_returned)
{
	char b[4];
	int p[2];

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(read_full(-1, b, 4), -EBADF);
	ck_assert_int_eq(pread_full(-1, b, 4, 0), -EBADF);
	ck_assert_int_eq(write_full(-1, b, 4), -EBADF);
	ck_assert_int_eq(pipe(p), 0);
	close(p[0]);
	ck_assert_int_eq(write_full(p[1], b, 4), -EPIPE);
	close(p[1]);
}
END_TEST

START_TEST(a_read_at_an_offset_leaves_the_cursor)
{
	int fd = memfd_create("util", MFD_CLOEXEC);
	char got[8] = "";

	ck_assert_int_eq(write_full(fd, "0123456789", 10), 10);
	ck_assert_int_eq(pread_full(fd, got, 4, 3), 4);
	ck_assert_str_eq(got, "3456");
	ck_assert_int_eq(pread_full(fd, got, 8, 7), 3);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 10);
	close(fd);
}
END_TEST

START_TEST(locals_are_cleaned_up)
{
	int p[2];

	ck_assert_int_eq(pipe(p), 0);
	{
		cleanup_close int fd = p[0];
		cleanup_close int none = -1;
		cleanup_free char *s = strdup("x");

		ck_assert(fd >= 0 && none < 0 && s);
	}
	ck_assert_int_eq(fcntl(p[0], F_GETFD), -1);
	close(p[1]);
}
END_TEST

START_TEST(a_bug_of_ours_aborts)
{
	int null = open("/dev/null", O_WRONLY);

	dup2(null, STDERR_FILENO);
	BUG_ON(null >= 0);
}
END_TEST

/* What log_line() and its like write to stderr while @fn runs */
static const char *logged(void (*fn)(void))
{
	static char text[8192];
	int p[2], saved = dup(STDERR_FILENO);
	long n;

	ck_assert_int_eq(pipe(p), 0);
	dup2(p[1], STDERR_FILENO);
	fn();
	dup2(saved, STDERR_FILENO);
	close(p[1]);
	n = read_full(p[0], text, sizeof(text) - 1);
	ck_assert_int_ge(n, 0);
	text[n] = 0;
	close(p[0]);
	close(saved);
	return text;
}

static void log_four_levels(void)
{
	log_error("e %d", 1);
	log_warn("w");
	log_info("i");
	log_debug("d");
}

START_TEST(lines_below_the_threshold_are_left_out)
{
	ck_assert_str_eq(logged(log_four_levels),
			 "microvm: error: e 1\nmicrovm: warn: w\n");
	log_threshold = LOG_ERROR;
	ck_assert_str_eq(logged(log_four_levels), "microvm: error: e 1\n");
	log_threshold = LOG_DEBUG;
	ck_assert_ptr_nonnull(strstr(logged(log_four_levels), "debug: d\n"));
}
END_TEST

START_TEST(lines_on_a_raw_terminal_return_the_carriage)
{
	log_set_raw(true);
	ck_assert_str_eq(logged(log_four_levels),
			 "microvm: error: e 1\r\nmicrovm: warn: w\r\n");
}
END_TEST

START_TEST(lines_do_not_say_whose_they_are)
{
	log_set_name("web-1");
	ck_assert_str_eq(logged(log_four_levels),
			 "microvm web-1: error: e 1\nmicrovm web-1: warn: w\n");
	ck_assert_str_eq(log_prefix(), "microvm web-1");
	log_set_name("a123456789b123456789c123456789d123456789e123456789f123456789xyz4");
	ck_assert_uint_eq(strlen(log_prefix()), strlen("microvm ") + 64);
	log_set_name(NULL);
	ck_assert_str_eq(log_prefix(), "microvm");
}
END_TEST

static void log_overlong(void)
{
	static char lots[3000];

	memset(lots, 'x', sizeof(lots) - 1);
	log_error("%s", lots);
}

START_TEST(an_overlong_line_is_cut_and_still_ends)
{
	const char *text = logged(log_overlong);

	ck_assert_uint_lt(strlen(text), 1025);
	ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
}
END_TEST

static void log_flood(void)
{
	for (int i = 0; i < 100000; i++)
		log_guest("again");
}

START_TEST(a_guest_cannot_flood_the_log)
{
	uint64_t seconds = monotonic_ns();
	const char *text = logged(log_flood);
	unsigned int lines = 0;

	seconds = (monotonic_ns() - seconds) / UINT64_C(1000000000) + 2;
	for (; *text; text++)
		lines += *text == '\n';
	ck_assert_uint_ge(lines, 10);
	ck_assert_uint_le(lines, 11 * seconds);
}
END_TEST

static unsigned int log_lines; /* that a guest had us write */

static unsigned int log_a_second; /* lines that are wanted */

static void log_flood_for_a_day(void)
{
	struct log_limit l = {0};

	for (uint64_t now = 1000; now < 1000 + 86400; now++)
		for (unsigned int i = 0; i < log_a_second; i++)
			log_lines += log_limit_ok_at(&l, now);
	/* and after a rest each line counts again */
	for (int i = 0; i < 5; i++)
		ck_assert(log_limit_ok_at(&l, 10 * 86400));
}

START_TEST(a_log_does_not_grow_for_ever)
{
	const char *text;

	log_a_second = _i ? 1 : 20; /* a guest that knows how many a second are few */
	text = logged(log_flood_for_a_day);
	ck_assert_uint_ge(log_lines, 10 * 24);
	ck_assert_uint_le(log_lines, 10 * (24 + 12));
	ck_assert_ptr_nonnull(strstr(text, _i ? "3590 more lines like the next"
					      : "71990 more lines like the next"));
}
END_TEST

START_TEST(a_few_lines_a_minute_are_never_left_out)
{
	struct log_limit l = {0};

	for (uint64_t now = 0; now < 86400; now += 30)
		for (int i = 0; i < 5; i++)
			ck_assert(log_limit_ok_at(&l, now));
}
END_TEST

/* Nobody reads the pipe: a guest that has us complain may not stop us with it. */
START_TEST(lines_that_nobody_reads_are_dropped_and_counted)
{
	static char text[128 * 1024];
	int p[2], saved = dup(STDERR_FILENO);
	unsigned int lines = 0;
	long n;

	ck_assert_int_eq(pipe(p), 0);
	dup2(p[1], STDERR_FILENO);
	for (int i = 0; i < 20000; i++)
		log_error("again %d", i);
	ck_assert_int_gt(read(p[0], text, 32768), 0);
	log_error("after %d", 1);
	dup2(saved, STDERR_FILENO);
	close(p[1]);
	n = read_full(p[0], text, sizeof(text) - 1);
	ck_assert_int_gt(n, 0);
	text[n] = 0;
	for (const char *s = text; (s = strstr(s, "lines are missing here")); s++)
		lines++;
	ck_assert_uint_eq(lines, 1);
	ck_assert_str_eq(strstr(text, "microvm: error: after"),
			 "microvm: error: after 1\n");
	close(p[0]);
	close(saved);
}
END_TEST

START_TEST(levels_have_names)
{
	ck_assert_int_eq(log_level_parse("error"), LOG_ERROR);
	ck_assert_int_eq(log_level_parse("debug"), LOG_DEBUG);
	ck_assert_int_eq(log_level_parse("loud"), -1);
	ck_assert_int_eq(log_level_parse(""), -1);
}
END_TEST

UNIT_MAIN("util", NULL, NULL, t)
{
	tcase_add_test(t, error_is_returned_negative_and_kept);
	tcase_add_test(t, error_without_a_number_is_an_error_all_the_same);
	tcase_add_test(t, usage_error_is_marked_and_stays_so_when_wrapped);
	tcase_add_test(t, overlong_sentence_is_cut);
	tcase_add_test(t, distances_are_those_of_levenshtein);
	tcase_add_test(t, overlong_names_are_far_from_everything);
	tcase_add_test(t, short_counts_are_made_whole);
	tcase_add_test(t, a_write_larger_than_a_pipe_is_whole);
	tcase_add_test(t, errors_of_reads_and_writes_are_returned);
	tcase_add_test(t, a_read_at_an_offset_leaves_the_cursor);
	tcase_add_test(t, locals_are_cleaned_up);
	tcase_add_test_raise_signal(t, a_bug_of_ours_aborts, SIGABRT);
	tcase_add_test(t, lines_below_the_threshold_are_left_out);
	tcase_add_test(t, lines_do_not_say_whose_they_are);
	tcase_add_test(t, lines_on_a_raw_terminal_return_the_carriage);
	tcase_add_test(t, an_overlong_line_is_cut_and_still_ends);
	tcase_add_test(t, a_guest_cannot_flood_the_log);
	tcase_add_loop_test(t, a_log_does_not_grow_for_ever, 0, 2);
	tcase_add_test(t, a_few_lines_a_minute_are_never_left_out);
	tcase_add_test(t, lines_that_nobody_reads_are_dropped_and_counted);
	tcase_add_test(t, levels_have_names);
}
