/* SPDX-License-Identifier: Apache-2.0 */
/* test_gmem - guest RAM: the gate for guest addresses, its guard, files loaded into it. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "tests/lib/vm_flags.h"
#include "vmm/core/gmem.h"
#include "vmm/core/util.h"

#define LOW_LEN  (2 * MIB)
#define HIGH     (4 * GIB)
#define HIGH_LEN (1 * MIB)

static struct gmem mem;
static struct err err;

static void setup(void)
{
	gmem_init(&mem, false);
	ck_assert_int_eq(gmem_add(&mem, 0, LOW_LEN, &err), 0);
	ck_assert_int_eq(gmem_add(&mem, HIGH, HIGH_LEN, &err), 0);
}

static void teardown(void)
{
	gmem_fini(&mem);
}

/* A file of @len bytes that say where they are, unlinked */
static int make_file(size_t len)
{
	char name[] = "/tmp/test_gmem.XXXXXX";
	int fd = mkstemp(name);
	uint32_t *words = malloc(len);

	ck_assert(fd >= 0 && words);
	unlink(name);
	for (size_t i = 0; i < len / 4; i++)
		words[i] = (uint32_t)i;
	ck_assert_int_eq(write_full(fd, words, len), (long)len);
	free(words);
	return fd;
}

static bool holds_file(gpa_t gpa, size_t len, uint32_t first)
{
	for (size_t i = 0; i < len / 4; i++) {
		uint32_t v;

		if (gmem_read(&mem, gpa + i * 4, &v, 4) || v != first + i)
			return false;
	}
	return true;
}

START_TEST(ranges_in_one_region_are_given)
{
	ck_assert_ptr_eq(gmem_slice(&mem, 0, 1), mem.region[0].host);
	ck_assert_ptr_eq(gmem_slice(&mem, 0, LOW_LEN), mem.region[0].host);
	ck_assert_ptr_eq(gmem_slice(&mem, LOW_LEN - 1, 1),
			 mem.region[0].host + LOW_LEN - 1);
	ck_assert_ptr_eq(gmem_slice(&mem, HIGH, HIGH_LEN), mem.region[1].host);
	ck_assert_uint_eq(gmem_size(&mem), LOW_LEN + HIGH_LEN);
	ck_assert_uint_eq(gmem_end(&mem), HIGH + HIGH_LEN);
}
END_TEST

START_TEST(ranges_that_leave_ram_are_refused)
{
	static const struct {
		gpa_t gpa;
		size_t len;
	} bad[] = {
		{0, 0},
		{HIGH, 0},
		{LOW_LEN, 1},
		{LOW_LEN - 1, 2},
		{0, LOW_LEN + 1},
		{0, SIZE_MAX},
		{1, SIZE_MAX},
		{HIGH - 1, 2},
		{HIGH + HIGH_LEN, 1},
		{HIGH + 1, HIGH_LEN},
		{0, HIGH + HIGH_LEN},
		{UINT64_MAX, 1},
		{UINT64_MAX, 2},
		{UINT64_MAX - 4095, 8192},
	};
	char byte[2] = "z";

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_ptr_null(gmem_slice(&mem, bad[i].gpa, bad[i].len));
	ck_assert_int_eq(gmem_read(&mem, LOW_LEN - 1, byte, 2), -EFAULT);
	ck_assert_int_eq(byte[0], 'z');
	ck_assert_int_eq(gmem_write(&mem, LOW_LEN - 1, byte, 2), -EFAULT);
	ck_assert_int_eq(mem.region[0].host[LOW_LEN - 1], 0);
}
END_TEST

START_TEST(written_bytes_are_read_back)
{
	char got[6];

	ck_assert_int_eq(gmem_write(&mem, HIGH + 3, "hello", 6), 0);
	ck_assert_int_eq(gmem_read(&mem, HIGH + 3, got, 6), 0);
	ck_assert_str_eq(got, "hello");
}
END_TEST

START_TEST(the_byte_behind_a_region_faults)
{
	signal(SIGSEGV, SIG_DFL); /* not the sanitizer's */
	*(volatile uint8_t *)(mem.region[0].host + LOW_LEN) = 1;
}
END_TEST

START_TEST(four_gib_behind_a_region_still_fault)
{
	signal(SIGSEGV, SIG_DFL); /* not the sanitizer's */
	*(volatile uint8_t *)(mem.region[0].host + LOW_LEN + UINT32_MAX) = 1;
}
END_TEST

