/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_disk_sector - a guest with sectors of 512 bytes on a disk that has blocks of 4096, and
 * who decides which it is.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/backend/disk_sector.h"
#include "tests/lib/nop_device.h"
#include "tests/lib/unit.h"
#include "vmm/core/device.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

#define BLOCK   4096
#define SECTORS 256 /* of the disk */
#define SIZE    (SECTORS * 512)
#define BATCH   96 /* more than the engine does at once */

static struct loop *loop;
static struct work_pool *pool;
static struct device dev;
static struct disk *disk;
static char path[64];
static struct disk_req req[BATCH];
static struct iovec iov[BATCH][2];
static uint8_t head[DISK_TABLE_LEN]; /* of another file */
static uint8_t buf[BATCH][8 * BLOCK], model[SIZE];
static unsigned int nfinished, nwanted;
static atomic_uint nodd, nread, nwrite;
static atomic_int fail_write;
static struct err err;

/* ---- a host with large blocks ---- */

static void check_block(const struct iovec *v, int n, off_t off)
{
	size_t len = 0;

	for (int i = 0; i < n; i++)
		len += v[i].iov_len;
	nodd += off % BLOCK || len % BLOCK;
}

static ssize_t large_readv(int fd, const struct iovec *v, int n, off_t off, int flags)
{
	check_block(v, n, off);
	nread++;
	return preadv2(fd, v, n, off, flags);
}

static ssize_t large_writev(int fd, const struct iovec *v, int n, off_t off, int flags)
{
	check_block(v, n, off);
	nwrite++;
	errno = fail_write;
	return fail_write ? -1 : pwritev2(fd, v, n, off, flags);
}

static int large_allocate(int fd, int mode, off_t off, off_t len)
{
	nodd += off % BLOCK || len % BLOCK;
	return fallocate(fd, mode, off, len);
}

static const struct disk_sys large_sys = {.readv = large_readv,
					  .writev = large_writev,
					  .datasync = fdatasync,
					  .allocate = large_allocate};

static void on_done(void *ctx, struct disk_req *list)
{
	(void)ctx;
	for (; list; list = list->next)
		nfinished++;
	if (nfinished >= nwanted)
		loop_stop(loop);
}

static void make_file(size_t size, const void *bytes, size_t len)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	ck_assert_int_eq(pwrite(fd, bytes, len, 0), (ssize_t)len);
	close(fd);
}

/* Another of the test's own, beside @disk's */
static void other_file(size_t size)
{
	static char mine[64];

	if (!mine[0])
		memcpy(mine, path, sizeof(mine));
	(void)snprintf(path, sizeof(path), "%.40s.b", mine);
	make_file(size, head, sizeof(head));
}

static struct disk *host_disk(uint32_t block)
{
	struct disk *d = disk_open_file(path, false, false, false, &err);

	ck_assert_msg(d != NULL, "%s", err.msg);
	d->block = block;
	d->physical = MAX(d->physical, block);
	return d;
}

static void setup(void)
{
	log_threshold = LOG_ERROR;
	(void)snprintf(path, sizeof(path), "/tmp/microvm-sector-%d", (int)getpid());
	for (size_t i = 0; i < SIZE; i++)
		model[i] = (uint8_t)(i / 512 * 7 + i);
	make_file(SIZE, model, SIZE);
	disk_sys = &large_sys;
	loop = loop_create();
	pool = work_pool_create(loop, 0);
	device_init(&dev, &nop_ops, DEVICE_VIRTIO_MMIO, "blk", 0, 4096);
	disk = disk_sector_fit(host_disk(BLOCK), 512, &err);
	ck_assert_msg(disk != NULL, "%s", err.msg);
	ck_assert_uint_eq(disk->block, 512);
	ck_assert_int_eq(disk_start(disk, pool, &dev, on_done, NULL), 0);
	nfinished = nwanted = 0;
	nodd = 0;
	nread = 0;
	nwrite = 0;
}

