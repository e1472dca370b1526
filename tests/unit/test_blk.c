/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_blk - the block device through its registers, on a file, with real workers: what a
 * driver may ask, what a lying one gets, and that a flush is what it says.
 */
#include <check.h>
#include <errno.h>
#include <sched.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/backend/disk.h"
#include "devices/virtio/blk.h"
#include "devices/virtio/devices.h"
#include "tests/lib/driver.h"
#include "tests/lib/unit.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

#define SECTORS 64
#define RAM     (32 * MIB)

static struct driver d;
static char path[64];
static gpa_t hdr, data, status;

/* ---- the seam: counts, delays and failures ---- */

static atomic_int fault;     /* errno for the next call; 0: none */
static atomic_uint delay_us; /* before each call */
static atomic_uint nsync, nread, nwrite;
static uint16_t used_at_sync; /* what the driver saw as done when fdatasync() ran */

static int sys_fault(void)
{
	if (delay_us)
		usleep(delay_us);
	errno = atomic_exchange(&fault, 0);
	return errno;
}

static ssize_t sys_readv(int fd, const struct iovec *v, int n, off_t off, int flags)
{
	if ((flags & RWF_NOWAIT) && (delay_us || fault)) {
		errno = EAGAIN;
		return -1;
	}
	nread++;
	return sys_fault() ? -1 : preadv2(fd, v, n, off, flags);
}

static ssize_t sys_writev(int fd, const struct iovec *v, int n, off_t off, int flags)
{
	nwrite++;
	return sys_fault() ? -1 : pwritev2(fd, v, n, off, flags);
}

static int sys_datasync(int fd)
{
	nsync++;
	used_at_sync = driver_used_idx(&d.ring[0]);
	return sys_fault() ? -1 : fdatasync(fd);
}

static const struct disk_sys sys = {
	.readv = sys_readv, .writev = sys_writev, .datasync = sys_datasync};

/* ---- fixture ---- */

static void plug(struct config_disk c)
{
	driver_init(&d, RAM);
	d.cfg.ndisk = 1;
	d.cfg.disk[0] = c;
	driver_plug(&d, blk_create(&d.env, 0, &d.err));
	ck_assert(driver_bring_up(&d, ~0ULL));
}

static void setup_disk(bool readonly)
{
	int fd;

	log_threshold = LOG_ERROR;
	snprintf(path, sizeof(path), "/tmp/microvm-blk.XXXXXX");
	fd = mkostemp(path, O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, SECTORS * 512), 0);
	close(fd);
	disk_sys = &sys;
	plug((struct config_disk){.path = path, .readonly = readonly});
	hdr = driver_alloc(&d, sizeof(struct virtio_blk_outhdr), 16);
	data = driver_alloc(&d, 64 * KIB, 4096);
	status = driver_alloc(&d, 1, 1);
}

static void setup(void)
{
	setup_disk(false);
}

static void setup_readonly(void)
{
	setup_disk(true);
}

static void teardown(void)
{
	driver_fini(&d);
	unlink(path);
}

static void put_header(gpa_t at, uint32_t type, uint64_t sector)
{
	struct virtio_blk_outhdr h = {.type = type, .sector = sector};

	memcpy(driver_ptr(&d, at, sizeof(h)), &h, sizeof(h));
}

static uint8_t get_status(void)
{
	return *(volatile uint8_t *)driver_ptr(&d, status, 1);
}

/* One request with @len bytes at @data.  Return: its status, 0xff: it did not come back */
static uint8_t request(uint32_t type, uint64_t sector, uint32_t len)
{
	bool write = type != VIRTIO_BLK_T_OUT;
	struct driver_buf b[3] = {
		{hdr, 16, false}, {data, len, write}, {status, 1, true}};
	uint32_t id, used;

	put_header(hdr, type, sector);
	memset(driver_ptr(&d, status, 1), 0xff, 1);
	if (!len)
		b[1] = b[2];
	driver_send(&d, 0, b, len ? 3 : 2);
	if (!driver_wait(&d, 0, &id, &used))
		return 0xff;
	ck_assert_uint_ge(used, 1);
	ck_assert_uint_le(used, (write ? len : 0) + 1);
	if (get_status() != VIRTIO_BLK_S_OK) /* the device wrote the status alone */
		ck_assert_uint_eq(used, 1);
	return get_status();
}

