/* SPDX-License-Identifier: Apache-2.0 */
/* test_gmem_data - runs of memory that hold something, and memory that goes elsewhere. */
#include "vmm/core/gmem_data.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "vmm/core/util.h"

#define LOW  (8 * MIB)
#define HIGH (4 * GIB)

static struct gmem mem;
static struct err err;
static uint64_t page;

static void make(bool shared)
{
	gmem_init(&mem, false);
	if (shared)
		gmem_share(&mem);
	ck_assert_int_eq(gmem_add(&mem, 0, LOW, &err), 0);
	ck_assert_int_eq(gmem_add(&mem, HIGH, LOW, &err), 0);
}

static void setup(void)
{
	page = (uint64_t)sysconf(_SC_PAGESIZE);
	make(false);
}

static void teardown(void)
{
	gmem_fini(&mem);
}

static void put(gpa_t at, uint8_t value)
{
	ck_assert_int_eq(gmem_write(&mem, at, &value, 1), 0);
}

static uint8_t get(gpa_t at)
{
	uint8_t value = 0;

	ck_assert_int_eq(gmem_read(&mem, at, &value, 1), 0);
	return value;
}

/* Return: bytes in runs.  Each run lies in memory, after the one before it, in whole pages */
static uint64_t walk(struct gmem_run *run, unsigned int max, unsigned int *n)
{
	struct gmem_walk w;
	struct gmem_run r;
	uint64_t sum = 0;
	gpa_t last = 0;

	*n = 0;
	gmem_walk_init(&w, &mem);
	while (gmem_walk_next(&w, &r)) {
		ck_assert_ptr_eq(gmem_slice(&mem, r.gpa, r.len), r.host);
		ck_assert(*n == 0 || r.gpa > last);
		ck_assert_uint_eq(r.gpa % page + r.len % page, 0);
		last = r.gpa + r.len - 1;
		sum += r.len;
		if (*n < max)
			run[*n] = r;
		++*n;
	}
	gmem_walk_fini(&w);
	return sum;
}

/* In either kind of memory; the host may have put a huge page where we touched a byte. */
static void expect_holes(void)
{
	struct gmem_run run[8];
	unsigned int n;

	ck_assert_uint_eq(walk(run, 8, &n), 0);
	put(5 * page + 7, 1);
	put(6 * page, 2);
	put(20 * page, 3);
	ck_assert_uint_eq(walk(run, 8, &n), 3 * page);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(run[0].gpa, 5 * page);
	ck_assert_uint_eq(run[0].len, 2 * page);
	ck_assert_uint_eq(run[1].gpa, 20 * page);
	put(HIGH + LOW - 1, 4);
	ck_assert_uint_lt(walk(run, 8, &n), 3 * page + LOW);
	ck_assert_uint_eq(n, 3);
	ck_assert_uint_eq(run[2].gpa + run[2].len, HIGH + LOW);
	/* what was given back is a hole again */
	ck_assert_uint_eq(gmem_release(&mem, gmem_slice(&mem, 5 * page, page), page),
			  page);
	walk(run, 8, &n);
	ck_assert_uint_eq(run[0].gpa, 6 * page);
}

START_TEST(what_was_never_touched_is_a_hole)
{
	expect_holes();
}
END_TEST

START_TEST(holes_of_shared_memory_are_those_of_its_file)
{
	const uint8_t one = 1;
	struct gmem_run run[2];
	unsigned int n;

	teardown();
	make(true);
	expect_holes();
	/* another process wrote what we never touched */
	ck_assert_int_eq(pwrite(mem.region[0].fd, &one, 1, (off_t)(100 * page)), 1);
	gmem_release(&mem, gmem_slice(&mem, 0, 50 * page), 50 * page);
	walk(run, 2, &n);
	ck_assert_uint_eq(run[0].gpa, 100 * page);
}
END_TEST

START_TEST(pages_of_a_kernels_file_are_no_holes)
{
	char name[] = "/tmp/test_gmem_data.XXXXXX";
	int fd = mkstemp(name);
	struct gmem_run run[8];
	uint8_t byte = 0x5a;
	unsigned int n;

	ck_assert_int_ge(fd, 0);
	unlink(name);
	ck_assert_int_eq(ftruncate(fd, MIB), 0);
	for (off_t at = 0; at < (off_t)MIB; at += (off_t)page)
		ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
	ck_assert_int_eq(gmem_map_file(&mem, 2 * MIB, fd, 0, MIB), 0);
	close(fd);
	ck_assert_uint_eq(walk(run, 8, &n), MIB);
	ck_assert_uint_eq(run[0].gpa, 2 * MIB);
	put(3 * MIB + page, 1);
	ck_assert_uint_eq(walk(run, 8, &n), MIB + page);
	ck_assert_uint_eq(n, 2);
}
END_TEST