static void teardown(void)
{
	pthread_mutex_lock(&dev.lock);
	disk_cancel(disk);
	pthread_mutex_unlock(&dev.lock);
	work_pool_destroy(pool);
	disk_close(disk);
	device_fini(&dev);
	loop_destroy(loop);
	unlink(path);
	path[strcspn(path, ".")] = '\0';
	unlink(path);
}

/* ---- requests ---- */

/* Request @k: @n sectors from @s on; its buffer is in two pieces, cut at an odd place */
static struct disk_req *prepare(unsigned int k, enum disk_op op, uint64_t s, uint64_t n)
{
	size_t len = n * 512, cut = len / 3 & ~(size_t)1;

	iov[k][0] = (struct iovec){buf[k], cut};
	iov[k][1] = (struct iovec){buf[k] + cut, len - cut};
	req[k] = (struct disk_req){.op = op, .off = s * 512, .len = len};
	if (op == DISK_READ || op == DISK_WRITE) {
		req[k].iov = iov[k];
		req[k].niov = 2;
	}
	return &req[k];
}

static void submit(struct disk_req *r)
{
	pthread_mutex_lock(&dev.lock);
	disk_submit(disk, r);
	pthread_mutex_unlock(&dev.lock);
	nwanted++;
}

static void commit(void)
{
	pthread_mutex_lock(&dev.lock);
	disk_commit(disk);
	pthread_mutex_unlock(&dev.lock);
}

static void finish(void)
{
	commit();
	while (nfinished < nwanted)
		ck_assert_int_eq(loop_run(loop), 0);
}

static int one(enum disk_op op, uint64_t s, uint64_t n)
{
	submit(prepare(0, op, s, n));
	finish();
	return req[0].result;
}

static void expect_model(void)
{
	uint8_t is[SIZE];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(pread(fd, is, SIZE, 0), SIZE);
	close(fd);
	for (size_t i = 0; i < SIZE; i++)
		if (is[i] != model[i])
			ck_abort_msg("byte %zu is %02x, not %02x", i, is[i], model[i]);
	ck_assert_uint_eq(nodd, 0);
}

START_TEST(each_place_and_length_is_read_and_written)
{
	for (uint64_t s = 0; s < 17; s++) {
		for (uint64_t n = 1; n < 26; n++) {
			ck_assert_int_eq(one(DISK_READ, s, n), 0);
			ck_assert_mem_eq(buf[0], model + s * 512, n * 512);
			for (size_t i = 0; i < n * 512; i++)
				buf[0][i] = (uint8_t)(i * n + s);
			memcpy(model + s * 512, buf[0], n * 512);
			ck_assert_int_eq(one(DISK_WRITE, s, n), 0);
		}
		expect_model();
	}
}
END_TEST

/* A block and a part of the next, each in a buffer of its own, as a driver's pages are */
START_TEST(buffer_may_end_where_a_block_does)
{
	for (int op = DISK_READ; op <= DISK_WRITE; op++) {
		struct disk_req *r = prepare(0, (enum disk_op)op, 8, 9);

		iov[0][0].iov_len = BLOCK;
		iov[0][1] = (struct iovec){buf[0] + BLOCK, 512};
		submit(r);
		finish();
		ck_assert_int_eq(r->result, 0);
		ck_assert_mem_eq(buf[0], model + BLOCK, BLOCK + 512);
	}
	expect_model();
}
END_TEST

START_TEST(zeroes_are_exact_and_discards_stay_inside)
{
	for (uint64_t s = 0; s < 9; s++) {
		uint64_t n = 20 - s;

		memset(model + s * 512, 0, n * 512);
		ck_assert_int_eq(one(DISK_ZERO, s, n), 0);
		expect_model();
		memset(model + 8 * BLOCK, 0, BLOCK); /* what lies in it whole */
		ck_assert_int_eq(one(DISK_DISCARD, 64 - s % 8, 9 + s % 8), 0);
		ck_assert_int_eq(one(DISK_DISCARD, 81, 6), 0);
		ck_assert_int_eq(one(DISK_DISCARD, 81, 9),
				 0); /* of two: of neither all */
		expect_model();
	}
}
END_TEST