static off_t file_size(void)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	return st.st_size;
}

static void file_read(off_t off, void *p, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(pread(fd, p, len, off), (ssize_t)len);
	close(fd);
}

/* ---- what an honest driver gets ---- */

START_TEST(written_sectors_are_in_the_file_and_read_back)
{
	uint8_t *p = driver_ptr(&d, data, 1024), buf[1024];

	memset(p, 0x5a, 1024);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, 3, 1024), VIRTIO_BLK_S_OK);
	file_read(3 * 512, buf, sizeof(buf));
	ck_assert_mem_eq(buf, p, sizeof(buf));
	memset(p, 0, 1024);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 3, 1024), VIRTIO_BLK_S_OK);
	ck_assert_mem_eq(buf, p, sizeof(buf));
	ck_assert_uint_eq(d.dev->io.read_bytes, 1024);
	ck_assert_uint_eq(d.dev->io.written_bytes, 1024);
	ck_assert_uint_eq(d.dev->io.requests, 2);
}
END_TEST

START_TEST(header_status_and_data_may_be_cut_anywhere)
{
	struct driver_buf b[] = {{hdr, 7, false},
				 {hdr + 7, 9, false},
				 {data, 100, true},
				 {data + 200, 413, true}};
	uint32_t id, len;

	memset(driver_ptr(&d, data, 1024), 0x11, 1024);
	put_header(hdr, VIRTIO_BLK_T_IN, 0);
	driver_send(&d, 0, b, 4); /* the status is the last byte of the last buffer */
	ck_assert(driver_wait(&d, 0, &id, &len));
	ck_assert_uint_eq(len, 513);
	uint8_t *p = driver_ptr(&d, data, 1024);
	ck_assert_uint_eq(p[99], 0);
	ck_assert_uint_eq(p[100], 0x11);
	ck_assert_uint_eq(p[200 + 411], 0);
	ck_assert_uint_eq(p[200 + 412], VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(p[200 + 413], 0x11);
}
END_TEST

START_TEST(config_tells_size_limits_and_topology)
{
	uint64_t f = driver_offered(&d);
	unsigned int at = VIRTIO_MMIO_CONFIG;

	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_BLOCK);
	ck_assert_uint_eq(driver_read_n(&d, at, 8), SECTORS);
	ck_assert_uint_eq(
		driver_read(&d, at + offsetof(struct virtio_blk_config, blk_size)), 512);
	ck_assert_uint_gt(
		driver_read(&d, at + offsetof(struct virtio_blk_config, seg_max)), 1);
	ck_assert(f & (1ULL << VIRTIO_BLK_F_FLUSH));
	ck_assert(f & (1ULL << VIRTIO_BLK_F_TOPOLOGY));
	ck_assert(!(f & (1ULL << VIRTIO_BLK_F_RO)));
}
END_TEST

START_TEST(serial_is_told_and_may_use_all_bytes)
{
	char *p = driver_ptr(&d, data, 20);

	ck_assert_uint_eq(request(VIRTIO_BLK_T_GET_ID, 0, 20), VIRTIO_BLK_S_OK);
	ck_assert_str_eq(p, "microvm-blk0");
	ck_assert_uint_eq(request(VIRTIO_BLK_T_GET_ID, 0, 19), VIRTIO_BLK_S_IOERR);
	driver_fini(&d);
	plug((struct config_disk){.path = path,
				  .serial = (char[]){"ABCDEFGHIJKLMNOPQRST"}});
	ck_assert_uint_eq(request(VIRTIO_BLK_T_GET_ID, 0, 20), VIRTIO_BLK_S_OK);
	ck_assert_mem_eq(driver_ptr(&d, data, 20), "ABCDEFGHIJKLMNOPQRST", 20);
}
END_TEST

START_TEST(unknown_request_is_unsupported)
{
	ck_assert_uint_eq(request(VIRTIO_BLK_T_SECURE_ERASE, 0, 512),
			  VIRTIO_BLK_S_UNSUPP);
	ck_assert_uint_eq(request(0x7fffffff, 0, 512), VIRTIO_BLK_S_UNSUPP);
}
END_TEST

