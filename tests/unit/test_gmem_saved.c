/* SPDX-License-Identifier: Apache-2.0 */
/* test_gmem_saved - memory from a sparse file: what it holds, its holes, and what becomes of both */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "vmm/core/gmem.h"
#include "vmm/core/gmem_data.h"
#include "vmm/core/util.h"

#define LEN      (8 * MIB)
#define FILE_LEN (2 * LEN)

static struct gmem m;
static struct err e;
static int file;
static uint8_t *want; /* what the file has */

static void put(uint64_t at, size_t len)
{
	memset(want + at, 0x5a, len);
	ck_assert_int_eq(pwrite(file, want + at, len, (off_t)at), (ssize_t)len);
}

/* Two regions: a short piece, a long one, two that lie close together; the last page of all */
static void setup(void)
{
	file = memfd_create("memory", MFD_CLOEXEC);
	ck_assert_int_eq(ftruncate(file, FILE_LEN), 0);
	want = calloc(1, FILE_LEN);
	put(4096, 4096);
	put(MIB, 2 * MIB);
	put(4 * MIB, 40 * KIB);
	put(4 * MIB + 48 * KIB, 40 * KIB);
	put(LEN + MIB, MIB);
	put(FILE_LEN - 4096, 4096);
}

static void load(bool shared)
{
	gmem_init(&m, false);
	if (shared)
		gmem_share(&m);
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert_int_eq(gmem_add(&m, i * 4 * GIB, LEN, &e), 0);
		ck_assert_int_eq(gmem_map_saved(&m, i, file, i * LEN), 0);
	}
}

static void teardown(void)
{
	gmem_fini(&m);
	free(want);
	close(file);
}

static void all_is(const uint8_t *bytes)
{
	for (unsigned int i = 0; i < 2; i++)
		ck_assert_int_eq(memcmp(m.region[i].host, bytes + i * LEN, LEN), 0);
}

START_TEST(it_is_what_the_file_has)
{
	load(_i);
	all_is(want);
	ck_assert_uint_eq(m.nsaved, _i ? 0 : 3);
	memset(m.region[0].host + MIB, 1, 4096); /* and the file keeps what it has */
	memset(m.region[1].host, 1, 4096);
	ck_assert_int_eq(pread(file, want, LEN, 0), LEN);
	ck_assert_int_eq(want[MIB], 0x5a);
	ck_assert_int_eq(want[0], 0);
}
END_TEST

START_TEST(what_is_given_back_is_zero)
{
	uint8_t *p;

	load(false);
	p = m.region[0].host;
	memset(p + MIB, 1, 2 * MIB);
	ck_assert_uint_eq(gmem_release(&m, p, LEN), LEN);
	ck_assert_uint_eq(gmem_release(&m, m.region[1].host + MIB + 8192, 4096 + 100),
			  4096);
	memset(want, 0, LEN);
	memset(want + LEN + MIB + 8192, 0, 4096);
	all_is(want);
	memset(p + MIB, 7, 4096);
	ck_assert_uint_eq(gmem_release(&m, p + MIB, 4096), 4096);
	all_is(want);
}
END_TEST

/* Of a saved machine that is saved again: what was given back is zero there as well */
START_TEST(data_are_found)
{
	uint8_t *seen = calloc(1, FILE_LEN);
	struct gmem_walk w;
	struct gmem_run run;
	uint64_t sum = 0;

	load(false);
	memset(m.region[0].host + 6 * MIB, 3, 4096);
	memset(want + 6 * MIB, 3, 4096);
	(void)gmem_release(&m, m.region[0].host + MIB, MIB);
	memset(want + MIB, 0, MIB);
	gmem_walk_init(&w, &m);
	while (gmem_walk_next(&w, &run)) {
		uint64_t at = w.region * LEN + (run.gpa - m.region[w.region].gpa);

		memcpy(seen + at, run.host, run.len);
		sum += run.len;
	}
	gmem_walk_fini(&w);
	ck_assert_int_eq(memcmp(seen, want, FILE_LEN), 0);
	ck_assert_uint_lt(sum, 5 * MIB);
	free(seen);
}
END_TEST

START_TEST(file_that_is_too_short_is_refused)
{
	gmem_init(&m, false);
	ck_assert_int_eq(gmem_add(&m, 0, LEN, &e), 0);
	ck_assert_int_eq(gmem_map_saved(&m, 0, file, LEN + 4096), -EIO);
}
END_TEST

/* Every other page but far apart: more pieces than there is room for */
START_TEST(any_number_of_pieces_is_loaded)
{
	const uint64_t step = 192 * KIB, len = 2048 * step;
	uint8_t page[68 * KIB];
	int many = memfd_create("many", MFD_CLOEXEC);

	memset(page, 9, sizeof(page));
	ck_assert_int_eq(ftruncate(many, (off_t)len), 0);
	for (uint64_t at = 0; at < len; at += step)
		ck_assert_int_eq(pwrite(many, page, sizeof(page), (off_t)at),
				 (ssize_t)sizeof(page));
	gmem_init(&m, false);
	ck_assert_int_eq(gmem_add(&m, 0, len, &e), 0);
	ck_assert_int_eq(gmem_map_saved(&m, 0, many, 0), 0);
	for (uint64_t at = 0; at < len; at += step) {
		ck_assert_int_eq(memcmp(m.region[0].host + at, page, sizeof(page)), 0);
		ck_assert_int_eq(m.region[0].host[at + sizeof(page)], 0);
	}
	close(many);
}
END_TEST

/* A file that is cut short ends us with a sentence */
START_TEST(file_that_is_cut_short_is_told)
{
	int says[2], status;
	char text[256] = "";
	pid_t pid;

	load(false);
	ck_assert_int_eq(pipe(says), 0);
	pid = fork();
	if (pid == 0) {
		dup2(says[1], STDERR_FILENO);
		(void)!ftruncate(file, 0);
		_exit(m.region[0].host[MIB]);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	ck_assert_int_gt(read(says[0], text, sizeof(text) - 1), 0);
	ck_assert_msg(strstr(text, "the file of the saved memory was cut short"), "%s",
		      text);
	close(says[0]), close(says[1]);
}
END_TEST

UNIT_MAIN("gmem_saved", setup, teardown, t)
{
	tcase_add_loop_test(t, it_is_what_the_file_has, 0, 2);
	tcase_add_test(t, what_is_given_back_is_zero);
	tcase_add_test(t, data_are_found);
	tcase_add_test(t, file_that_is_too_short_is_refused);
	tcase_add_test(t, any_number_of_pieces_is_loaded);
	tcase_add_test(t, file_that_is_cut_short_is_told);
}
