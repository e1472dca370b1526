/* SPDX-License-Identifier: Apache-2.0 */
/* test_image_arm64 - arm64 kernels in all their wrappings, and every lie of a header. */
#include "boot/boot.h"
#include "boot/image_arm64.h"

#include <elf.h>
#include <errno.h>

#include "boot/ikconfig.h"
#include "tests/lib/unit.h"
#include "tests/unit/arm64_kernels.h"
#include "tests/unit/ikconfig.h"

#define RAM_MIB 8

static struct img img;
static struct wrapped wrapped;
static struct gmem m;
static struct kernel k;
static struct err e;

static void setup(void)
{
	img_init(&img);
	arm64_ram_init(&m, RAM_MIB);
}

static void teardown(void)
{
	gmem_fini(&m);
}

static int load_bytes(const void *bytes, size_t len)
{
	struct kernel_file f;
	int rc;

	ck_assert_int_eq(kernel_open(&f, file_of(bytes, len), &e), 0);
	rc = image_is(&f) ? image_load(&f, &m, &k, &e) : kernel_refuse(&f, &e);
	kernel_close(&f);
	return rc;
}

static int load(void)
{
	return load_bytes(&img, sizeof(img));
}

static int load_wrapped(void)
{
	return load_bytes(wrapped.bytes, wrapped.len);
}

static void check_loaded(gpa_t at, const char *protocol)
{
	ck_assert_uint_eq(k.start, at);
	ck_assert_uint_eq(k.entry, at);
	ck_assert_uint_eq(k.end, at + img.image_size);
	ck_assert_str_eq(k.protocol, protocol);
	ck_assert_mem_eq(gmem_slice(&m, at, sizeof(img)), &img, sizeof(img));
}

START_TEST(an_image_lies_where_ram_begins)
{
	ck_assert_int_eq(load(), 0);
	check_loaded(LAYOUT_RAM, "Image");
	ck_assert_uint_eq(k.page_size, 4096);
	ck_assert_uint_eq(k.cmdline_max, 2047);
	ck_assert_uint_eq(k.initrd_end, LAYOUT_RAM + 32 * GIB);
}
END_TEST

START_TEST(the_text_offset_is_kept)
{
	img.text_offset = 0x80000;
	ck_assert_int_eq(load(), 0);
	check_loaded(LAYOUT_RAM + 0x80000, "Image");
	teardown();
	arm64_ram_init(&m, RAM_MIB);
	wrap_gzip(&wrapped, &img, sizeof(img));
	ck_assert_int_eq(load_wrapped(), 0);
	check_loaded(LAYOUT_RAM + 0x80000, "Image.gz");
}
END_TEST

START_TEST(ram_that_begins_between_is_aligned)
{
	teardown();
	gmem_init(&m, false);
	ck_assert_int_eq(gmem_add(&m, LAYOUT_RAM + 0x10000, 8 * MIB, &e), 0);
	ck_assert_int_eq(load(), 0);
	check_loaded(LAYOUT_RAM + 2 * MIB, "Image");
	wrap_gzip(&wrapped, &img, sizeof(img));
	ck_assert_int_eq(load_wrapped(), 0);
	check_loaded(LAYOUT_RAM + 2 * MIB, "Image.gz");
}
END_TEST

START_TEST(compression_is_undone)
{
	char protocol[16];

	wrap(&wrapped, _i, &img, sizeof(img));
	ck_assert_int_eq(load_wrapped(), 0);
	(void)snprintf(protocol, sizeof(protocol), "Image.%s", wrap_suffix[_i]);
	check_loaded(LAYOUT_RAM, protocol);
}
END_TEST

START_TEST(bytes_after_gzip_are_left_alone)
{
	wrap_gzip(&wrapped, &img, sizeof(img));
	wrapped.len += 100; /* a signature, say */
	ck_assert_int_eq(load_wrapped(), 0);
}
END_TEST

START_TEST(zboot_is_undone)
{
	static const struct {
		const char *method, *protocol;
	} ways[WRAPS] = {{"gzip", "EFI zboot (gzip)"},
			 {"zstd22", "EFI zboot (zstd)"},
			 {"xzkern", "EFI zboot (xz)"},
			 {"lzma", "EFI zboot (lzma)"}};

	wrap(&wrapped, _i, &img, sizeof(img));
	wrap_zboot(&wrapped, ways[_i].method);
	ck_assert_int_eq(load_wrapped(), 0);
	check_loaded(LAYOUT_RAM, ways[_i].protocol);
}
END_TEST