START_TEST(readonly_disk_refuses_writes_and_nothing_changes)
{
	uint8_t buf[512];

	ck_assert(driver_offered(&d) & (1ULL << VIRTIO_BLK_F_RO));
	memset(driver_ptr(&d, data, 512), 0x77, 512);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, 0, 512), VIRTIO_BLK_S_IOERR);
	file_read(0, buf, sizeof(buf));
	ck_assert_uint_eq(buf[0], 0);
	ck_assert_uint_eq(nwrite, 0);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_OK);
}
END_TEST

/* A full queue, again and again: every request comes back, with the right bytes */
START_TEST(full_queue_of_mixed_requests_all_come_back)
{
	unsigned int n = 40, round;
	gpa_t h = driver_alloc(&d, 16 * n, 16), st = driver_alloc(&d, n, 1);
	gpa_t buf = driver_alloc(&d, 512 * n, 512);

	for (round = 0; round < 50; round++) {
		uint32_t id, len;

		memset(driver_ptr(&d, st, n), 0xff, n);
		for (unsigned int i = 0; i < n; i++) {
			bool out = (i + round) % 2;
			struct driver_buf b[] = {{h + 16 * i, 16, false},
						 {buf + 512 * i, 512, !out},
						 {st + i, 1, true}};

			if (out)
				memset(driver_ptr(&d, buf + 512 * i, 512), (int)i, 512);
			put_header(h + 16 * i, out ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN,
				   i);
			ck_assert_int_ge(driver_add(&d.ring[0], b, 3), 0);
		}
		if (driver_publish(&d.ring[0]))
			driver_kick(&d, 0);
		for (unsigned int i = 0; i < n; i++)
			ck_assert(driver_wait(&d, 0, &id, &len));
		for (unsigned int i = 0; i < n; i++) {
			uint8_t *p = driver_ptr(&d, buf + 512 * i, 512);

			ck_assert_uint_eq(*(uint8_t *)driver_ptr(&d, st + i, 1), 0);
			ck_assert_uint_eq(p[511], (i + round) % 2 || round ? i : 0);
		}
	}
}
END_TEST

/* All descriptors in use at once: the device must still ask to be kicked afterwards */
START_TEST(queue_filled_to_the_last_descriptor_goes_on_after)
{
	uint16_t size = d.ring[0].size;
	gpa_t tables = driver_alloc(&d, 48 * (size_t)size, 16);
	uint32_t id, len;

	delay_us = 100;
	put_header(hdr, VIRTIO_BLK_T_IN, 0);
	for (int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < size; i++) {
			struct driver_buf b[] = {
				{hdr, 16, false}, {data, 512, true}, {status, 1, true}};

			ck_assert_int_ge(
				driver_add_indirect(&d.ring[0], tables + 48 * i, b, 3),
				0);
		}
		if (driver_publish(&d.ring[0]))
			driver_kick(&d, 0);
		for (unsigned int i = 0; i < size; i++)
			ck_assert_msg(driver_wait(&d, 0, &id, &len), "%u of round %d", i,
				      round);
	}
}
END_TEST

/* ---- flush (hostile-guests 24) ---- */

START_TEST(flush_is_synced_before_the_driver_sees_it_done)
{
	ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, 0, 512), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(nsync, 0);
	delay_us = 2000;
	ck_assert_uint_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(nsync, 1);
	ck_assert_uint_eq(used_at_sync, 1); /* the write, not the flush */
}
END_TEST

START_TEST(failed_flush_fails_every_later_one)
{
	fault = EIO;
	ck_assert_uint_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_IOERR);
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert_uint_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, 0, 512), VIRTIO_BLK_S_OK);
}
END_TEST

START_TEST(writes_of_a_driver_without_flush_are_synced)
{
	ck_assert(driver_bring_up(&d, ~(1ULL << VIRTIO_BLK_F_FLUSH)));
	ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, 0, 512), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(nsync, 1);
}
END_TEST

START_TEST(host_errors_are_io_errors)
{
	static const int codes[] = {EIO, ENOSPC, EDQUOT, ENOMEM};

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		fault = codes[i];
		ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, 0, 512), VIRTIO_BLK_S_IOERR);
		fault = codes[i];
		ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_IOERR);
		ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_OK);
	}
	ck_assert_uint_eq(d.dev->io.requests, 12);
	ck_assert_uint_eq(d.dev->io.written_bytes, 0);
}
END_TEST

