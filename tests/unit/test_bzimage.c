/* SPDX-License-Identifier: Apache-2.0 */
/* test_bzimage - what is read from a bzImage's header, and every way to be wrong. */
#include <errno.h>
#include <sys/stat.h>

#include "boot/bzimage.h"
#include "boot/ikconfig.h"
#include "tests/lib/unit.h"
#include "tests/unit/ikconfig.h"
#include "tests/unit/wrapped.h"
#include "tests/unit/x86_kernels.h"

static struct bz *b;
static struct setup_header *h;
static struct gmem m;
static struct kernel_file f;
static struct kernel k;
static struct err e;

static void setup(void)
{
	b = bz_new();
	h = bz_header(b);
	ram_init(&m, 64);
}

static void teardown(void)
{
	kernel_close(&f);
	gmem_fini(&m);
	free(b);
}

static int load_len(size_t len)
{
	ck_assert_int_eq(kernel_open(&f, file_of(b, len), &e), 0);
	ck_assert(bzimage_is(&f));
	return bzimage_load(&f, &m, &k, &e);
}

static int load(void)
{
	return load_len(sizeof(*b));
}

START_TEST(a_64bit_kernel_is_entered_at_0x200)
{
	ck_assert_int_eq(load(), 0);
	ck_assert_int_eq(k.mode, BOOT_LONG64);
	ck_assert_str_eq(k.protocol, "Linux 64-bit");
	ck_assert_uint_eq(k.start, 0x1000000);
	ck_assert_uint_eq(k.entry, 0x1000200);
	ck_assert_uint_eq(k.end, 0x1800000);
	ck_assert_uint_eq(k.initrd_end, 0x80000000);
	ck_assert_uint_eq(k.cmdline_max, 2047);
	ck_assert_uint_eq(k.setup_len, 0x26c - 0x1f1);
	ck_assert_mem_eq(gmem_slice(&m, k.start, BZ_CODE), b->code, BZ_CODE);
}
END_TEST

START_TEST(one_without_the_64bit_entry_is_entered_in_32bit_mode)
{
	h->xloadflags = 0;
	ck_assert_int_eq(load(), 0);
	ck_assert_int_eq(k.mode, BOOT_PROT32);
	ck_assert_uint_eq(k.entry, 0x1000000);
}
END_TEST

START_TEST(xloadflags_mean_nothing_before_2_12)
{
	h->version = 0x020b;
	ck_assert_int_eq(load(), 0);
	ck_assert_int_eq(k.mode, BOOT_PROT32);
}
END_TEST

/* 2.02 knows neither syssize, alignment, initrd_addr_max nor cmdline_size. */
START_TEST(the_oldest_protocol_gets_the_documented_defaults)
{
	h->version = 0x0202;
	h->syssize = 0xffff0001;
	ck_assert_int_eq(load(), 0);
	ck_assert_int_eq(k.mode, BOOT_PROT32);
	ck_assert_uint_eq(k.start, 0x100000);
	ck_assert_uint_eq(k.entry, 0x100000);
	ck_assert_uint_eq(k.end, 0x100000 + 4 * BZ_CODE);
	ck_assert_uint_eq(k.initrd_end, 0x38000000);
	ck_assert_uint_eq(k.cmdline_max, 255);
	ck_assert_mem_eq(gmem_slice(&m, 0x100000, BZ_CODE), b->code, BZ_CODE);
}
END_TEST

START_TEST(a_fixed_kernel_is_loaded_at_1_mib_and_runs_where_it_prefers)
{
	h->relocatable_kernel = 0;
	h->kernel_alignment = 0;
	ck_assert_int_eq(load(), 0);
	ck_assert_uint_eq(k.start, 0x100000);
	ck_assert_uint_eq(k.entry, 0x100200);
	ck_assert_uint_eq(k.end, 0x1800000);
}
END_TEST

START_TEST(a_small_kernel_fits_in_16_mib)
{
	gmem_fini(&m);
	ram_init(&m, 16);
	h->pref_address = 0x100000;
	h->kernel_alignment = 0x1000;
	h->init_size = 15 * MIB;
	ck_assert_int_eq(load(), 0);
	ck_assert_uint_eq(k.start, 0x100000);
	ck_assert_uint_eq(k.end, 16 * MIB);
}
END_TEST

START_TEST(no_preference_means_the_first_aligned_address_above_1_mib)
{
	h->pref_address = 0;
	ck_assert_int_eq(load(), 0);
	ck_assert_uint_eq(k.start, 0x200000);
}
END_TEST