START_TEST(another_compression_is_named)
{
	wrap_gzip(&wrapped, &img, sizeof(img));
	wrap_zboot(&wrapped, _i ? "gzip9" : "lzo");
	ck_assert_int_eq(load_wrapped(), -ENOEXEC);
	ck_says(e, _i ? "\"gzip9\"" : "\"lzo\"");
	ck_says(e, "give the Image");
}
END_TEST

START_TEST(a_big_endian_kernel_is_refused)
{
	img.flags |= 1;
	ck_assert_int_eq(load(), -ENOEXEC);
	ck_says(e, "big-endian");
	wrap_gzip(&wrapped, &img, sizeof(img));
	ck_assert_int_eq(load_wrapped(), -ENOEXEC);
	ck_says(e, "big-endian");
}
END_TEST

START_TEST(a_kernel_that_does_not_tell_its_size_is_refused)
{
	img.image_size = 0;
	ck_assert_int_eq(load(), -ENOEXEC);
	ck_says(e, "3.17");
}
END_TEST

START_TEST(a_misaligned_text_offset_is_refused)
{
	static const uint64_t off[] = {1, 4, 0x80800};

	img.text_offset = off[_i];
	ck_assert_int_eq(load(), -ENOEXEC);
	ck_says(e, "text offset");
}
END_TEST

START_TEST(a_lying_size_is_not_blamed_on_the_operator)
{
	static const uint64_t lie[] = {UINT64_MAX, 1ULL << 63, 1ULL << 40};

	img.image_size = lie[_i];
	ck_assert_int_lt(load(), 0);
	ck_says(e, "damaged");
	img.image_size = IMG_SIZE;
	img.text_offset = ALIGN_DOWN(lie[_i], PAGE_SIZE);
	ck_assert_int_lt(load(), 0);
	ck_says(e, "damaged");
	ck_assert_ptr_null(strstr(e.msg, "--memory"));
}
END_TEST

START_TEST(too_little_memory_is_told_with_the_amount_needed)
{
	img.image_size = RAM_MIB * MIB;
	ck_assert_int_eq(load(), 0);
	img.image_size++;
	ck_assert_int_eq(load(), -ENOMEM);
	ck_says(e, "needs 9 MiB");
	ck_says(e, "has 8 MiB");
	ck_says(e, "--memory");
}
END_TEST

START_TEST(a_file_longer_than_the_image_counts)
{
	img.image_size = 4096;
	ck_assert_int_eq(load(), 0);
	ck_assert_uint_eq(k.end, k.start + IMG_LEN);
}
END_TEST

/* A PE header with one section, as EFI stubs have it */
static void add_pe(uint32_t at, uint32_t raw_len, uint32_t raw_off)
{
	uint8_t *p = (uint8_t *)&img + at;

	img.pe = at;
	memset(p, 0, 24 + 160 + 40);
	memcpy(p, "PE\0\0\x64\xaa\x01\0", 8);
	p[20] = 160;
	memcpy(p + 24 + 160 + 16, &raw_len, 4);
	memcpy(p + 24 + 160 + 20, &raw_off, 4);
}

START_TEST(a_truncated_image_is_told_by_its_sections)
{
	add_pe(64, IMG_LEN - 4096, 4096);
	ck_assert_int_eq(load(), 0);
	add_pe(64, IMG_LEN - 4095, 4096);
	ck_assert_int_eq(load(), -ENOEXEC);
	ck_says(e, "truncated");
	ck_says(e, "98305");
	ck_says(e, "98304");
	add_pe(64, UINT32_MAX, UINT32_MAX);
	ck_assert_int_eq(load(), -ENOEXEC);
}
END_TEST

START_TEST(a_pe_header_out_of_sight_is_left_alone)
{
	static const uint32_t at[] = {1020, 1021, 1024, UINT32_MAX};

	add_pe(512, 0, 0);
	memcpy((uint8_t *)&img + 512 + 20, "\xff\xff", 2); /* sections far past the end */
	ck_assert_int_eq(load(), 0);
	img.pe = at[_i];
	memcpy((uint8_t *)&img + 1020, "PE\0\0", 4);
	ck_assert_int_eq(load(), 0);
}
END_TEST

START_TEST(a_truncated_header_is_no_image)
{
	for (size_t len = 1; len < 60; len++)
		ck_assert_int_eq(load_bytes(&img, len), -ENOEXEC);
	ck_assert_int_eq(load_bytes(&img, 64), 0);
}
END_TEST

