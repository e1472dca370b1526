/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blk_fixture - a block device on files in a directory of the test's own, driven through
 * its registers, with a seam that counts and fails.
 */
#ifndef MICROVM_TESTS_BLK_FIXTURE_H
#define MICROVM_TESTS_BLK_FIXTURE_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_mmio.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/backend/disk.h"
#include "devices/backend/ring.h"
#include "devices/virtio/blk.h"
#include "devices/virtio/devices.h"
#include "tests/lib/driver.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

#define FIXTURE_RAM  (8 * MIB)
#define FIXTURE_DATA (1 * MIB)

static struct driver d;
static char dir[64], path[96];
static gpa_t hdr, data, status;
static struct ring *ring; /* with @use_ring */
static bool use_ring;

/* ---- the seam ---- */

static atomic_int fail_write, fail_sync, fail_allocate; /* errno of each call; 0: none */
static atomic_uint nsync, nallocate;
static atomic_uint short_writes;      /* bytes that a call writes at most; 0: all */
static void (*_Atomic on_sync)(void); /* NULL, or called in each datasync */

static inline int fixture_fails(int code)
{
	errno = code;
	return code;
}

static inline ssize_t fixture_writev(int fd, const struct iovec *v, int n, off_t off,
				     int flags)
{
	struct iovec one = {v->iov_base, MIN(v->iov_len, (size_t)short_writes)};

	if (fixture_fails(fail_write))
		return -1;
	return short_writes ? pwritev2(fd, &one, 1, off, flags)
			    : pwritev2(fd, v, n, off, flags);
}

static inline int fixture_datasync(int fd)
{
	void (*hook)(void) = on_sync;

	nsync++;
	if (hook)
		hook();
	return fixture_fails(fail_sync) ? -1 : fdatasync(fd);
}

static inline int fixture_allocate(int fd, int mode, off_t off, off_t len)
{
	nallocate++;
	return fixture_fails(fail_allocate) ? -1 : fallocate(fd, mode, off, len);
}

/* ---- the files ---- */

static inline void make_file(const char *p, off_t size, int fill)
{
	char buf[4096];
	int fd = open(p, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	memset(buf, fill, sizeof(buf));
	for (off_t at = 0; fill && at < size; at += (off_t)sizeof(buf))
		ck_assert_int_eq(pwrite(fd, buf, sizeof(buf), at), sizeof(buf));
	ck_assert_int_eq(ftruncate(fd, size), 0);
	close(fd);
}

static inline struct stat file_stat(const char *p)
{
	struct stat st;

	ck_assert_int_eq(stat(p, &st), 0);
	return st;
}

static inline uint8_t file_byte(const char *p, off_t at)
{
	int fd = open(p, O_RDONLY | O_CLOEXEC);
	uint8_t byte = 0;

	ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
	close(fd);
	return byte;
}

/* ---- the device ---- */

static inline void plug(struct config_disk c, unsigned int ncpu)
{
	driver_init(&d, FIXTURE_RAM);
	d.cfg.ndisk = 1;
	d.cfg.ncpu = ncpu;
	d.cfg.disk[0] = c;
	if (use_ring) {
		ring = ring_create(d.loop);
		ck_assert_ptr_nonnull(ring);
		d.env.ring = ring;
	}
	driver_plug(&d, blk_create(&d.env, 0, &d.err));
	ck_assert(driver_bring_up(&d, ~0ULL));
	hdr = driver_alloc(&d, sizeof(struct virtio_blk_outhdr), 16);
	data = driver_alloc(&d, FIXTURE_DATA, 4096);
	status = driver_alloc(&d, 1, 1);
}

/* Afterwards plug() may be called again */
static inline void unplug(void)
{
	if (!d.loop)
		return;
	driver_unplug(&d);
	ring_destroy(ring);
	ring = NULL;
	driver_fini(&d);
	d.loop = NULL;
}

static inline void fixture_dir_in(const char *where)
{
	static const struct disk_sys sys = {
		.readv = preadv2,
		.writev = fixture_writev,
		.datasync = fixture_datasync,
		.allocate = fixture_allocate,
	};

	log_threshold = LOG_ERROR;
	snprintf(dir, sizeof(dir), "%s/microvm-blk.XXXXXX", where);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/disk", dir);
	disk_sys = &sys;
}

static inline void fixture_dir(void)
{
	fixture_dir_in("/tmp");
}

static inline void fixture_end(void)
{
	char cmd[96];

	unplug();
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

/* A request on queue @qi with @len bytes at @data.  Return: its status, 0xff: it did not
 * come back
 */
static inline uint8_t request_on(unsigned int qi, uint32_t type, uint64_t sector,
				 uint32_t len)
{
	bool in = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
	struct driver_buf b[3] = {{hdr, 16, false}, {data, len, in}, {status, 1, true}};
	struct virtio_blk_outhdr h = {.type = type, .sector = sector};
	uint32_t id, used;

	memcpy(driver_ptr(&d, hdr, sizeof(h)), &h, sizeof(h));
	memset(driver_ptr(&d, status, 1), 0xff, 1);
	if (!len)
		b[1] = b[2];
	driver_send(&d, qi, b, len ? 3 : 2);
	if (!driver_wait(&d, qi, &id, &used))
		return 0xff;
	return *(volatile uint8_t *)driver_ptr(&d, status, 1);
}

static inline uint8_t request(uint32_t type, uint64_t sector, uint32_t len)
{
	return request_on(0, type, sector, len);
}

static inline uint8_t write_at(uint64_t off, uint32_t len, int fill)
{
	memset(driver_ptr(&d, data, len), fill, len);
	return request(VIRTIO_BLK_T_OUT, off / 512, len);
}

/* Are all @len bytes at @off what @fill says? */
static inline void expect_at(uint64_t off, uint32_t len, int fill)
{
	const uint8_t *p = driver_ptr(&d, data, len);

	memset(driver_ptr(&d, data, len), ~fill, len);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, off / 512, len), VIRTIO_BLK_S_OK);
	for (uint32_t i = 0; i < len; i++) {
		if (p[i] == fill)
			continue;
		ck_abort_msg("byte %llu is %02x, not %02x", (unsigned long long)off + i,
			     p[i], fill);
	}
}

static inline uint8_t request_ranges(uint32_t type,
				     const struct virtio_blk_discard_write_zeroes *r,
				     unsigned int n)
{
	memcpy(driver_ptr(&d, data, n * sizeof(*r)), r, n * sizeof(*r));
	return request(type, 0, (uint32_t)(n * sizeof(*r)));
}

static inline uint8_t request_range(uint32_t type, uint64_t sector, uint32_t n,
				    uint32_t flags)
{
	struct virtio_blk_discard_write_zeroes r = {sector, n, flags};

	return request_ranges(type, &r, 1);
}

#endif
