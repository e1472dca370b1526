/* SPDX-License-Identifier: Apache-2.0 */
/* test_ikconfig - the configuration inside a kernel that lies in its file as it is. */
#include "boot/ikconfig.h"
#include "boot/kernel_bytes.h"

#include "tests/lib/unit.h"
#include "tests/unit/boot_files.h"
#include "tests/unit/ikconfig.h"

#define ROOM 4096

static uint8_t kernel[64 * 1024];

/* The configuration that is found in the first @len bytes of @kernel; NULL: none */
static void found(size_t len, const char *want)
{
	char *text = ikc_read(file_of(kernel, len), ROOM);

	if (want)
		ck_assert_str_eq(text, want);
	else
		ck_assert_ptr_null(text);
	free(text);
}

/* @config at @at, and something after it.  Return: where it ends */
static size_t put(size_t at, const char *config)
{
	struct ikc ikc = ikc_of(config, strlen(config));

	memset(kernel, 0x90, sizeof(kernel));
	memcpy(kernel + at, ikc.bytes, ikc.len);
	return at + ikc.len;
}

START_TEST(wherever_it_lies_it_is_found)
{
	for (size_t at = 1; at < 60000; at = at * 3 + 1) {
		put(at, IKC_TEXT);
		found(sizeof(kernel), IKC_TEXT);
	}
	put(0, IKC_TEXT);
	found(sizeof(kernel), IKC_TEXT);
}
END_TEST

START_TEST(kernel_without_one)
{
	memset(kernel, 0x90, sizeof(kernel));
	found(sizeof(kernel), NULL);
	found(1, NULL);
	memcpy(kernel, "IKCFG_ST of a string that says so", 33);
	found(sizeof(kernel), NULL);
	memcpy(kernel + sizeof(kernel) - 11, "IKCFG_ST\x1f\x8b\x08", 11);
	found(sizeof(kernel), NULL);
}
END_TEST

START_TEST(cut_off_anywhere_it_is_none)
{
	size_t end = put(100, IKC_TEXT) - IKC_END_LEN;

	for (size_t len = 100; len < end; len++)
		found(len, NULL);
	found(end, IKC_TEXT);
}
END_TEST

START_TEST(no_more_is_unpacked_than_there_is_room)
{
	char *much = calloc(1, 64 * MIB + 1);

	ck_assert_ptr_nonnull(much);
	memset(much, 'x', ROOM);
	put(5, much);
	found(sizeof(kernel), much);
	memset(much, 'x', ROOM + 1);
	put(5, much);
	found(sizeof(kernel), NULL);
	memset(much, 'x', 16 * MIB); /* 16 KiB of gzip */
	put(5, much);
	found(sizeof(kernel), NULL);
	free(much);
}
END_TEST

START_TEST(no_more_of_a_file_is_read_than_the_limit)
{
	struct ikc ikc = ikc_of(IKC_TEXT, strlen(IKC_TEXT));
	int fd = memfd_create("large", MFD_CLOEXEC);
	char path[32], *text;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ck_assert_int_eq(ftruncate(fd, (off_t)(4 * GIB)), 0);
	ck_assert(pwrite(fd, ikc.bytes, ikc.len, (off_t)KERNEL_BYTES_MAX) > 0);
	ck_assert_ptr_null(ikc_read(path, ROOM));
	ck_assert(pwrite(fd, ikc.bytes, ikc.len, (off_t)(KERNEL_BYTES_MAX - ikc.len)) >
		  0);
	text = ikc_read(path, ROOM);
	ck_assert_str_eq(text, IKC_TEXT);
	free(text);
	close(fd);
}
END_TEST

START_TEST(what_is_no_file_has_none)
{
	ck_assert_ptr_null(ikc_read("/nowhere/bzImage", ROOM));
	ck_assert_ptr_null(ikc_read("/dev/zero", ROOM));
	ck_assert_ptr_null(ikc_read("/", ROOM));
}
END_TEST

UNIT_MAIN("ikconfig", NULL, NULL, t)
{
	tcase_add_test(t, wherever_it_lies_it_is_found);
	tcase_add_test(t, kernel_without_one);
	tcase_add_test(t, cut_off_anywhere_it_is_none);
	tcase_add_test(t, no_more_is_unpacked_than_there_is_room);
	tcase_add_test(t, no_more_of_a_file_is_read_than_the_limit);
	tcase_add_test(t, what_is_no_file_has_none);
}