/* ---- a lying driver (hostile-guests 5, 6, 7, 11, 13) ---- */

START_TEST(range_past_the_end_is_refused_and_the_file_does_not_grow)
{
	static const struct {
		uint64_t sector;
		uint32_t len;
	} bad[] = {
		{SECTORS - 1, 1024},
		{SECTORS, 512},
		{1, 65536},
		{0, (SECTORS + 1) * 512},
		{1ULL << 55, 512},
		{(1ULL << 55) - 1, 1024},
		{~0ULL, 512},
		{~0ULL / 512, 512},
		{~0ULL / 512 + 1, 512},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, bad[i].sector, bad[i].len),
				  VIRTIO_BLK_S_IOERR);
		ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, bad[i].sector, bad[i].len),
				  VIRTIO_BLK_S_IOERR);
	}
	ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, SECTORS - 1, 512), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(nwrite, 1);
	ck_assert_int_eq(file_size(), SECTORS * 512);
}
END_TEST

/* Each piece fits on the disk, their sum does not */
START_TEST(range_is_checked_over_all_buffers)
{
	struct driver_buf b[34] = {{hdr, 16, false}};
	uint32_t id, len;

	for (unsigned int i = 1; i < 33; i++)
		b[i] = (struct driver_buf){data, 512, false};
	b[33] = (struct driver_buf){status, 1, true};
	put_header(hdr, VIRTIO_BLK_T_OUT, SECTORS - 1);
	driver_send(&d, 0, b, 34);
	ck_assert(driver_wait(&d, 0, &id, &len));
	ck_assert_uint_eq(get_status(), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(nwrite, 0);
	ck_assert_int_eq(file_size(), SECTORS * 512);
}
END_TEST

START_TEST(odd_lengths_are_refused)
{
	ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, 0, 511), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, 0, 513), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, 1), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(nwrite, 0);
}
END_TEST

/* The disk is large enough; but a reset would have to wait for all of it */
START_TEST(huge_request_is_refused)
{
	struct driver_buf b[] = {{hdr, 16, false},
				 {0, BLK_BYTES_MAX / 2, false},
				 {0, BLK_BYTES_MAX / 2, false},
				 {0, 512, false},
				 {status, 1, true}};
	uint32_t id, len;

	driver_fini(&d);
	ck_assert_int_eq(truncate(path, 2 * BLK_BYTES_MAX), 0);
	plug((struct config_disk){.path = path});
	put_header(hdr, VIRTIO_BLK_T_OUT, 0);
	driver_send(&d, 0, b, 5);
	ck_assert(driver_wait(&d, 0, &id, &len));
	ck_assert_uint_eq(get_status(), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(nwrite, 0);
	b[3] = b[4];
	driver_send(&d, 0, b, 4);
	ck_assert(driver_wait(&d, 0, &id, &len));
	ck_assert_uint_eq(get_status(), VIRTIO_BLK_S_OK);
}
END_TEST

START_TEST(short_header_is_an_io_error)
{
	struct driver_buf b[] = {{hdr, 15, false}, {status, 1, true}};
	uint32_t id, len;

	put_header(hdr, VIRTIO_BLK_T_FLUSH, 0);
	driver_send(&d, 0, b, 2);
	ck_assert(driver_wait(&d, 0, &id, &len));
	ck_assert_uint_eq(get_status(), VIRTIO_BLK_S_IOERR);
}
END_TEST

START_TEST(request_without_a_status_byte_costs_the_device)
{
	struct driver_buf b[] = {{hdr, 16, false}, {data, 512, false}};
	uint32_t id, len;

	put_header(hdr, VIRTIO_BLK_T_OUT, 0);
	driver_send(&d, 0, b, 2);
	ck_assert(!driver_wait(&d, 0, &id, &len));
	ck_assert(driver_broken(&d));
	ck_assert_uint_eq(nwrite, 0);
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_OK);
}
END_TEST