START_TEST(memory_goes_to_another_machine_and_its_holes_are_zeroes)
{
	struct state s, load;

	put(100, 1);
	put(7 * page - 1, 2);
	put(HIGH + LOW - 1, 3);
	state_collector(&s);
	gmem_state(&mem, &s);
	ck_assert(state_ok(&s));
	ck_assert_uint_lt(s.pos, LOW);
	teardown();
	make(false);
	put(50 * page, 9); /* what its kernel's loader left there */
	put(100, 8);
	state_loader(&load, s.buf, s.pos);
	gmem_state(&mem, &load);
	ck_assert_msg(state_ok(&load), "%s", load.why);
	ck_assert_uint_eq(load.pos, s.pos);
	ck_assert_uint_eq(get(100), 1);
	ck_assert_uint_eq(get(7 * page - 1), 2);
	ck_assert_uint_eq(get(HIGH + LOW - 1), 3);
	ck_assert_uint_eq(get(50 * page), 0);
	state_free(&s);
}
END_TEST

START_TEST(memory_of_another_size_or_place_is_refused)
{
	struct state s, load;

	put(100, 1);
	state_collector(&s);
	gmem_state(&mem, &s);
	teardown();
	gmem_init(&mem, false);
	ck_assert_int_eq(gmem_add(&mem, 0, LOW, &err), 0);
	state_loader(&load, s.buf, s.pos);
	gmem_state(&mem, &load);
	ck_assert_str_eq(load.why,
			 "memory: the state has 2 regions of memory, this machine has 1");
	ck_assert_int_eq(gmem_add(&mem, HIGH, LOW / 2, &err), 0);
	state_loader(&load, s.buf, s.pos);
	gmem_state(&mem, &load);
	ck_assert_str_eq(
		load.why,
		"memory: the state has 8192 KiB of memory, this machine has 4096");
	ck_assert_uint_eq(get(100), 0);
	state_free(&s);
}
END_TEST

/* Addresses out of a file lead nowhere but into memory. */
START_TEST(runs_that_are_no_memory_are_refused)
{
	const uint64_t bad[][2] = {{LOW, page},       {LOW - 1, 2},    {HIGH - 1, 1},
				   {HIGH, LOW + 1},   {UINT64_MAX, 1}, {0, UINT64_MAX},
				   {HIGH, UINT64_MAX}};
	struct state s, load;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		uint64_t at = bad[i][0], len = bad[i][1] ? bad[i][1] : page;

		state_collector(&s);
		state_begin(&s, "memory", 1);
		state_same_u32(&s, 2, "");
		state_same_u64(&s, 0, "");
		state_same_u64(&s, LOW / KIB, "");
		state_same_u64(&s, HIGH / KIB, "");
		state_same_u64(&s, LOW / KIB, "");
		state_u64(&s, &at);
		state_u64(&s, &len);
		state_end(&s);
		state_loader(&load, s.buf, s.pos);
		gmem_state(&mem, &load);
		ck_assert_ptr_nonnull(strstr(load.why, "are no memory"));
		state_free(&s);
	}
}
END_TEST

START_TEST(cut_memory_is_refused)
{
	struct state s, load;

	put(100, 1);
	state_collector(&s);
	gmem_state(&mem, &s);
	for (size_t len = 0; len < s.pos; len += 13) {
		state_loader(&load, s.buf, len);
		gmem_state(&mem, &load);
		ck_assert(!state_ok(&load));
	}
	state_free(&s);
}
END_TEST

UNIT_MAIN("gmem_data", setup, teardown, t)
{
	tcase_set_timeout(t, 30);
	tcase_add_test(t, what_was_never_touched_is_a_hole);
	tcase_add_test(t, holes_of_shared_memory_are_those_of_its_file);
	tcase_add_test(t, pages_of_a_kernels_file_are_no_holes);
	tcase_add_test(t, memory_goes_to_another_machine_and_its_holes_are_zeroes);
	tcase_add_test(t, memory_of_another_size_or_place_is_refused);
	tcase_add_test(t, runs_that_are_no_memory_are_refused);
	tcase_add_test(t, cut_memory_is_refused);
}