START_TEST(too_little_memory_is_told_with_the_amount_needed)
{
	h->init_size = 0x3378000; /* as Debian's 6.1: 16 + 51.5 MiB */
	ck_assert_int_eq(load(), -ENOMEM);
	ck_says(e, "needs 68 MiB");
	ck_says(e, "has 64 MiB");
	ck_says(e, "--memory");
}
END_TEST

START_TEST(an_impossible_size_is_not_blamed_on_the_operator)
{
	h->init_size = 0xffffffff;
	ck_assert_int_eq(load(), -ENOMEM);
	ck_says(e, "damaged");
}
END_TEST

START_TEST(a_preferred_address_outside_ram_is_refused)
{
	static const uint64_t at[] = {0xc0000000, 0xffffffff, 0x100000000, 1ULL << 63,
				      UINT64_MAX};

	h->pref_address = at[_i];
	ck_assert_int_eq(load(), -ENOEXEC);
	ck_says(e, "where no memory is");
}
END_TEST

START_TEST(an_alignment_that_is_no_power_of_two_is_refused)
{
	static const uint32_t align[] = {0, 3, 0x200001, 0xffffffff};

	h->kernel_alignment = align[_i];
	ck_assert_int_eq(load(), -ENOEXEC);
	ck_says(e, "power of two");
}
END_TEST

START_TEST(the_largest_alignment_does_not_overflow)
{
	h->kernel_alignment = 0x80000000;
	ck_assert_int_eq(load(), -ENOMEM);
}
END_TEST

START_TEST(truncated_code_is_refused_with_both_sizes)
{
	ck_assert_int_eq(load_len(sizeof(*b) - 16), -ENOEXEC);
	ck_says(e, "truncated");
	ck_says(e, "100864"); /* what the header says */
	ck_says(e, "100848"); /* what there is */
}
END_TEST

START_TEST(truncated_setup_code_is_refused)
{
	static const size_t len[] = {0x206, 0x260,    0x290,
				     1024,  BZ_SETUP, BZ_SETUP + 0x200};

	h->syssize = 0;
	ck_assert_int_eq(load_len(len[_i]), -ENOEXEC);
	ck_assert(strstr(e.msg, "damaged") || strstr(e.msg, "protocol"));
}
END_TEST

START_TEST(a_last_paragraph_that_is_not_whole_is_no_truncation)
{
	ck_assert_int_eq(load_len(sizeof(*b) - 15), 0);
}
END_TEST

START_TEST(bytes_after_the_code_are_not_loaded)
{
	h->syssize = 8192 / 16;
	ck_assert_int_eq(load(), 0);
	ck_assert_mem_eq(gmem_slice(&m, k.start, 8192), b->code, 8192);
	ck_assert_uint_eq(*(uint64_t *)gmem_slice(&m, k.start + 8192, 8), 0);
}
END_TEST

START_TEST(a_header_without_code_is_refused)
{
	h->syssize = 0x20;
	ck_assert_int_eq(load(), -ENOEXEC);
	ck_says(e, "no code");
}
END_TEST

START_TEST(setup_sects_0_means_4)
{
	h->setup_sects = 0;
	ck_assert_int_eq(load(), 0);
	ck_assert_mem_eq(gmem_slice(&m, k.start, BZ_CODE), b->code, BZ_CODE);
}
END_TEST

START_TEST(an_ancient_protocol_is_refused)
{
	static const uint16_t version[] = {0, 0x0105, 0x0200, 0x0201};

	h->version = version[_i];
	ck_assert_int_eq(load(), -ENOEXEC);
	ck_says(e, "older than 2.02");
}
END_TEST

START_TEST(a_zimage_is_refused)
{
	h->loadflags = 0;
	ck_assert_int_eq(load(), -ENOEXEC);
	ck_says(e, "zImage");
}
END_TEST

START_TEST(a_jump_past_the_zero_page_is_cut_off)
{
	h->jump = 0xffeb;
	ck_assert_int_eq(load(), 0);
	ck_assert_uint_eq(k.setup_len, sizeof(k.setup));
}
END_TEST

START_TEST(a_short_header_leaves_later_fields_zero)
{
	h->jump = 0x00eb; /* ends at 0x202: not even a version */
	ck_assert_int_eq(load(), -ENOEXEC);
	ck_says(e, "older than 2.02");
}
END_TEST

/* A kernel with a configuration, packed, in @b's code at @at; as Linux' Makefile.lib does it, with
 * its length after all but gzip
 */
static void pack_as(int how, uint32_t at)
{
	struct ikc ikc = ikc_of(IKC_TEXT, strlen(IKC_TEXT));
	static uint8_t kernel[8192];
	static struct wrapped w;

	memcpy(kernel + 4096, ikc.bytes, ikc.len);
	wrap(&w, how, kernel, sizeof(kernel));
	if (how != 0) {
		memcpy(w.bytes + w.len, "\0\x20\0", 4);
		w.len += 4;
	}
	memcpy(b->code + at, w.bytes, w.len);
	h->payload_offset = at;
	h->payload_length = (uint32_t)w.len;
}

