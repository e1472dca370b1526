/* SPDX-License-Identifier: Apache-2.0 */
/* test_gmem_shared - guest RAM that another process maps as well. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
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
	gmem_share(&mem);
	ck_assert_int_eq(gmem_add(&mem, 0, LOW_LEN, &err), 0);
	ck_assert_int_eq(gmem_add(&mem, HIGH, HIGH_LEN, &err), 0);
}

static void teardown(void)
{
	gmem_fini(&mem);
}

/* A region as another process sees it */
static uint8_t *other_view(unsigned int i)
{
	uint8_t *p = mmap(NULL, mem.region[i].len, PROT_READ | PROT_WRITE, MAP_SHARED,
			  mem.region[i].fd, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	return p;
}

START_TEST(both_sides_see_what_the_other_writes)
{
	static const char word[] = "shared";
	uint8_t *low = other_view(0), *high = other_view(1);
	char back[sizeof(word)];

	ck_assert_int_eq(gmem_write(&mem, HIGH + 4096, word, sizeof(word)), 0);
	ck_assert_mem_eq(high + 4096, word, sizeof(word));
	memcpy(low + LOW_LEN - sizeof(word), word, sizeof(word));
	ck_assert_int_eq(gmem_read(&mem, LOW_LEN - sizeof(word), back, sizeof(back)), 0);
	ck_assert_mem_eq(back, word, sizeof(word));
	munmap(low, LOW_LEN);
	munmap(high, HIGH_LEN);
}
END_TEST

START_TEST(other_side_cannot_cut_it_off)
{
	ck_assert_int_eq(ftruncate(mem.region[0].fd, 4096), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(ftruncate(mem.region[0].fd, 2 * LOW_LEN), -1);
	ck_assert_int_eq(fcntl(mem.region[0].fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
}
END_TEST

/* A mapping of the file on top of ours would be invisible to the other side. */
START_TEST(mapped_file_is_seen_by_the_other_side)
{
	char name[] = "/tmp/test_gmem.XXXXXX";
	size_t len = 256 * KIB;
	uint8_t *bytes = malloc(len), *low = other_view(0);
	int fd = mkstemp(name);

	ck_assert(fd >= 0 && bytes);
	unlink(name);
	memset(bytes, 0x5a, len);
	ck_assert_int_eq(write_full(fd, bytes, len), (long)len);
	ck_assert_int_eq(gmem_map_file(&mem, MIB, fd, 0, len), 0);
	ck_assert_mem_eq(low + MIB, bytes, len);
	free(bytes);
	munmap(low, LOW_LEN);
	close(fd);
}
END_TEST

START_TEST(stays_out_of_core_dumps)
{
	ck_assert(vm_flag(mem.region[1].host, "dd"));
}
END_TEST

START_TEST(huge_pages_are_had_or_explained)
{
	struct gmem huge;
	int rc;

	gmem_init(&huge, true);
	gmem_share(&huge);
	rc = gmem_add(&huge, 0, 2 * MIB, &err);
	if (rc == 0)
		ck_assert_int_eq(gmem_write(&huge, MIB, "x", 1), 0);
	else
		ck_assert_ptr_nonnull(strstr(err.msg, "huge pages"));
	gmem_fini(&huge);
}
END_TEST

START_TEST(private_memory_has_no_file)
{
	struct gmem own;

	gmem_init(&own, false);
	ck_assert_int_eq(gmem_add(&own, 0, MIB, &err), 0);
	ck_assert_int_eq(own.region[0].fd, -1);
	gmem_fini(&own);
}
END_TEST

UNIT_MAIN("gmem_shared", setup, teardown, t)
{
	tcase_add_test(t, both_sides_see_what_the_other_writes);
	tcase_add_test(t, other_side_cannot_cut_it_off);
	tcase_add_test(t, mapped_file_is_seen_by_the_other_side);
	tcase_add_test(t, stays_out_of_core_dumps);
	tcase_add_test(t, huge_pages_are_had_or_explained);
	tcase_add_test(t, private_memory_has_no_file);
}