START_TEST(truncated_compressed_data_is_refused)
{
	static const char *const methods[WRAPS] = {"gzip", "zstd", "xzkern", "lzma"};

	for (size_t cut = 1; cut < 4000; cut += 397) {
		wrap(&wrapped, _i, &img, sizeof(img));
		wrapped.len -= cut;
		wrap_zboot(&wrapped, methods[_i]);
		ck_assert_int_eq(load_wrapped(), -ENOEXEC);
		ck_says(e, "cannot be decompressed");
	}
}
END_TEST

START_TEST(damaged_compressed_data_is_refused)
{
	wrap_gzip(&wrapped, &img, sizeof(img));
	wrapped.bytes[wrapped.len / 2] ^= 0x10;
	ck_assert_int_eq(load_wrapped(), -ENOEXEC);
	ck_says(e, "damaged");
}
END_TEST

START_TEST(a_lying_zboot_header_is_refused)
{
	static const struct {
		uint32_t off, len;
		const char *says;
	} lie[] = {
		{ZBOOT_PAYLOAD, UINT32_MAX, "truncated"},
		{UINT32_MAX, UINT32_MAX, "truncated"},
		{UINT32_MAX, 1, "truncated"},
		{0, 100, "nothing is in it"},
		{ZBOOT_PAYLOAD, 0, "nothing is in it"},
		{ZBOOT_PAYLOAD + 1, 100, "cannot be decompressed"},
	};

	wrap_gzip(&wrapped, &img, sizeof(img));
	wrap_zboot(&wrapped, "gzip");
	memcpy(wrapped.bytes + 8, &lie[_i].off, 4);
	memcpy(wrapped.bytes + 12, &lie[_i].len, 4);
	ck_assert_int_eq(load_wrapped(), -ENOEXEC);
	ck_says(e, lie[_i].says);
}
END_TEST

/* 16 MiB in a few hundred bytes to some KiB */
START_TEST(a_bomb_stops_where_ram_ends)
{
	size_t len = 2 * RAM_MIB * MIB;
	struct img *big = calloc(1, len);

	ck_assert_ptr_nonnull(big);
	*big = img;
	wrap(&wrapped, _i, big, len);
	free(big);
	ck_assert_int_eq(load_wrapped(), -ENOMEM);
	ck_says(e, "more than the guest's 8 MiB");
	ck_says(e, "--memory");
}
END_TEST

START_TEST(what_just_fits_is_decompressed)
{
	size_t len = RAM_MIB * MIB;
	struct img *big = calloc(1, len);

	ck_assert_ptr_nonnull(big);
	*big = img;
	wrap_gzip(&wrapped, big, len);
	free(big);
	ck_assert_int_eq(load_wrapped(), 0);
	ck_assert_uint_eq(k.end, LAYOUT_RAM + len);
}
END_TEST

START_TEST(what_else_is_compressed_is_named)
{
	uint8_t head[2048] = {0};

	memcpy(head + 0x202, "HdrS", 4);
	wrap_gzip(&wrapped, head, sizeof(head));
	ck_assert_int_eq(load_wrapped(), -ENOEXEC);
	ck_says(e, "x86-64 bzImage");
	wrap_gzip(&wrapped, "hello\n", 6);
	ck_assert_int_eq(load_wrapped(), -ENOEXEC);
	ck_says(e, "text file");
	wrap_gzip(&wrapped, "", 0);
	ck_assert_int_eq(load_wrapped(), -ENOEXEC);
}
END_TEST

static void check_stranger(size_t at, const void *magic, size_t len, const char *says)
{
	uint8_t head[2048] = {0};

	memcpy(head + at, magic, len);
	ck_assert_int_eq(load_bytes(head, sizeof(head)), -ENOEXEC);
	ck_says(e, says);
	ck_says(e, "kernel /proc/self/fd/");
}

START_TEST(kernels_of_other_machines_are_named)
{
	Elf64_Ehdr eh = {.e_ident = ELFMAG, .e_machine = EM_X86_64};

	check_stranger(0x202, "HdrS", 4, "is an x86-64 bzImage, but this host is arm64");
	check_stranger(0x38, "RSC\x05", 4, "riscv64");
	check_stranger(0, &eh, sizeof(eh), "x86-64 ELF file");
	eh.e_machine = EM_RISCV;
	check_stranger(0, &eh, sizeof(eh), "ELF file for another machine");
	eh.e_machine = EM_AARCH64;
	check_stranger(0, &eh, sizeof(eh), "arch/arm64/boot/Image");
	check_stranger(0, "MZ", 2, "not a kernel Image");
	check_stranger(0, "\xd0\x0d\xfe\xed", 4, "device tree");
	check_stranger(0x1fe, "\x55\xaa", 2, "--disk");
}
END_TEST

