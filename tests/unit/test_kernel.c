/* SPDX-License-Identifier: Apache-2.0 */
/* test_kernel - what is no kernel at all is told from one by its content. */
#include <errno.h>
#include <sys/stat.h>

#include "boot/bzimage.h"
#include "boot/elf.h"
#include "tests/lib/unit.h"
#include "tests/unit/boot_files.h"

static struct kernel_file f;
static struct err e;

static void check_is(const void *bytes, size_t len, const char *words)
{
	uint8_t head[2048] = {0};

	memcpy(head, bytes, len);
	ck_assert_int_eq(kernel_open(&f, file_of(head, sizeof(head)), &e), 0);
	ck_assert(!elf_is(&f) && !bzimage_is(&f));
	ck_assert_int_eq(kernel_refuse(&f, &e), -ENOEXEC);
	ck_says(e, words);
	ck_says(e, f.file.path);
	kernel_close(&f);
}

START_TEST(a_missing_file_is_refused)
{
	ck_assert_int_eq(kernel_open(&f, "/nonexistent/vmlinuz", &e), -ENOENT);
	ck_says(e, "/nonexistent/vmlinuz");
	ck_says(e, "No such file");
}
END_TEST

START_TEST(a_directory_is_refused)
{
	ck_assert_int_eq(kernel_open(&f, "/", &e), -EISDIR);
	ck_says(e, "is a directory");
	ck_assert_int_eq(f.file.fd, -1);
}
END_TEST

START_TEST(an_empty_file_is_refused)
{
	ck_assert_int_eq(kernel_open(&f, file_of("", 0), &e), -EINVAL);
	ck_says(e, "is empty");
}
END_TEST

START_TEST(a_fifo_is_refused_and_not_waited_for)
{
	char dir[] = "/tmp/test_kernel.XXXXXX";
	char path[64];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/fifo", dir);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(kernel_open(&f, path, &e), -EINVAL);
	ck_says(e, "not a regular file");
	unlink(path);
	rmdir(dir);
}
END_TEST

START_TEST(a_character_device_is_refused)
{
	ck_assert_int_eq(kernel_open(&f, "/dev/zero", &e), -EINVAL);
	ck_says(e, "not a regular file");
}
END_TEST

START_TEST(an_arm64_image_is_named)
{
	uint8_t image[64] = {'M', 'Z'};

	memcpy(image + 0x38, "ARM\x64", 4);
	check_is(image, sizeof(image), "arm64 kernel");
}
END_TEST

START_TEST(files_compressed_in_other_ways_are_named)
{
	check_is("\x02\x21\x4c\x18", 4, "unlz4");
	check_is("\x04\x22\x4d\x18", 4, "unlz4");
	check_is("BZh9", 4, "bunzip2");
}
END_TEST

START_TEST(an_initrd_is_named)
{
	check_is("070701", 6, "--initrd");
}
END_TEST

START_TEST(a_disk_is_named)
{
	uint8_t mbr[512] = {0xfa};

	mbr[510] = 0x55;
	mbr[511] = 0xaa;
	check_is(mbr, sizeof(mbr), "--disk");
}
END_TEST

START_TEST(an_efi_program_that_lies_is_refused)
{
	static const uint32_t places[] = {0, 0x3c, 2040, 2048, UINT32_MAX - 3};
	uint8_t file[2048];

	for (unsigned int i = 0; i < ARRAY_SIZE(places); i++) {
		memset(file, 0xff, sizeof(file));
		memcpy(file, "MZ", 2);
		memcpy(file + 0x3c, &places[i], sizeof(places[i]));
		if (places[i] <= sizeof(file) - 4 && places[i] > 0x3c)
			memcpy(file + places[i], "PE\0", 4);
		check_is(file, sizeof(file), "is an EFI or Windows program");
	}
}
END_TEST

START_TEST(random_bytes_are_refused)
{
	uint8_t bytes[2048];
	uint32_t x = 12345;

	for (size_t i = 0; i < sizeof(bytes); i++) {
		x = x * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(x >> 24);
	}
	check_is(bytes, sizeof(bytes), "no kernel that we know");
}
END_TEST

START_TEST(a_text_file_is_refused)
{
	static const char text[] = "Dear kernel,\n\tplease boot.\n";

	ck_assert_int_eq(kernel_open(&f, file_of(text, sizeof(text) - 1), &e), 0);
	ck_assert_int_eq(kernel_refuse(&f, &e), -ENOEXEC);
	ck_says(e, "text file");
	kernel_close(&f);
	ck_assert_int_eq(kernel_open(&f, file_of("#!/bin/sh\n", 10), &e), 0);
	ck_assert_int_eq(kernel_refuse(&f, &e), -ENOEXEC);
	ck_says(e, "script");
	kernel_close(&f);
}
END_TEST

START_TEST(one_byte_is_refused)
{
	ck_assert_int_eq(kernel_open(&f, file_of("\x7f", 1), &e), 0);
	ck_assert(!elf_is(&f) && !bzimage_is(&f));
	ck_assert_int_eq(kernel_refuse(&f, &e), -ENOEXEC);
	kernel_close(&f);
}
END_TEST

UNIT_MAIN("kernel", NULL, NULL, t)
{
	tcase_add_test(t, a_missing_file_is_refused);
	tcase_add_test(t, a_directory_is_refused);
	tcase_add_test(t, an_empty_file_is_refused);
	tcase_add_test(t, a_fifo_is_refused_and_not_waited_for);
	tcase_add_test(t, a_character_device_is_refused);
	tcase_add_test(t, an_arm64_image_is_named);
	tcase_add_test(t, files_compressed_in_other_ways_are_named);
	tcase_add_test(t, an_initrd_is_named);
	tcase_add_test(t, a_disk_is_named);
	tcase_add_test(t, an_efi_program_that_lies_is_refused);
	tcase_add_test(t, random_bytes_are_refused);
	tcase_add_test(t, a_text_file_is_refused);
	tcase_add_test(t, one_byte_is_refused);
}
