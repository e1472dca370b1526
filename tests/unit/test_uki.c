/* SPDX-License-Identifier: Apache-2.0 */
/* test_uki - what a unified kernel image has inside is booted, and every lie of it is refused. */
#include "boot/uki.h"

#include <errno.h>

#include "tests/lib/unit.h"
#include "tests/unit/ikconfig.h"
#include "tests/unit/ukis.h"
#include "tests/unit/wrapped.h"
#include "tests/unit/x86_kernels.h"

static struct uki u;
static struct bz *b;
static struct config cfg;
static struct platform p;
static struct gmem m;
static struct boot_result r;
static struct err e;

static void setup(void)
{
	b = bz_new();
	uki_init(&u);
	uki_add_text(&u, ".text", "a stub's code");
	cfg = (struct config){.ncpu = 1, .memory = 64 * MIB, .console = CONSOLE_SERIAL};
	p = (struct platform){.ncpu = 1};
	ram_init(&m, 64);
}

static void teardown(void)
{
	free(b);
	free(r.cmdline);
	gmem_fini(&m);
}

static void add_linux(void)
{
	uki_add(&u, ".linux", b, sizeof(*b));
}

static int load(void)
{
	free(r.cmdline);
	r.cmdline = NULL;
	cfg.kernel = uki_file(&u);
	return boot_load(&cfg, &p, &m, &r, &e);
}

static void check_line(const char *first, const char *last)
{
	size_t len = strlen(r.cmdline), n = strlen(last);

	ck_assert_msg(!strncmp(r.cmdline, first, strlen(first)), "%s", r.cmdline);
	ck_assert_msg(len >= n && !strcmp(r.cmdline + len - n, last), "%s", r.cmdline);
}

static void check_initrd(const char *text)
{
	ck_assert_uint_eq(r.initrd_end - r.initrd_start, strlen(text));
	ck_assert_mem_eq(gmem_slice(&m, r.initrd_start, strlen(text) + 1), text,
			 strlen(text) + 1);
}

START_TEST(kernel_initrd_and_command_line_are_used)
{
	uki_add_text(&u, ".osrel", "ID=debian\n");
	uki_add_text(&u, ".cmdline", "root=/dev/sda2\tquiet \n");
	uki_add_text(&u, ".initrd", "its own initrd");
	uki_add_text(&u, ".ucode", "no microcode is loaded");
	add_linux();
	cfg.append = (char *)(uintptr_t) "loud";
	cfg.ndisk = 1;
	ck_assert_int_eq(load(), 0);
	ck_assert_str_eq(r.protocol, "Linux 64-bit");
	ck_assert_uint_eq(r.kernel_start, 0x1000000);
	ck_assert_mem_eq(gmem_slice(&m, r.kernel_start, BZ_CODE), b->code, BZ_CODE);
	check_initrd("its own initrd");
	check_line("root=/dev/sda2 quiet console=ttyS0 ", " loud");
	ck_assert_ptr_null(strstr(r.cmdline, "root=/dev/vda"));
}
END_TEST

START_TEST(a_kernel_alone_is_enough)
{
	add_linux();
	uki_add_text(&u, ".cmdline", "");
	uki_add_text(&u, ".initrd", "");
	cfg.ndisk = 1;
	ck_assert_int_eq(load(), 0);
	check_line("console=ttyS0 root=/dev/vda ", "");
	ck_assert_uint_eq(r.initrd_start, r.initrd_end);
}
END_TEST

START_TEST(the_operators_initrd_and_line_replace_its_own)
{
	add_linux();
	uki_add_text(&u, ".cmdline", "root=/dev/sda2");
	uki_add_text(&u, ".initrd", "its own initrd");
	cfg.initrd[cfg.ninitrd++] = file_of("another", 7);
	cfg.cmdline = (char *)(uintptr_t) "panic=1";
	ck_assert_int_eq(load(), 0);
	ck_assert_str_eq(r.cmdline, "panic=1");
	check_initrd("another");
}
END_TEST

/* As ukify and sbsign leave it: what follows the last section is no part of any */
START_TEST(a_signature_at_the_end_is_left_alone)
{
	add_linux();
	u.len += 2000;
	memset(u.bytes + u.len - 2000, 0x30, 2000);
	ck_assert_int_eq(load(), 0);
}
END_TEST

/* The base, @0 with nothing of its own, and @1 */
static void add_profiles(void)
{
	add_linux();
	uki_add_text(&u, ".cmdline", "base");
	uki_add_text(&u, ".initrd", "of all");
	uki_add_text(&u, ".profile", "ID=regular\n");
	uki_add_text(&u, ".profile", "ID=reset\n");
	uki_add_text(&u, ".cmdline", "reset");
	uki_add_text(&u, ".profile", "ID=storage\n");
	uki_add_text(&u, ".initrd", "of one");
}