/* No two of a batch change the same sector, and many the same block */
START_TEST(parts_of_a_block_changed_at_once_are_all_there)
{
	srand(7);
	for (unsigned int round = 0; round < 200; round++) {
		uint64_t s = (uint64_t)rand() % 8;
		unsigned int k = 0;

		while (k < BATCH && s < SECTORS - 24) {
			bool zero = rand() % 4 == 0;
			uint64_t n = rand() % 3 ? 1 + (uint64_t)rand() % 3
						: 8 + (uint64_t)rand() % 16;

			memset(buf[k], zero ? 0 : rand(), n * 512);
			memcpy(model + s * 512, buf[k], n * 512);
			submit(prepare(k++, zero ? DISK_ZERO : DISK_WRITE, s, n));
			s += n + (uint64_t)(rand() % 2);
		}
		finish();
		for (unsigned int i = 0; i < k; i++)
			ck_assert_int_eq(req[i].result, 0);
		expect_model();
	}
}
END_TEST

/* A whole block and a part of it: the part may win or lose, the rest is the whole one's */
START_TEST(part_does_not_bring_back_what_a_whole_block_replaced)
{
	for (unsigned int round = 0; round < 300; round++) {
		uint8_t is[BLOCK];

		memset(buf[0], 1 + (int)(round % 100), 512);
		memset(buf[1], 101 + (int)(round % 100), BLOCK);
		submit(prepare(0, DISK_WRITE, 3, 1));
		submit(prepare(1, DISK_WRITE, 0, 8));
		finish();
		ck_assert_int_eq(one(DISK_READ, 0, 8), 0);
		memcpy(is, buf[0], BLOCK);
		for (size_t i = 0; i < BLOCK; i++)
			if (i / 512 != 3)
				ck_assert_uint_eq(is[i], 101 + round % 100);
	}
}
END_TEST

START_TEST(what_is_whole_goes_as_it_is)
{
	ck_assert_int_eq(one(DISK_WRITE, 8, 16), 0);
	ck_assert_uint_eq(nread, 0);
	ck_assert_uint_eq(nwrite, 1);
	ck_assert_uint_eq(req[0].moved, 16 * 512);
	ck_assert_int_eq(one(DISK_WRITE, 9, 1), 0);
	ck_assert_uint_eq(req[0].moved, 2 * BLOCK);
}
END_TEST

START_TEST(host_error_is_the_request_s)
{
	fail_write = EIO;
	ck_assert_int_eq(one(DISK_WRITE, 1, 1), -EIO);
	ck_assert_int_eq(one(DISK_WRITE, 1, 9), -EIO);
	fail_write = 0;
	memset(buf[0], 9, 512);
	memset(model + 512, 9, 512);
	ck_assert_int_eq(one(DISK_WRITE, 1, 1), 0); /* and the block is nobody's */
	ck_assert_int_eq(one(DISK_FLUSH, 0, 0), 0);
	expect_model();
}
END_TEST

START_TEST(reset_in_the_middle_leaves_a_working_disk)
{
	for (unsigned int round = 0; round < 50; round++) {
		nfinished = nwanted = 0;
		for (unsigned int k = 0; k < BATCH; k++) {
			memset(buf[k], 3, 512);
			submit(prepare(k, k % 8 ? DISK_WRITE : DISK_FLUSH, k,
				       k % 8 ? 1 : 0));
		}
		commit();
		pthread_mutex_lock(&dev.lock);
		disk_cancel(disk);
		pthread_mutex_unlock(&dev.lock);
		ck_assert_uint_eq(nfinished, BATCH);
	}
	nfinished = nwanted = 0;
	memset(buf[0], 3, BATCH * 512UL);
	ck_assert_int_eq(one(DISK_WRITE, 0, 64), 0);
	memset(model, 3, 64 * 512);
	ck_assert_int_eq(one(DISK_READ, 0, 64), 0);
	ck_assert_mem_eq(buf[0], model, 64 * 512);
}
END_TEST