/* Two processors: one with all granules, one with none (Arm ARM, ID_AA64MMFR0_EL1) */
START_TEST(a_page_size_that_the_processor_lacks_is_refused)
{
	static const uint32_t size[] = {4096, 16384, 65536};
	static const uint64_t all = 0x00200000, none = 0xff000000;

	ck_assert_int_eq(boot_check_granule(size[_i], all, &e), 0);
	ck_assert_int_eq(boot_check_granule(size[_i], none, &e), -ENOEXEC);
	ck_says(e, _i == 0 ? "4 KiB" : _i == 1 ? "16 KiB" : "64 KiB");
	ck_assert_int_eq(boot_check_granule(0, none, &e), 0);
	img.flags = (uint64_t)(_i + 1) << 1;
	ck_assert_int_eq(load(), 0);
	ck_assert_uint_eq(k.page_size, size[_i]);
}
END_TEST

static bool has_config(const void *bytes, size_t len)
{
	char *text = ikc_read(file_of(bytes, len), 4096);
	bool has = text && strcmp(text, IKC_TEXT) == 0;

	ck_assert(has || !text);
	free(text);
	return has;
}

START_TEST(configuration_inside_is_found_in_every_wrapping)
{
	struct ikc ikc = ikc_of(IKC_TEXT, strlen(IKC_TEXT));

	ck_assert(!has_config(&img, sizeof(img)));
	memcpy(&img.rest[1000], ikc.bytes, ikc.len);
	ck_assert(has_config(&img, sizeof(img)));
	wrap_gzip(&wrapped, &img, sizeof(img));
	ck_assert(has_config(wrapped.bytes, wrapped.len));
	wrap_zboot(&wrapped, "gzip");
	ck_assert(has_config(wrapped.bytes, wrapped.len));
	ck_assert(!has_config(wrapped.bytes, wrapped.len / 2));
	wrap_zstd(&wrapped, &img, sizeof(img));
	wrap_zboot(&wrapped, "zstd22");
	ck_assert(has_config(wrapped.bytes, wrapped.len));
	ck_assert(!has_config(wrapped.bytes, wrapped.len / 2));
}
END_TEST

UNIT_MAIN("image_arm64", setup, teardown, t)
{
	tcase_add_test(t, configuration_inside_is_found_in_every_wrapping);
	tcase_add_test(t, an_image_lies_where_ram_begins);
	tcase_add_test(t, the_text_offset_is_kept);
	tcase_add_test(t, ram_that_begins_between_is_aligned);
	tcase_add_loop_test(t, compression_is_undone, 0, WRAPS);
	tcase_add_test(t, bytes_after_gzip_are_left_alone);
	tcase_add_loop_test(t, zboot_is_undone, 0, WRAPS);
	tcase_add_loop_test(t, another_compression_is_named, 0, 2);
	tcase_add_test(t, a_big_endian_kernel_is_refused);
	tcase_add_test(t, a_kernel_that_does_not_tell_its_size_is_refused);
	tcase_add_loop_test(t, a_misaligned_text_offset_is_refused, 0, 3);
	tcase_add_loop_test(t, a_lying_size_is_not_blamed_on_the_operator, 0, 3);
	tcase_add_test(t, too_little_memory_is_told_with_the_amount_needed);
	tcase_add_test(t, a_file_longer_than_the_image_counts);
	tcase_add_test(t, a_truncated_image_is_told_by_its_sections);
	tcase_add_loop_test(t, a_pe_header_out_of_sight_is_left_alone, 0, 4);
	tcase_add_test(t, a_truncated_header_is_no_image);
	tcase_add_loop_test(t, truncated_compressed_data_is_refused, 0, WRAPS);
	tcase_add_test(t, damaged_compressed_data_is_refused);
	tcase_add_loop_test(t, a_lying_zboot_header_is_refused, 0, 6);
	tcase_add_loop_test(t, a_bomb_stops_where_ram_ends, 0, WRAPS);
	tcase_add_test(t, what_just_fits_is_decompressed);
	tcase_add_test(t, what_else_is_compressed_is_named);
	tcase_add_test(t, kernels_of_other_machines_are_named);
	tcase_add_loop_test(t, a_page_size_that_the_processor_lacks_is_refused, 0, 3);
}