START_TEST(a_profile_is_chosen_by_the_first_word)
{
	static const struct {
		const char *append, *first, *last, *initrd;
	} want[] = {
		{NULL, "base console=", "", "of all"},
		{"@0", "base console=", "i8042.nokbd", "of all"},
		{"@1", "reset console=", "i8042.nokbd", "of all"},
		{"@1 loud", "reset console=", " loud", "of all"},
		{"@2 loud", "base console=", "i8042.nokbd loud", "of one"},
		{"loud @1", "base console=", " loud @1", "of all"},
		{"@1x", "base console=", " @1x", "of all"},
		{"@", "base console=", " @", "of all"},
	};

	add_profiles();
	cfg.append = (char *)(uintptr_t)want[_i].append;
	ck_assert_int_eq(load(), 0);
	check_line(want[_i].first, want[_i].last);
	check_initrd(want[_i].initrd);
	ck_assert_ptr_null(strstr(r.cmdline, "@0"));
}
END_TEST

START_TEST(a_line_that_replaces_chooses_as_well)
{
	add_profiles();
	cfg.cmdline = (char *)(uintptr_t) "@2 panic=1";
	ck_assert_int_eq(load(), 0);
	ck_assert_str_eq(r.cmdline, "panic=1");
	check_initrd("of one");
}
END_TEST

START_TEST(a_profile_that_is_not_there_is_refused)
{
	add_profiles();
	cfg.append = (char *)(uintptr_t)(_i ? "@999" : "@3");
	ck_assert_int_eq(load(), -ENOENT);
	ck_says(e, "it has 3 profiles");
	ck_says(e, _i ? "no @999" : "no @3");
	ck_says(e, "--append");
}
END_TEST

START_TEST(another_kernel_keeps_a_word_with_an_at)
{
	cfg.kernel = bz_file(b);
	cfg.append = (char *)(uintptr_t) "@1 x";
	ck_assert_int_eq(boot_load(&cfg, &p, &m, &r, &e), 0);
	check_line("", " @1 x");
}
END_TEST

START_TEST(a_profile_without_a_kernel_is_refused)
{
	uki_add_text(&u, ".profile", "ID=a\n");
	uki_add_text(&u, ".profile", "ID=b\n");
	add_linux();
	ck_assert_int_eq(load(), -ENOEXEC);
	ck_says(e, "profile @0");
	cfg.append = (char *)(uintptr_t) "@1";
	ck_assert_int_eq(load(), 0);
}
END_TEST

START_TEST(an_empty_kernel_is_refused)
{
	uki_add_text(&u, ".linux", "");
	ck_assert_int_eq(load(), -ENOEXEC);
	ck_says(e, ".linux");
}
END_TEST

START_TEST(a_section_twice_is_refused)
{
	static const char *const names[] = {".linux", ".initrd", ".cmdline"};

	add_linux();
	uki_add_text(&u, ".initrd", "x");
	uki_add_text(&u, ".cmdline", "x");
	uki_add_text(&u, names[_i], "again");
	ck_assert_int_eq(load(), -ENOEXEC);
	ck_says(e, names[_i]);
	ck_says(e, "twice");
}
END_TEST

START_TEST(a_lying_section_is_refused)
{
	static const struct {
		unsigned int number;
		uint32_t lie;
		const char *says;
	} lies[] = {
		{UKI_OFF, 0, "inside the file's headers"},
		{UKI_OFF, UKI_TABLE + 3 * 40 - 1, "inside the file's headers"},
		{UKI_OFF, 0xfffffe00, "past the file's end"},
		{UKI_OFF, UKI_DATA, "overlaps the section number 1"},
		{UKI_LEN, 0xffffffff, "past the file's end"},
		{UKI_LEN, 1024, "past the file's end"},
		{UKI_MEMLEN, 513, "longer in memory"},
		{UKI_MEMLEN, 0xffffffff, "longer in memory"},
		{UKI_ADDRESS, UKI_SECTION0, "overlaps the section number 1"},
	};
	unsigned int i;

	add_linux();
	i = uki_add_text(&u, ".cmdline", "quiet");
	ck_assert_uint_eq(i, 2);
	*uki_number(&u, i, lies[_i].number) = lies[_i].lie;
	ck_assert_int_eq(load(), -ENOEXEC);
	ck_says(e, "its section .cmdline");
	ck_says(e, lies[_i].says);
	ck_says(e, "fetch or build it again");
}
END_TEST

START_TEST(a_truncated_image_is_refused)
{
	add_linux();
	while (u.len > UKI_DATA) {
		u.len -= MIN(u.len - UKI_DATA, 4000);
		ck_assert_int_eq(load(), -ENOEXEC);
		ck_says(e, "truncated");
	}
}
END_TEST

START_TEST(what_a_section_is_rounded_up_by_is_not_used)
{
	add_linux();
	uki_add_text(&u, ".initrd", "its own initrd");
	memset(u.bytes + u.len - UKI_ALIGN + 14, 0xee, 14);
	ck_assert_int_eq(load(), 0);
	check_initrd("its own initrd");
}
END_TEST

