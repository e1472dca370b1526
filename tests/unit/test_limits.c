/* SPDX-License-Identifier: Apache-2.0 */
/* test_limits - limits of the process: each that stops us is named. */
#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "vmm/core/limits.h"
#include "vmm/core/util.h"

static struct err err;

static void limit(int resource, rlim_t soft)
{
	struct rlimit l;

	ck_assert_int_eq(getrlimit((__rlimit_resource_t)resource, &l), 0);
	l.rlim_cur = MIN(soft, l.rlim_max);
	ck_assert_int_eq(setrlimit((__rlimit_resource_t)resource, &l), 0);
}

static const struct {
	int code, resource;
	const char *cure;
} limits[] = {
	{EFBIG, RLIMIT_FSIZE, "ulimit -f"},
	{EMFILE, RLIMIT_NOFILE, "ulimit -n"},
	{ENOMEM, RLIMIT_AS, "ulimit -v"},
	{ENOMEM, RLIMIT_DATA, "ulimit -d"},
};

START_TEST(a_sentence_names_the_limit_that_did_it)
{
	limit(RLIMIT_AS, RLIM_INFINITY);
	limit(limits[_i].resource, UINT64_C(1) << 46);
	err_set(&err, limits[_i].code, "disk a.img: it failed");
	ck_assert_msg(strstr(err.msg, limits[_i].cure) != NULL, "%s", err.msg);
	/* once is enough */
	err_set(&err, limits[_i].code, "disk a.img: see ulimit -x");
	ck_assert_str_eq(err.msg, "disk a.img: see ulimit -x");
}
END_TEST

START_TEST(a_limit_that_is_not_set_is_not_named)
{
	struct rlimit l;

	ck_assert_int_eq(getrlimit((__rlimit_resource_t)limits[_i].resource, &l), 0);
	if (l.rlim_max != RLIM_INFINITY)
		return; /* files always have one */
	limit(RLIMIT_AS, RLIM_INFINITY);
	limit(RLIMIT_DATA, RLIM_INFINITY);
	limit(limits[_i].resource, RLIM_INFINITY);
	err_set(&err, limits[_i].code, "disk a.img: it failed");
	ck_assert_str_eq(err.msg, "disk a.img: it failed");
}
END_TEST

/* A filter of system calls ends a thread that asks; prlimit(1) can still set how long a file may be */
START_TEST(locked_limits_are_not_asked_for)
{
	limit(RLIMIT_FSIZE, RLIM_INFINITY);
	limit(RLIMIT_AS, RLIM_INFINITY);
	limit(RLIMIT_DATA, 1 * GIB);
	limits_lock();
	limit(RLIMIT_DATA, RLIM_INFINITY);
	limit(RLIMIT_AS, UINT64_C(1) << 50); /* with room for a sanitizer */
	ck_assert_ptr_nonnull(strstr(limits_cure(EFBIG), "ulimit -f"));
	ck_assert_ptr_nonnull(strstr(limits_cure(ENOMEM), "ulimit -d"));
	ck_assert_ptr_null(limits_cure(EIO));
}
END_TEST

START_TEST(a_thread_that_cannot_be_made_names_ulimit_u)
{
	ck_assert_ptr_nonnull(strstr(limits_thread_cure(EAGAIN), "ulimit -u"));
	ck_assert_str_eq(limits_thread_cure(ENOMEM), "");
}
END_TEST

/* glibc takes a thread's stack from ulimit -s, however small or large */
START_TEST(threads_have_a_stack_of_their_own_size)
{
	pthread_attr_t attr;
	size_t size;

	limit(RLIMIT_STACK, 64 * KIB);
	limits_thread_attr(&attr);
	ck_assert_int_eq(pthread_attr_getstacksize(&attr, &size), 0);
	ck_assert_uint_eq(size, LIMITS_THREAD_STACK);
	pthread_attr_destroy(&attr);
}
END_TEST

START_TEST(a_small_soft_limit_of_the_stack_is_raised)
{
	struct rlimit l;

	limit(RLIMIT_STACK, 100 * KIB);
	ck_assert_int_eq(limits_init(&err), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_STACK, &l), 0);
	ck_assert_uint_ge(l.rlim_cur, 512 * KIB);
	limit(RLIMIT_STACK, 4 * MIB); /* and a large one stays */
	ck_assert_int_eq(limits_init(&err), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_STACK, &l), 0);
	ck_assert_uint_eq(l.rlim_cur, MIN(4 * MIB, l.rlim_max));
}
END_TEST

START_TEST(a_small_hard_limit_of_the_stack_is_told)
{
	struct rlimit l = {100 * KIB, 100 * KIB};

	ck_assert_int_eq(setrlimit(RLIMIT_STACK, &l), 0);
	ck_assert_int_lt(limits_init(&err), 0);
	ck_assert_ptr_nonnull(strstr(err.msg, "100 KiB at most (ulimit -Hs)"));
	ck_assert_ptr_nonnull(strstr(err.msg, "raise ulimit -s to 1024"));
	/* which is what does it, however low the soft limit */
	l.rlim_cur = 80 * KIB;
	ck_assert_int_eq(setrlimit(RLIMIT_STACK, &l), 0);
	ck_assert_int_lt(limits_init(&err), 0);
	ck_assert_ptr_nonnull(strstr(err.msg, "100 KiB at most"));
}
END_TEST

UNIT_MAIN("limits", NULL, NULL, t)
{
	tcase_add_loop_test(t, a_sentence_names_the_limit_that_did_it, 0,
			    (int)ARRAY_SIZE(limits));
	tcase_add_loop_test(t, a_limit_that_is_not_set_is_not_named, 0,
			    (int)ARRAY_SIZE(limits));
	tcase_add_test(t, locked_limits_are_not_asked_for);
	tcase_add_test(t, a_thread_that_cannot_be_made_names_ulimit_u);
	tcase_add_test(t, threads_have_a_stack_of_their_own_size);
	tcase_add_test(t, a_small_soft_limit_of_the_stack_is_raised);
	tcase_add_test(t, a_small_hard_limit_of_the_stack_is_told);
}
