/* SPDX-License-Identifier: Apache-2.0 */
/* test_initrd - initrds: where they go, how they are joined, what does not fit. */
#include <errno.h>

#include "boot/initrd.h"
#include "tests/lib/unit.h"
#include "tests/unit/boot_files.h"

static struct gmem m;
static const struct boot_file inside = {.size = 0};
static struct kernel k;
static struct initrd r;
static struct err e;
static char *path[CONFIG_INITRDS_MAX];

static void setup(void)
{
	ram_init(&m, 32);
	k = (struct kernel){.start = 16 * MIB, .end = 24 * MIB, .initrd_end = 0x80000000};
}

static void teardown(void)
{
	gmem_fini(&m);
}

/* A file of @len bytes, all @c */
static char *filled(int c, size_t len)
{
	void *p = malloc(len);
	char *name;

	memset(p, c, len);
	name = file_of(p, len);
	free(p);
	return name;
}

static void check_filled(gpa_t at, int c, size_t len)
{
	const uint8_t *p = gmem_slice(&m, at, len);

	size_t same = 0;

	ck_assert_ptr_nonnull(p);
	while (same < len && p[same] == c)
		same++;
	ck_assert_uint_eq(same, len);
}

START_TEST(none_is_none)
{
	ck_assert_int_eq(initrd_load(path, 0, &inside, &m, &k, &r, &e), 0);
	ck_assert_uint_eq(r.len, 0);
	ck_assert_uint_eq(r.start, 0);
}
END_TEST

START_TEST(one_lies_at_the_top_of_memory_on_a_page)
{
	path[0] = filled('a', 5000);
	ck_assert_int_eq(initrd_load(path, 1, &inside, &m, &k, &r, &e), 0);
	ck_assert_uint_eq(r.start, 32 * MIB - 8192);
	ck_assert_uint_eq(r.len, 5000);
	check_filled(r.start, 'a', 5000);
}
END_TEST

START_TEST(several_are_joined_with_zeroes_between)
{
	path[0] = filled('a', 5);
	path[1] = filled('b', 200000); /* long enough to be mapped */
	path[2] = filled('c', 4096);
	ck_assert_int_eq(initrd_load(path, 3, &inside, &m, &k, &r, &e), 0);
	ck_assert_uint_eq(r.len, 4096 + ALIGN_UP(200000U, 4096U) + 4096);
	check_filled(r.start, 'a', 5);
	check_filled(r.start + 5, 0, 4096 - 5);
	check_filled(r.start + 4096, 'b', 200000);
	check_filled(r.start + 4096 + 200000, 0, ALIGN_UP(200000U, 4096U) - 200000);
	check_filled(r.start + r.len - 4096, 'c', 4096);
}
END_TEST

START_TEST(the_kernels_limit_is_kept)
{
	k.initrd_end = 28 * MIB;
	path[0] = filled('a', 4096);
	ck_assert_int_eq(initrd_load(path, 1, &inside, &m, &k, &r, &e), 0);
	ck_assert_uint_eq(r.start, 28 * MIB - 4096);
}
END_TEST

START_TEST(one_that_just_fits_fits)
{
	path[0] = filled('a', 8 * MIB);
	ck_assert_int_eq(initrd_load(path, 1, &inside, &m, &k, &r, &e), 0);
	ck_assert_uint_eq(r.start, 24 * MIB);
	check_filled(24 * MIB, 'a', 8 * MIB);
}
END_TEST

START_TEST(one_that_does_not_fit_is_told_with_the_memory_needed)
{
	path[0] = filled('a', 8 * MIB + 1);
	ck_assert_int_eq(initrd_load(path, 1, &inside, &m, &k, &r, &e), -ENOMEM);
	ck_says(e, "at least 33 MiB");
	ck_says(e, "--memory");
}
END_TEST

START_TEST(no_memory_helps_when_the_kernel_sets_the_limit)
{
	k.initrd_end = 25 * MIB;
	path[0] = filled('a', 2 * MIB);
	ck_assert_int_eq(initrd_load(path, 1, &inside, &m, &k, &r, &e), -ENOMEM);
	ck_says(e, "2 MiB do not fit");
	ck_says(e, "smaller initrd");
	ck_assert_ptr_null(strstr(e.msg, "--memory"));
}
END_TEST

START_TEST(a_kernel_that_takes_none_is_told)
{
	k.initrd_end = 1;
	path[0] = filled('a', 100);
	ck_assert_int_eq(initrd_load(path, 1, &inside, &m, &k, &r, &e), -ENOMEM);
}
END_TEST

START_TEST(a_wrong_file_is_named)
{
	static char missing[] = "/nonexistent/initrd", dir[] = "/";

	path[0] = filled('a', 100);
	path[1] = _i == 0 ? missing : _i == 1 ? dir : file_of("", 0);
	path[2] = path[0];
	ck_assert_int_lt(initrd_load(path, 3, &inside, &m, &k, &r, &e), 0);
	ck_says(e, "initrd ");
	ck_says(e, path[1]);
	ck_says(e, _i == 0 ? "No such file" : _i == 1 ? "directory" : "is empty");
}
END_TEST

START_TEST(a_huge_sparse_file_does_not_overflow)
{
	char name[32];
	int fd = memfd_create("huge", 0);

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	ck_assert_int_eq(ftruncate(fd, INT64_MAX), 0);
	for (unsigned int i = 0; i < 4; i++)
		path[i] = name;
	ck_assert_int_eq(initrd_load(path, 4, &inside, &m, &k, &r, &e), -ENOMEM);
	close(fd);
}
END_TEST

UNIT_MAIN("initrd", setup, teardown, t)
{
	tcase_add_test(t, none_is_none);
	tcase_add_test(t, one_lies_at_the_top_of_memory_on_a_page);
	tcase_add_test(t, several_are_joined_with_zeroes_between);
	tcase_add_test(t, the_kernels_limit_is_kept);
	tcase_add_test(t, one_that_just_fits_fits);
	tcase_add_test(t, one_that_does_not_fit_is_told_with_the_memory_needed);
	tcase_add_test(t, no_memory_helps_when_the_kernel_sets_the_limit);
	tcase_add_test(t, a_kernel_that_takes_none_is_told);
	tcase_add_loop_test(t, a_wrong_file_is_named, 0, 3);
	tcase_add_test(t, a_huge_sparse_file_does_not_overflow);
}
