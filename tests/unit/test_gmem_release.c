/* SPDX-License-Identifier: Apache-2.0 */
/* test_gmem_release - pages back to the host, of each kind of guest memory. */
#include <check.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "vmm/core/gmem.h"
#include "vmm/core/util.h"

#define LEN (4 * MIB)

static struct gmem mem;
static struct err err;

static uint8_t *make(bool huge, bool shared)
{
	uint8_t *p;

	gmem_init(&mem, huge);
	if (shared)
		gmem_share(&mem);
	if (gmem_add(&mem, 0, LEN, &err) < 0)
		return NULL;
	p = gmem_slice(&mem, 0, LEN);
	memset(p, 1, LEN);
	return p;
}

static void teardown(void)
{
	gmem_fini(&mem);
}

static size_t sum(const uint8_t *p, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += p[i];
	return n;
}

START_TEST(whole_pages_go)
{
	uint8_t *p = make(false, _i);

	ck_assert_uint_eq(gmem_release(&mem, p + 4096, 8192), 8192);
	ck_assert_uint_eq(sum(p + 4096, 8192), 0);
	ck_assert_uint_eq(sum(p, LEN), LEN - 8192);
	ck_assert_uint_eq(gmem_release(&mem, p + 100, 8192), 4096);
	ck_assert_uint_eq(sum(p, LEN), LEN - 8192);
	ck_assert_uint_eq(gmem_release(&mem, p + 4 * 4096 + 1, 4095), 0);
	ck_assert_uint_eq(gmem_release(&mem, p, LEN), LEN);
	ck_assert_uint_eq(sum(p, LEN), 0);
}
END_TEST

START_TEST(file_of_shared_memory_gets_smaller)
{
	uint8_t *p = make(false, true);
	struct stat st;

	ck_assert_uint_eq(gmem_release(&mem, p, LEN / 2), LEN / 2);
	ck_assert_int_eq(fstat(mem.region[0].fd, &st), 0);
	ck_assert_int_eq(st.st_size, LEN);
	ck_assert_int_le(st.st_blocks * 512, LEN / 2);
}
END_TEST

/* It would come back with the file's bytes instead of zeroes. */
START_TEST(mapped_file_stays)
{
	char name[] = "/tmp/test_gmem.XXXXXX";
	int fd = mkstemp(name);
	uint8_t *p = make(false, false), *bytes = malloc(MIB);

	ck_assert(fd >= 0 && bytes);
	unlink(name);
	memset(bytes, 2, MIB);
	ck_assert_int_eq(write_full(fd, bytes, MIB), MIB);
	ck_assert_int_eq(gmem_map_file(&mem, MIB, fd, 0, MIB / 2), 0);
	ck_assert_int_eq(gmem_map_file(&mem, MIB + MIB / 2, fd, 0, MIB / 2), 0);
	p[MIB] = 7;
	ck_assert_uint_eq(gmem_release(&mem, p + MIB + 4096, 8192), 0);
	ck_assert_uint_eq(gmem_release(&mem, p, LEN), LEN - MIB);
	ck_assert_uint_eq(sum(p, LEN), 2 * MIB + 5);
	ck_assert_uint_eq(gmem_release(&mem, p + MIB - 4096, 8192), 4096);
	ck_assert_uint_eq(gmem_release(&mem, p + 2 * MIB - 4096, 8192), 4096);
	free(bytes);
	close(fd);
}
END_TEST

/* With its page a reservation would go back to the pool, for anybody to take */
START_TEST(huge_pages_stay)
{
	uint8_t *p = make(false, _i);

	/* as if they were: this host's pool is empty, as a rule, and what counts is the rule */
	mem.hugepages = true;
	ck_assert_uint_eq(gmem_release(&mem, p, LEN), 0);
	ck_assert_uint_eq(sum(p, LEN), LEN);
	gmem_fini(&mem);
	p = make(true, _i);
	if (!p)
		return;
	ck_assert_uint_eq(gmem_release(&mem, p, LEN), 0);
	ck_assert_uint_eq(sum(p, LEN), LEN);
}
END_TEST

UNIT_MAIN("gmem_release", NULL, teardown, t)
{
	tcase_add_loop_test(t, whole_pages_go, 0, 2);
	tcase_add_test(t, file_of_shared_memory_gets_smaller);
	tcase_add_test(t, mapped_file_stays);
	tcase_add_loop_test(t, huge_pages_stay, 0, 2);
}