/* A bad segment after a good one: nothing of the request may happen, and not twice */
START_TEST(bad_second_segment_writes_nothing)
{
	struct driver_buf b[] = {{hdr, 16, false},
				 {data, 512, false},
				 {RAM - 256, 512, false},
				 {status, 1, true}};
	uint32_t id, len;
	uint8_t buf[512];

	memset(driver_ptr(&d, data, 512), 0x99, 512);
	put_header(hdr, VIRTIO_BLK_T_OUT, 0);
	driver_send(&d, 0, b, 4);
	ck_assert(!driver_wait(&d, 0, &id, &len));
	ck_assert(driver_broken(&d));
	ck_assert_uint_eq(nwrite, 0);
	file_read(0, buf, sizeof(buf));
	ck_assert_uint_eq(buf[0], 0);
}
END_TEST

START_TEST(same_head_twice_in_flight_costs_the_device)
{
	struct driver_buf b[] = {{hdr, 16, false}, {data, 512, true}, {status, 1, true}};
	int head;

	delay_us = 5000;
	put_header(hdr, VIRTIO_BLK_T_IN, 0);
	head = driver_send(&d, 0, b, 3);
	driver_offer(&d.ring[0], (uint16_t)head);
	driver_kick(&d, 0);
	driver_run(&d, 30);
	ck_assert(driver_broken(&d));
	ck_assert(driver_bring_up(&d, ~0ULL));
	delay_us = 0;
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_OK);
}
END_TEST

START_TEST(reset_with_requests_in_flight_waits_for_them)
{
	struct driver_buf b[] = {{hdr, 16, false}, {data, 512, true}, {status, 1, true}};
	gpa_t tables = driver_alloc(&d, 100 * 48, 16);

	delay_us = 10000;
	put_header(hdr, VIRTIO_BLK_T_IN, 0);
	for (int round = 0; round < 5; round++) {
		uint64_t before = monotonic_ns();
		bool soon;

		nread = 0;
		for (unsigned int i = 0; i < 100; i++)
			driver_add_indirect(&d.ring[0], tables + 48 * i, b, 3);
		driver_publish(&d.ring[0]);
		driver_kick(&d, 0);
		driver_pump(&d);
		while (!nread) /* one has begun, or there is nothing to wait for */
			sched_yield();
		soon = monotonic_ns() - before < 100000000; /* or we were not let run */
		driver_write(&d, VIRTIO_MMIO_STATUS, 0);
		/* those that had not begun were dropped */
		ck_assert(!soon || nread < 80);
		memset(driver_ptr(&d, data, 512), 0x33, 512);
		driver_run(&d, 50); /* longer than what is late would take */
		/* and afterwards nobody writes to the guest's memory */
		ck_assert_uint_eq(*(uint8_t *)driver_ptr(&d, data, 1), 0x33);
		ck_assert(driver_bring_up(&d, ~0ULL));
	}
	delay_us = 0;
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_OK);
}
END_TEST

UNIT_MAIN("blk", setup, teardown, t)
{
	TCase *ro = unit_case(suite, "blk-readonly", setup_readonly, teardown);

	tcase_add_test(t, written_sectors_are_in_the_file_and_read_back);
	tcase_add_test(t, header_status_and_data_may_be_cut_anywhere);
	tcase_add_test(t, config_tells_size_limits_and_topology);
	tcase_add_test(t, serial_is_told_and_may_use_all_bytes);
	tcase_add_test(t, unknown_request_is_unsupported);
	tcase_add_test(t, full_queue_of_mixed_requests_all_come_back);
	tcase_add_test(t, queue_filled_to_the_last_descriptor_goes_on_after);
	tcase_add_test(t, flush_is_synced_before_the_driver_sees_it_done);
	tcase_add_test(t, failed_flush_fails_every_later_one);
	tcase_add_test(t, writes_of_a_driver_without_flush_are_synced);
	tcase_add_test(t, host_errors_are_io_errors);
	tcase_add_test(t, range_past_the_end_is_refused_and_the_file_does_not_grow);
	tcase_add_test(t, range_is_checked_over_all_buffers);
	tcase_add_test(t, odd_lengths_are_refused);
	tcase_add_test(t, huge_request_is_refused);
	tcase_add_test(t, short_header_is_an_io_error);
	tcase_add_test(t, request_without_a_status_byte_costs_the_device);
	tcase_add_test(t, bad_second_segment_writes_nothing);
	tcase_add_test(t, same_head_twice_in_flight_costs_the_device);
	tcase_add_test(t, reset_with_requests_in_flight_waits_for_them);
	tcase_add_test(ro, readonly_disk_refuses_writes_and_nothing_changes);
}
