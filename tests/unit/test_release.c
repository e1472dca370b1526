/* SPDX-License-Identifier: Apache-2.0 */
/* test_release - of which version a kernel is, by its file. */
#include "boot/release.h"

#include "tests/lib/unit.h"
#include "tests/unit/boot_files.h"

static uint8_t kernel[8192];
static char release[RELEASE_MAX];

static void setup(void)
{
	memset(kernel, 0, sizeof(kernel));
}

static bool find(void)
{
	struct kernel_file f;
	struct err e;
	bool found;

	ck_assert_int_eq(kernel_open(&f, file_of(kernel, sizeof(kernel)), &e), 0);
	found = kernel_release(&f, release);
	kernel_close(&f);
	return found;
}

static void header(uint16_t at, const char *text)
{
	memcpy(kernel + 0x202, "HdrS", 4);
	memcpy(kernel + 0x20e, &at, sizeof(at));
	if (*text)
		(void)snprintf((char *)kernel + 0x200 + at, sizeof(kernel) - 0x200 - at,
			       "%s", text);
}

START_TEST(is_in_a_header)
{
	header(0x300, "6.1.0-9-amd64 (debian@x) #1 SMP");
	ck_assert(find());
	ck_assert_str_eq(release, "6.1.0-9-amd64");
}
END_TEST

/* As vmlinux and Image have it, after words that look alike */
START_TEST(is_in_a_banner)
{
	static const char words[] = "Linux version %s\0Linux version magic "
				    "\0Linux version 7.2.0-rc1+ (me@x) (gcc) #1";

	memcpy(kernel + 5000, words, sizeof(words));
	ck_assert(find());
	ck_assert_str_eq(release, "7.2.0-rc1+");
}
END_TEST

START_TEST(is_nowhere)
{
	ck_assert(!find());
	header(0xffff - 0x200, "");
	ck_assert(!find());
	memset(kernel + 4000, '7', 4192); /* a word without an end */
	header(4000 - 0x200, "");
	memset(kernel + 4000, '7', 4192);
	ck_assert(!find());
	memcpy(kernel + sizeof(kernel) - 17, "Linux version 6.1", 17);
	ck_assert(!find());
}
END_TEST

UNIT_MAIN("release", setup, NULL, t)
{
	tcase_add_test(t, is_in_a_header);
	tcase_add_test(t, is_in_a_banner);
	tcase_add_test(t, is_nowhere);
}