static void pack(uint32_t at)
{
	pack_as(0, at);
}

/* Is the configuration found in @b? */
static bool has_config(void)
{
	char *text = ikc_read(file_of(b, sizeof(*b)), 4096);
	bool has = text && strcmp(text, IKC_TEXT) == 0;

	ck_assert(has || !text);
	free(text);
	return has;
}

START_TEST(configuration_is_found_whatever_packs_the_kernel)
{
	pack_as(_i, 0x300);
	ck_assert(has_config());
}
END_TEST

START_TEST(configuration_inside_a_packed_kernel_is_found)
{
	pack(0x300);
	ck_assert(has_config());
	pack(0x4001);
	ck_assert(has_config());
	h->version = 0x0207; /* says nothing of a payload */
	ck_assert(!has_config());
}
END_TEST

START_TEST(payload_past_the_end_is_not_unpacked)
{
	pack(BZ_CODE - 1024);
	h->payload_length = 1024;
	ck_assert(has_config());
	h->payload_length = 1025;
	ck_assert(!has_config());
	pack(0x300);
	h->payload_offset = UINT32_MAX - 0x2ff;
	ck_assert(!has_config());
	h->payload_offset = 0x300;
	h->payload_length = UINT32_MAX;
	ck_assert(!has_config());
	h->payload_length = BZ_CODE - 0x2ff;
	ck_assert(!has_config());
	h->payload_length = BZ_CODE - 0x300;
	ck_assert(has_config());
	for (uint32_t len = 0; len < 5; len++) {
		h->payload_length = len;
		ck_assert(!has_config());
	}
}
END_TEST

START_TEST(payload_that_we_cannot_unpack_is_passed_over)
{
	pack(0x300);
	memcpy(b->code + 0x300,
	       "\xfd"
	       "7zXZ",
	       6);
	ck_assert(!has_config());
	/* and one that is not packed is looked at as it is */
	memcpy(b->code + 0x300, ikc_of(IKC_TEXT, strlen(IKC_TEXT)).bytes, IKC_MAX);
	ck_assert(has_config());
}
END_TEST

UNIT_MAIN("bzimage", setup, teardown, t)
{
	tcase_add_test(t, a_64bit_kernel_is_entered_at_0x200);
	tcase_add_test(t, one_without_the_64bit_entry_is_entered_in_32bit_mode);
	tcase_add_test(t, xloadflags_mean_nothing_before_2_12);
	tcase_add_test(t, the_oldest_protocol_gets_the_documented_defaults);
	tcase_add_test(t, a_fixed_kernel_is_loaded_at_1_mib_and_runs_where_it_prefers);
	tcase_add_test(t, a_small_kernel_fits_in_16_mib);
	tcase_add_test(t, no_preference_means_the_first_aligned_address_above_1_mib);
	tcase_add_test(t, too_little_memory_is_told_with_the_amount_needed);
	tcase_add_test(t, an_impossible_size_is_not_blamed_on_the_operator);
	tcase_add_loop_test(t, a_preferred_address_outside_ram_is_refused, 0, 5);
	tcase_add_loop_test(t, an_alignment_that_is_no_power_of_two_is_refused, 0, 4);
	tcase_add_test(t, the_largest_alignment_does_not_overflow);
	tcase_add_test(t, truncated_code_is_refused_with_both_sizes);
	tcase_add_loop_test(t, truncated_setup_code_is_refused, 0, 6);
	tcase_add_test(t, a_last_paragraph_that_is_not_whole_is_no_truncation);
	tcase_add_test(t, bytes_after_the_code_are_not_loaded);
	tcase_add_test(t, a_header_without_code_is_refused);
	tcase_add_test(t, setup_sects_0_means_4);
	tcase_add_loop_test(t, an_ancient_protocol_is_refused, 0, 4);
	tcase_add_test(t, a_zimage_is_refused);
	tcase_add_test(t, a_jump_past_the_zero_page_is_cut_off);
	tcase_add_test(t, a_short_header_leaves_later_fields_zero);
	tcase_add_loop_test(t, configuration_is_found_whatever_packs_the_kernel, 0,
			    WRAPS);
	tcase_add_test(t, configuration_inside_a_packed_kernel_is_found);
	tcase_add_test(t, payload_past_the_end_is_not_unpacked);
	tcase_add_test(t, payload_that_we_cannot_unpack_is_passed_over);
}
