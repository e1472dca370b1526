/* SPDX-License-Identifier: Apache-2.0 */
/* test_unwrap - a compressed x86-64 kernel is loaded as it would be if it were not. */
#include <errno.h>

#include "boot/bzimage.h"
#include "boot/elf.h"
#include "boot/unpack.h"
#include "tests/lib/unit.h"
#include "tests/unit/ikconfig.h"
#include "tests/unit/wrapped.h"
#include "tests/unit/x86_kernels.h"

static struct ek *x;
static struct wrapped w;
static struct kernel_file f;
static struct kernel k;
static struct gmem m;
static struct err e;

static void setup(void)
{
	x = ek_new();
	ram_init(&m, 64);
}

static void teardown(void)
{
	kernel_close(&f);
	gmem_fini(&m);
	free(x);
}

static int unwrap(const void *bytes, size_t len)
{
	ck_assert_int_eq(kernel_open(&f, file_of(bytes, len), &e), 0);
	return kernel_unwrap(&f, 0, &e);
}

START_TEST(a_compressed_vmlinux_is_loaded)
{
	wrap(&w, _i, x, sizeof(*x));
	ck_assert_int_eq(unwrap(w.bytes, w.len), 0);
	ck_assert(elf_is(&f));
	ck_assert_int_eq(elf_load(&f, &m, &k, &e), 0);
	ck_assert_uint_eq(k.entry, 0x1000010);
	ck_assert_mem_eq(gmem_slice(&m, 0x1000000, EK_TEXT), x->text_bytes, EK_TEXT);
	ck_assert_mem_eq(gmem_slice(&m, 0x1200000, EK_DATA), x->data_bytes, EK_DATA);
}
END_TEST

/* Mapped, a part of it would keep all of it in memory */
START_TEST(what_was_unpacked_is_copied)
{
	static uint8_t kernel[MIB];

	memset(kernel, 0xda, sizeof(kernel));
	wrap_gzip(&w, kernel, sizeof(kernel));
	ck_assert_int_eq(unwrap(w.bytes, w.len), 0);
	ck_assert_int_eq(kernel_map_part(&f, &m, MIB, 0, sizeof(kernel), &e), 0);
	ck_assert_mem_eq(gmem_slice(&m, MIB, sizeof(kernel)), kernel, sizeof(kernel));
	ck_assert_ptr_null(m.file.end);
	kernel_close(&f);
	ck_assert_int_eq(unwrap(kernel, sizeof(kernel)), 0);
	ck_assert_int_eq(kernel_map_part(&f, &m, MIB, 0, sizeof(kernel), &e), 0);
	ck_assert_ptr_nonnull(m.file.end);
}
END_TEST

START_TEST(a_compressed_bzimage_is_loaded)
{
	struct bz *b = bz_new();

	wrap(&w, _i, b, sizeof(*b));
	ck_assert_int_eq(unwrap(w.bytes, w.len), 0);
	ck_assert(bzimage_is(&f));
	ck_assert_int_eq(bzimage_load(&f, &m, &k, &e), 0);
	ck_assert_mem_eq(gmem_slice(&m, k.start, BZ_CODE), b->code, BZ_CODE);
	free(b);
}
END_TEST

START_TEST(a_plain_kernel_is_left_where_it_is)
{
	int fd;

	ck_assert_int_eq(kernel_open(&f, ek_file(x), &e), 0);
	fd = f.file.fd;
	ck_assert_int_eq(kernel_unwrap(&f, 0, &e), 0);
	ck_assert_int_eq(f.file.fd, fd);
	ck_assert(!f.unpacked && !f.uki && !f.words && f.file.at == 0);
}
END_TEST

START_TEST(damaged_data_is_refused)
{
	wrap(&w, _i, x, sizeof(*x));
	ck_assert_int_eq(unwrap(w.bytes, w.len / 2), -ENOEXEC);
	ck_says(e, "cannot be decompressed to its end");
	ck_says(e, "fetch or build it again");
	ck_says(e, f.file.path);
	kernel_close(&f);
	ck_assert_int_eq(unwrap(w.bytes, 6), -ENOEXEC);
}
END_TEST

START_TEST(what_else_is_compressed_is_named)
{
	wrap(&w, _i, "Dear kernel\n", 12);
	ck_assert_int_eq(unwrap(w.bytes, w.len), 0);
	ck_assert_int_eq(kernel_refuse(&f, &e), -ENOEXEC);
	ck_says(e, "is a text file");
	kernel_close(&f);
	wrap(&w, _i, "", 0);
	ck_assert_int_eq(unwrap(w.bytes, w.len), 0);
	ck_assert_int_eq(kernel_refuse(&f, &e), -ENOEXEC);
}
END_TEST

/* A decoder that wants 2 GiB for its dictionary */
START_TEST(a_dictionary_beyond_bounds_is_refused)
{
	wrap_lzma(&w, x, sizeof(*x));
	memcpy(w.bytes + 1, "\0\0\0\x80", 4);
	ck_assert_int_eq(unwrap(w.bytes, w.len), -ENOMEM);
	ck_says(e, "cannot be decompressed");
}
END_TEST

/* One byte is missing */
START_TEST(no_more_is_unpacked_than_there_is_room)
{
	uint8_t room[sizeof(*x)];
	const struct packing *packing;

	wrap(&w, _i, x, sizeof(*x));
	packing = packing_of(w.bytes);
	ck_assert_ptr_nonnull(packing);
	ck_assert_int_eq(packing->how(w.bytes, w.len, room, sizeof(room)), sizeof(room));
	memset(room, 0xee, sizeof(room));
	ck_assert_int_eq(packing->how(w.bytes, w.len, room, sizeof(room) - 1), -EFBIG);
	ck_assert_uint_eq(room[sizeof(room) - 1], 0xee);
}
END_TEST

START_TEST(a_configuration_inside_is_found)
{
	struct ikc ikc = ikc_of(IKC_TEXT, strlen(IKC_TEXT));
	char *text;

	memcpy(x->text_bytes + 100, ikc.bytes, ikc.len);
	wrap(&w, _i, x, sizeof(*x));
	text = ikc_read(file_of(w.bytes, w.len), 4096);
	ck_assert_ptr_nonnull(text);
	ck_assert_str_eq(text, IKC_TEXT);
	free(text);
}
END_TEST

UNIT_MAIN("unwrap", setup, teardown, t)
{
	tcase_add_loop_test(t, a_compressed_vmlinux_is_loaded, 0, WRAPS);
	tcase_add_test(t, what_was_unpacked_is_copied);
	tcase_add_loop_test(t, a_compressed_bzimage_is_loaded, 0, WRAPS);
	tcase_add_test(t, a_plain_kernel_is_left_where_it_is);
	tcase_add_loop_test(t, damaged_data_is_refused, 0, WRAPS);
	tcase_add_loop_test(t, what_else_is_compressed_is_named, 0, WRAPS);
	tcase_add_test(t, a_dictionary_beyond_bounds_is_refused);
	tcase_add_loop_test(t, no_more_is_unpacked_than_there_is_room, 0, WRAPS);
	tcase_add_loop_test(t, a_configuration_inside_is_found, 0, WRAPS);
}