START_TEST(price_is_what_is_moved)
{
	static const struct {
		enum disk_op op;
		uint64_t s, n, price;
	} prices[] = {
		{DISK_READ, 0, 8, BLOCK},       {DISK_READ, 1, 1, BLOCK},
		{DISK_READ, 7, 2, 2 * BLOCK},   {DISK_WRITE, 0, 8, BLOCK},
		{DISK_WRITE, 7, 1, 2 * BLOCK},  {DISK_WRITE, 7, 2, 4 * BLOCK},
		{DISK_WRITE, 7, 10, 5 * BLOCK}, {DISK_WRITE, 2, 3, 2 * BLOCK},
		{DISK_DISCARD, 7, 10, 0},       {DISK_FLUSH, 0, 0, 0},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(prices); i++) {
		ck_assert_uint_eq(disk_price(disk, prepare(0, prices[i].op, prices[i].s,
							   prices[i].n)),
				  prices[i].price);
		ck_assert_int_eq(one(prices[i].op, prices[i].s, prices[i].n), 0);
		ck_assert_uint_eq(req[0].moved, prices[i].price);
	}
}
END_TEST

/* ---- who decides ---- */

static void put_gpt(uint32_t block, uint64_t size)
{
	uint64_t last = size / block - 1;

	memcpy(head + block, "EFI PART", 8);
	head[block + 24] = 1;
	memcpy(head + block + 32, &last, sizeof(last));
}

/* One partition in sectors @start, @n */
static void put_mbr(uint32_t start, uint32_t n)
{
	head[446 + 4] = 0x83;
	memcpy(head + 446 + 8, &start, 4);
	memcpy(head + 446 + 12, &n, 4);
	head[510] = 0x55;
	head[511] = 0xaa;
}

static void put(size_t at, const char *bytes, size_t len)
{
	memcpy(head + at, bytes, len);
}

#define TABLE_SIZE (UINT64_C(100) * MIB)

static void says(uint32_t block)
{
	ck_assert_uint_eq(disk_table_sector(head, sizeof(head), TABLE_SIZE), block);
	ck_assert_uint_eq(disk_table_sector(head, sizeof(head) - 1, TABLE_SIZE), 0);
	memset(head, 0, sizeof(head));
}

START_TEST(table_says_what_it_was_made_for)
{
	says(0);
	put_gpt(512, TABLE_SIZE);
	says(512);
	put_gpt(4096, TABLE_SIZE);
	says(4096);
	put_gpt(512, TABLE_SIZE);
	put_gpt(4096, TABLE_SIZE);
	says(0); /* one is of an earlier life, but which? */
	put_gpt(512, 2 * TABLE_SIZE);
	says(0); /* of another disk */
	put_mbr(2048, TABLE_SIZE / 512 - 2048);
	says(512);
	put_mbr(256, TABLE_SIZE / 4096 - 256);
	says(0); /* a small partition, or large sectors */
	put_mbr(0xffffffff, 0xffffffff);
	says(0);
	put_mbr(2048, TABLE_SIZE / 512 - 2048);
	head[446 + 16] = 0x12; /* no table */
	says(0);
}
END_TEST

START_TEST(file_system_says_what_it_needs)
{
	put(0, "XFSB", 4);
	put(102, "\2\0", 2);
	says(512);
	put(0, "XFSB", 4);
	put(102, "\x10\0", 2);
	says(0); /* good on either */
	put(1080, "\x53\xef", 2);
	says(512); /* blocks of 1 KiB */
	put(1080, "\x53\xef", 2);
	head[1048] = 2;
	says(0);
	put(32769, "CD001", 5);
	says(512);
	put(0, "\xeb\x3c\x90", 3);
	put(11, "\0\2", 2);
	head[16] = 2;
	put(510, "\x55\xaa", 2);
	says(512);
	put(0, "\xeb\x3c\x90", 3);
	put(11, "\0\x10", 2);
	head[16] = 2;
	put(510, "\x55\xaa", 2);
	says(4096);
}
END_TEST