/* The kernel puts no other mapping there: the range is ours */
START_TEST(four_gib_after_a_region_are_reserved)
{
	for (uint64_t off = 0; off < 4 * GIB; off += 64 * MIB)
		ck_assert_int_eq(
			msync(mem.region[0].host + LOW_LEN + off, PAGE_SIZE, MS_ASYNC),
			0);
}
END_TEST

START_TEST(sizes_that_are_no_pages_are_refused)
{
	struct gmem m;

	gmem_init(&m, false);
	ck_assert_int_eq(gmem_add(&m, 0, 0, &err), -EINVAL);
	ck_assert_int_eq(gmem_add(&m, 0, 4095, &err), -EINVAL);
	gmem_init(&m, true);
	ck_assert_int_eq(gmem_add(&m, 0, 3 * MIB, &err), -EINVAL);
	ck_assert_uint_eq(m.n, 0);
	ck_assert_uint_eq(gmem_end(&m), 0);
	gmem_fini(&m);
}
END_TEST

START_TEST(more_than_the_host_can_map_is_an_error)
{
	struct gmem m;

	gmem_init(&m, false);
	ck_assert_int_eq(gmem_add(&m, 0, UINT64_C(1) << 47, &err), -ENOMEM);
	ck_assert_int_eq(gmem_add(&m, 0, UINT64_MAX - 4095, &err), -ENOMEM);
	ck_assert_uint_eq(m.n, 0);
}
END_TEST

START_TEST(huge_pages_are_had_or_explained)
{
	struct gmem m;
	int rc;

	gmem_init(&m, true);
	rc = gmem_add(&m, 0, 2 * MIB, &err);
	if (rc == 0) {
		ck_assert_uint_eq((uintptr_t)m.region[0].host % (2 * MIB), 0);
		m.region[0].host[2 * MIB - 1] = 1;
	} else {
		ck_assert_int_eq(rc, -ENOMEM);
		ck_assert_ptr_nonnull(strstr(err.msg, "vm.nr_hugepages"));
	}
	gmem_fini(&m);
}
END_TEST

/* Mappings of this process whose address space is kept from others */
static size_t count_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	size_t n = 0;
	int c;

	ck_assert_ptr_nonnull(f);
	while ((c = fgetc(f)) != EOF)
		n += c == '\n';
	(void)fclose(f);
	return n;
}

START_TEST(nothing_is_left_behind)
{
	size_t before;

	teardown();
	before = count_maps();
	for (int i = 0; i < 20; i++) {
		setup();
		teardown();
	}
	ck_assert_uint_le(count_maps(), before);
}
END_TEST

START_TEST(ram_stays_out_of_core_dumps)
{
	ck_assert(vm_flag(mem.region[1].host, "dd"));
}
END_TEST

START_TEST(aligned_file_is_loaded_and_its_rest_stays_zero)
{
	int fd = make_file(256 * KIB);

	ck_assert_int_eq(gmem_map_file(&mem, 64 * KIB, fd, 4096, 200 * KIB + 12), 0);
	ck_assert(holds_file(64 * KIB, 200 * KIB + 12, 1024));
	ck_assert_uint_eq(mem.region[0].host[264 * KIB + 12], 0);
	ck_assert_uint_eq(mem.region[0].host[64 * KIB - 1], 0);
	close(fd);
}
END_TEST

START_TEST(unaligned_file_is_loaded)
{
	int fd = make_file(256 * KIB);

	ck_assert_int_eq(gmem_map_file(&mem, 64 * KIB + 4, fd, 4096, 128 * KIB), 0);
	ck_assert(holds_file(64 * KIB + 4, 128 * KIB, 1024));
	ck_assert_int_eq(gmem_map_file(&mem, 64 * KIB, fd, 512, 128 * KIB), 0);
	ck_assert(holds_file(64 * KIB, 128 * KIB, 128));
	close(fd);
}
END_TEST

START_TEST(copied_file_is_no_mapping)
{
	int fd = make_file(256 * KIB);
	size_t before = count_maps();

	ck_assert_int_eq(gmem_load_file(&mem, 64 * KIB, fd, 4096, 200 * KIB + 12), 0);
	ck_assert(holds_file(64 * KIB, 200 * KIB + 12, 1024));
	ck_assert_uint_eq(count_maps(), before);
	ck_assert_int_eq(gmem_load_file(&mem, 0, fd, 0, 256 * KIB + 1), -EIO);
	ck_assert_int_eq(gmem_load_file(&mem, 0, fd, UINT64_MAX, 16), -EIO);
	ck_assert_int_eq(gmem_load_file(&mem, LOW_LEN, fd, 0, 4), -EFAULT);
	close(fd);
}
END_TEST