START_TEST(a_line_that_no_kernel_takes_is_refused)
{
	static char line[UKI_WORDS_MAX + 2];

	memset(line, 'x', UKI_WORDS_MAX + 1);
	add_linux();
	uki_add_text(&u, ".cmdline", line);
	ck_assert_int_eq(load(), -E2BIG);
	ck_says(e, ".cmdline has 4097 bytes");
}
END_TEST

START_TEST(a_line_ends_at_a_nul_and_has_no_control_characters)
{
	add_linux();
	uki_add(&u, ".cmdline", "a\x1b[1mb\r\nc\x7f\0x\n", 13);
	ck_assert_int_eq(load(), 0);
	check_line("a [1mb  c console=", "");
}
END_TEST

START_TEST(what_cannot_be_booted_from_inside_is_named)
{
	static const struct {
		size_t at;
		const char *magic, *says;
	} inside[] = {
		{0x38, "ARM\x64", "is an arm64 kernel, but this host is x86-64"},
		{0,
		 "\x7f"
		 "ELF",
		 "an ELF file in its section .linux"},
		{0, "Dear kernel", "no kernel that we know"},
	};
	uint8_t bytes[2048] = {0};

	memcpy(bytes + inside[_i].at, inside[_i].magic, strlen(inside[_i].magic));
	uki_add(&u, ".linux", bytes, sizeof(bytes));
	ck_assert_int_eq(load(), -ENOEXEC);
	ck_says(e, inside[_i].says);
}
END_TEST

/* Unpacked, it would have another descriptor than the initrd beside it */
START_TEST(a_packed_kernel_inside_is_refused)
{
	static struct wrapped w;
	struct ek *x = ek_new();

	wrap_gzip(&w, x, sizeof(*x));
	uki_add_text(&u, ".initrd", "its own initrd");
	uki_add(&u, ".linux", w.bytes, w.len);
	free(x);
	ck_assert_int_eq(load(), -ENOEXEC);
	ck_says(e, "no kernel that we know");
}
END_TEST

START_TEST(a_name_that_only_begins_so_is_another)
{
	uki_add(&u, ".linuxes", b, sizeof(*b));
	ck_assert_int_eq(load(), -ENOEXEC);
	ck_says(e, "is an EFI or Windows program");
}
END_TEST

START_TEST(more_sections_than_the_format_has_are_not_read)
{
	uint16_t n = UINT16_MAX;

	add_linux();
	memcpy(u.bytes + UKI_PE + 6, &n, sizeof(n));
	ck_assert_int_eq(load(), 0);
}
END_TEST

START_TEST(a_configuration_inside_is_found)
{
	struct ikc ikc = ikc_of(IKC_TEXT, strlen(IKC_TEXT));
	char *text;

	memcpy(b->code + 5000, ikc.bytes, ikc.len);
	add_linux();
	text = ikc_read(uki_file(&u), 4096);
	ck_assert_ptr_nonnull(text);
	ck_assert_str_eq(text, IKC_TEXT);
	free(text);
}
END_TEST

UNIT_MAIN("uki", setup, teardown, t)
{
	tcase_add_test(t, a_configuration_inside_is_found);
	tcase_add_test(t, kernel_initrd_and_command_line_are_used);
	tcase_add_test(t, a_kernel_alone_is_enough);
	tcase_add_test(t, the_operators_initrd_and_line_replace_its_own);
	tcase_add_test(t, a_signature_at_the_end_is_left_alone);
	tcase_add_loop_test(t, a_profile_is_chosen_by_the_first_word, 0, 8);
	tcase_add_test(t, a_line_that_replaces_chooses_as_well);
	tcase_add_loop_test(t, a_profile_that_is_not_there_is_refused, 0, 2);
	tcase_add_test(t, another_kernel_keeps_a_word_with_an_at);
	tcase_add_test(t, a_profile_without_a_kernel_is_refused);
	tcase_add_test(t, an_empty_kernel_is_refused);
	tcase_add_loop_test(t, a_section_twice_is_refused, 0, 3);
	tcase_add_loop_test(t, a_lying_section_is_refused, 0, 9);
	tcase_add_test(t, a_truncated_image_is_refused);
	tcase_add_test(t, what_a_section_is_rounded_up_by_is_not_used);
	tcase_add_test(t, a_line_that_no_kernel_takes_is_refused);
	tcase_add_test(t, a_line_ends_at_a_nul_and_has_no_control_characters);
	tcase_add_loop_test(t, what_cannot_be_booted_from_inside_is_named, 0, 3);
	tcase_add_test(t, a_packed_kernel_inside_is_refused);
	tcase_add_test(t, a_name_that_only_begins_so_is_another);
	tcase_add_test(t, more_sections_than_the_format_has_are_not_read);
}