static uint32_t fits(size_t size, uint32_t host, uint32_t want)
{
	struct disk *d;
	uint32_t block;

	other_file(size);
	d = disk_sector_fit(host_disk(host), want, &err);
	if (!d)
		return 0;
	block = d->block;
	ck_assert_uint_ge(d->physical, MAX(block, host));
	ck_assert_uint_eq(d->size, size);
	disk_close(d);
	return block;
}

START_TEST(operator_decides_and_then_the_table)
{
	ck_assert_uint_eq(fits(MIB, 512, 0), 512); /* it says nothing: the host's */
	ck_assert_uint_eq(fits(MIB, BLOCK, 0), BLOCK);
	ck_assert_uint_eq(fits(MIB, 512, 4096), 4096);
	ck_assert_uint_eq(fits(MIB, BLOCK, 512), 512);
	put_gpt(512, MIB);
	ck_assert_uint_eq(fits(MIB, BLOCK, 0), 512);
	ck_assert_uint_eq(fits(MIB, BLOCK, 4096), 4096);
	memset(head, 0, sizeof(head));
	put_gpt(4096, MIB);
	ck_assert_uint_eq(fits(MIB, 512, 0), 4096);
	ck_assert_uint_eq(fits(MIB, 512, 512), 512);
	ck_assert_uint_eq(fits(MIB + 512, 512, 0), 512); /* it cannot be */
	ck_assert_uint_eq(fits(MIB + 512, 512, 4096), 0);
	ck_assert_ptr_nonnull(strstr(err.msg, "truncate -s %4096"));
	memset(head, 0, sizeof(head));
}
END_TEST

/* The guest made a table in its overlay; the base has another, or none */
START_TEST(overlay_s_own_table_decides)
{
	struct config cfg = {.ndisk = 1};
	char cow[80];
	struct disk *d;
	int fd;

	other_file(16 * MIB);
	(void)snprintf(cow, sizeof(cow), "%s.cow", path);
	cfg.disk[0] = (struct config_disk){.path = path, .overlay = cow};
	put_gpt(4096, 16 * MIB);
	for (unsigned int i = 0; i < 2; i++) {
		d = disk_open(&cfg, 0, &err);
		ck_assert_msg(d != NULL, "%s", err.msg);
		ck_assert_uint_eq(d->block, i ? 4096 : 512);
		ck_assert_int_eq(disk_start(d, pool, &dev, on_done, NULL), 0);
		d->had = true; /* as its device would */
		memcpy(buf[0], head, sizeof(buf[0]));
		nfinished = 0;
		nwanted = 1;
		prepare(0, DISK_WRITE, 0, 64);
		pthread_mutex_lock(&dev.lock);
		disk_submit(d, &req[0]);
		disk_commit(d);
		pthread_mutex_unlock(&dev.lock);
		while (nfinished < nwanted)
			ck_assert_int_eq(loop_run(loop), 0);
		disk_close(d);
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(pread(fd, buf[0], 512, 4096), 512);
	ck_assert_uint_eq(buf[0][0], 0); /* the base stays as it was */
	close(fd);
	unlink(cow);
	memset(head, 0, sizeof(head));
}
END_TEST

UNIT_MAIN("disk_sector", setup, teardown, t)
{
	tcase_set_timeout(t, 60);
	tcase_add_test(t, each_place_and_length_is_read_and_written);
	tcase_add_test(t, buffer_may_end_where_a_block_does);
	tcase_add_test(t, zeroes_are_exact_and_discards_stay_inside);
	tcase_add_test(t, parts_of_a_block_changed_at_once_are_all_there);
	tcase_add_test(t, part_does_not_bring_back_what_a_whole_block_replaced);
	tcase_add_test(t, what_is_whole_goes_as_it_is);
	tcase_add_test(t, host_error_is_the_request_s);
	tcase_add_test(t, reset_in_the_middle_leaves_a_working_disk);
	tcase_add_test(t, price_is_what_is_moved);
	tcase_add_test(t, table_says_what_it_was_made_for);
	tcase_add_test(t, file_system_says_what_it_needs);
	tcase_add_test(t, operator_decides_and_then_the_table);
	tcase_add_test(t, overlay_s_own_table_decides);
}