/* Otherwise the host cannot back them by huge pages */
START_TEST(regions_are_aligned_to_2_mib_here_too)
{
	for (unsigned int i = 0; i < mem.n; i++)
		ck_assert_uint_eq((uintptr_t)mem.region[i].host % (2 * MIB),
				  mem.region[i].gpa % (2 * MIB));
}
END_TEST

START_TEST(guest_writes_do_not_reach_the_file)
{
	int fd = make_file(128 * KIB);
	uint32_t v = 0xffffffff;

	ck_assert_int_eq(gmem_map_file(&mem, 0, fd, 0, 128 * KIB), 0);
	ck_assert_int_eq(gmem_write(&mem, 0, &v, 4), 0);
	ck_assert_int_eq(pread_full(fd, &v, 4, 0), 4);
	ck_assert_uint_eq(v, 0);
	close(fd);
}
END_TEST

START_TEST(short_file_is_refused)
{
	int fd = make_file(128 * KIB);

	ck_assert_int_eq(gmem_map_file(&mem, 0, fd, 0, 128 * KIB + 1), -EIO);
	ck_assert_int_eq(gmem_map_file(&mem, 0, fd, 4096, 128 * KIB), -EIO);
	ck_assert_int_eq(gmem_map_file(&mem, 0, fd, 128 * KIB, 16), -EIO);
	ck_assert_int_eq(gmem_map_file(&mem, 0, fd, INT64_MAX, 16), -EIO);
	ck_assert_int_eq(gmem_map_file(&mem, 0, fd, UINT64_MAX, 128 * KIB), -EIO);
	close(fd);
}
END_TEST

START_TEST(file_over_the_end_of_ram_is_refused)
{
	int fd = make_file(128 * KIB);

	ck_assert_int_eq(gmem_map_file(&mem, LOW_LEN - 4096, fd, 0, 128 * KIB), -EFAULT);
	ck_assert_int_eq(gmem_map_file(&mem, LOW_LEN, fd, 0, 4), -EFAULT);
	ck_assert_uint_eq(mem.region[0].host[LOW_LEN - 4096], 0);
	close(fd);
}
END_TEST

START_TEST(shared_accesses_are_whole)
{
	uint32_t word = 0;

	shared_store16(&word, 0xabcd);
	ck_assert_uint_eq(shared_load16(&word), 0xabcd);
	shared_store32(&word, 0x12345678);
	ck_assert_uint_eq(shared_load32(&word), 0x12345678);
	shared_copy(&word, "\1\2\3\4", 4);
	ck_assert_uint_eq(word, 0x04030201);
}
END_TEST

UNIT_MAIN("gmem", setup, teardown, t)
{
	tcase_add_test(t, ranges_in_one_region_are_given);
	tcase_add_test(t, ranges_that_leave_ram_are_refused);
	tcase_add_test(t, written_bytes_are_read_back);
	tcase_add_test(t, four_gib_after_a_region_are_reserved);
	tcase_add_test_raise_signal(t, the_byte_behind_a_region_faults, SIGSEGV);
	tcase_add_test_raise_signal(t, four_gib_behind_a_region_still_fault, SIGSEGV);
	tcase_add_test(t, sizes_that_are_no_pages_are_refused);
	tcase_add_test(t, more_than_the_host_can_map_is_an_error);
	tcase_add_test(t, huge_pages_are_had_or_explained);
	tcase_add_test(t, nothing_is_left_behind);
	tcase_add_test(t, ram_stays_out_of_core_dumps);
	tcase_add_test(t, aligned_file_is_loaded_and_its_rest_stays_zero);
	tcase_add_test(t, unaligned_file_is_loaded);
	tcase_add_test(t, copied_file_is_no_mapping);
	tcase_add_test(t, regions_are_aligned_to_2_mib_here_too);
	tcase_add_test(t, guest_writes_do_not_reach_the_file);
	tcase_add_test(t, short_file_is_refused);
	tcase_add_test(t, file_over_the_end_of_ram_is_refused);
	tcase_add_test(t, shared_accesses_are_whole);
}
