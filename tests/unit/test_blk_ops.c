/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_blk_ops - what a block device can do beyond reading and writing: discard, zeroes,
 * write-through, several queues, limits, another size.
 */
#include "tests/unit/blk_fixture.h"

#include <linux/virtio_config.h>

#include "tests/lib/unit.h"

#define SECTORS       8192
#define SIZE          (SECTORS * 512)
#define CONFIG(field) (VIRTIO_MMIO_CONFIG + offsetof(struct virtio_blk_config, field))

static void setup(void)
{
	fixture_dir();
	make_file(path, SIZE, 0x5a);
	plug((struct config_disk){.path = path}, 1);
}

static void replug(struct config_disk c, unsigned int ncpu)
{
	unplug();
	c.path = path;
	plug(c, ncpu);
}

/* ---- discard and zeroes ---- */

START_TEST(discard_gives_space_back_and_nothing_else_changes)
{
	blkcnt_t before = file_stat(path).st_blocks;

	ck_assert_uint_eq(request_range(VIRTIO_BLK_T_DISCARD, 2048, 4096, 0),
			  VIRTIO_BLK_S_OK);
	ck_assert_int_le(file_stat(path).st_blocks, before - 4096);
	ck_assert_int_eq(file_stat(path).st_size, SIZE);
	expect_at(0, FIXTURE_DATA, 0x5a);
	expect_at(6144 * 512, FIXTURE_DATA, 0x5a);
}
END_TEST

START_TEST(zeroed_range_is_zero_to_the_byte)
{
	for (uint32_t unmap = 0; unmap < 2; unmap++) {
		uint64_t at = 1000 + 3000 * unmap; /* no page begins or ends there */

		ck_assert_uint_eq(
			request_range(VIRTIO_BLK_T_WRITE_ZEROES, at, 1501, unmap),
			VIRTIO_BLK_S_OK);
		expect_at((at - 100) * 512, 100 * 512, 0x5a);
		expect_at(at * 512, 1501 * 512, 0);
		expect_at((at + 1501) * 512, 100 * 512, 0x5a);
	}
	ck_assert_int_eq(file_stat(path).st_size, SIZE);
}
END_TEST

START_TEST(zeroes_are_written_where_the_file_system_cannot)
{
	fail_allocate = EOPNOTSUPP;
	short_writes = 5000;
	ck_assert_uint_eq(request_range(VIRTIO_BLK_T_WRITE_ZEROES, 999, 1501, 1),
			  VIRTIO_BLK_S_OK);
	expect_at(899 * 512, 100 * 512, 0x5a);
	expect_at(999 * 512, 1501 * 512, 0);
	expect_at(2500 * 512, 100 * 512, 0x5a);
	ck_assert_uint_eq(request_range(VIRTIO_BLK_T_DISCARD, 3000, 8, 0),
			  VIRTIO_BLK_S_OK);
	expect_at(3000 * 512, 8 * 512, 0x5a); /* a wish that cannot be granted */
}
END_TEST

START_TEST(all_segments_of_a_discard_are_discarded)
{
	struct virtio_blk_discard_write_zeroes r[16];

	for (unsigned int i = 0; i < 16; i++)
		r[i] = (struct virtio_blk_discard_write_zeroes){
			.sector = 512 * i, .num_sectors = i == 7 ? 0 : 256};
	nallocate = 0;
	ck_assert_uint_eq(request_ranges(VIRTIO_BLK_T_DISCARD, r, 16), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(nallocate, 15);
	for (unsigned int i = 0; i < 16; i++) {
		ck_assert_uint_eq(file_byte(path, 512 * 512 * i), i == 7 ? 0x5a : 0);
		ck_assert_uint_eq(file_byte(path, (512 * i + 256) * 512), 0x5a);
	}
}
END_TEST

START_TEST(lying_segments_are_refused_and_nothing_happens)
{
	static const struct {
		uint32_t type;
		uint64_t sector;
		uint32_t n, flags;
		uint8_t want;
	} bad[] = {
		{VIRTIO_BLK_T_DISCARD, 0, 8, 1, VIRTIO_BLK_S_UNSUPP},
		{VIRTIO_BLK_T_DISCARD, 0, 8, 2, VIRTIO_BLK_S_UNSUPP},
		{VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 2, VIRTIO_BLK_S_UNSUPP},
		{VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, ~0U, VIRTIO_BLK_S_UNSUPP},
		{VIRTIO_BLK_T_DISCARD, SECTORS, 1, 0, VIRTIO_BLK_S_IOERR},
		{VIRTIO_BLK_T_DISCARD, SECTORS - 1, 2, 0, VIRTIO_BLK_S_IOERR},
		{VIRTIO_BLK_T_DISCARD, 0, SECTORS + 1, 0, VIRTIO_BLK_S_IOERR},
		{VIRTIO_BLK_T_DISCARD, 0, ~0U, 0, VIRTIO_BLK_S_IOERR},
		{VIRTIO_BLK_T_DISCARD, ~0ULL, 1, 0, VIRTIO_BLK_S_IOERR},
		{VIRTIO_BLK_T_DISCARD, 1ULL << 55, 8, 0, VIRTIO_BLK_S_IOERR},
		{VIRTIO_BLK_T_WRITE_ZEROES, ~0ULL - 7, 16, 0, VIRTIO_BLK_S_IOERR},
		{VIRTIO_BLK_T_WRITE_ZEROES, 1ULL << 55, 8, 1, VIRTIO_BLK_S_IOERR},
		{VIRTIO_BLK_T_WRITE_ZEROES, 0, ~0U, 0, VIRTIO_BLK_S_IOERR},
	};
	struct virtio_blk_discard_write_zeroes r[17] = {{0, 8, 0}, {SECTORS, 8, 0}};

	nallocate = 0;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_uint_eq(
			request_range(bad[i].type, bad[i].sector, bad[i].n, bad[i].flags),
			bad[i].want);
	/* a good one and a bad one; too many; a part of one; none */
	ck_assert_uint_eq(request_ranges(VIRTIO_BLK_T_DISCARD, r, 2), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(request_ranges(VIRTIO_BLK_T_DISCARD, r, 17),
			  VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(request_ranges(VIRTIO_BLK_T_WRITE_ZEROES, r, 2),
			  VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_DISCARD, 0, 15), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_DISCARD, 0, 0), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(nallocate, 0);
	ck_assert_int_eq(file_stat(path).st_size, SIZE);
	expect_at(0, FIXTURE_DATA, 0x5a);
}
END_TEST

/* They could keep the host busy for minutes */
START_TEST(ranges_that_are_too_long_are_refused)
{
	static const struct {
		uint32_t type;
		uint64_t most;
	} range[] = {{VIRTIO_BLK_T_DISCARD, BLK_DISCARD_SECTORS},
		     {VIRTIO_BLK_T_WRITE_ZEROES, BLK_ZERO_SECTORS}};

	unplug();
	ck_assert_int_eq(truncate(path, 2 * BLK_DISCARD_SECTORS * 512), 0);
	plug((struct config_disk){.path = path}, 1);
	for (size_t i = 0; i < ARRAY_SIZE(range); i++) {
		nallocate = 0;
		ck_assert_uint_eq(
			request_range(range[i].type, 0, (uint32_t)range[i].most + 1, 0),
			VIRTIO_BLK_S_IOERR);
		ck_assert_uint_eq(nallocate, 0);
		ck_assert_uint_eq(
			request_range(range[i].type, 0, (uint32_t)range[i].most, 0),
			VIRTIO_BLK_S_OK);
	}
}
END_TEST

START_TEST(failed_discard_is_an_io_error)
{
	static const int codes[] = {EIO, ENOSPC, EPERM};
	struct virtio_blk_discard_write_zeroes r[3] = {{0, 8, 0}, {8, 8, 0}, {16, 8, 0}};

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		fail_allocate = codes[i];
		nallocate = 0;
		ck_assert_uint_eq(request_ranges(VIRTIO_BLK_T_DISCARD, r, 3),
				  VIRTIO_BLK_S_IOERR);
		ck_assert_uint_eq(nallocate, 1); /* and the others were not begun */
		ck_assert_uint_eq(request_range(VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 0),
				  VIRTIO_BLK_S_IOERR);
	}
	expect_at(0, 64 * KIB, 0x5a);
}
END_TEST

START_TEST(readonly_disk_offers_neither)
{
	replug((struct config_disk){.readonly = true}, 1);
	ck_assert(!(driver_offered(&d) &
		    (1ULL << VIRTIO_BLK_F_DISCARD | 1ULL << VIRTIO_BLK_F_WRITE_ZEROES)));
	ck_assert_uint_eq(driver_read(&d, CONFIG(max_discard_sectors)), 0);
	ck_assert_uint_eq(request_range(VIRTIO_BLK_T_DISCARD, 0, 8, 0),
			  VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(request_range(VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 0),
			  VIRTIO_BLK_S_IOERR);
	expect_at(0, 4096, 0x5a);
}
END_TEST

/* ---- cache= ---- */

START_TEST(writethrough_is_synced_before_the_driver_sees_it_done)
{
	replug((struct config_disk){.cache = CACHE_WRITETHROUGH}, 1);
	ck_assert_uint_eq(driver_read_n(&d, CONFIG(wce), 1), 0);
	nsync = 0;
	ck_assert_uint_eq(write_at(0, 512, 1), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(nsync, 1);
	ck_assert_uint_eq(request_range(VIRTIO_BLK_T_WRITE_ZEROES, 8, 8, 0),
			  VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(nsync, 2);
	ck_assert_uint_eq(request_range(VIRTIO_BLK_T_DISCARD, 8, 8, 0), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(nsync, 3);
	fail_sync = EIO;
	ck_assert_uint_eq(write_at(0, 512, 1), VIRTIO_BLK_S_IOERR);
}
END_TEST

START_TEST(driver_switches_the_cache_and_a_reset_switches_it_back)
{
	nsync = 0;
	ck_assert_uint_eq(driver_read_n(&d, CONFIG(wce), 1), 1);
	ck_assert_uint_eq(write_at(0, 512, 1), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(nsync, 0);
	driver_write_n(&d, CONFIG(wce), 1, 0);
	ck_assert_uint_eq(driver_read_n(&d, CONFIG(wce), 1), 0);
	ck_assert_uint_eq(write_at(0, 512, 1), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(nsync, 1);
	driver_write_n(&d, CONFIG(wce), 1, 0xfe); /* not 0: write-back */
	ck_assert_uint_eq(driver_read_n(&d, CONFIG(wce), 1), 1);
	driver_write_n(&d, CONFIG(wce), 1, 0);
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert_uint_eq(driver_read_n(&d, CONFIG(wce), 1), 1);
}
END_TEST

START_TEST(driver_changes_nothing_else_of_the_config)
{
	uint64_t capacity = driver_read_n(&d, CONFIG(capacity), 8);

	for (unsigned int off = 0; off < sizeof(struct virtio_blk_config); off += 4)
		driver_write_n(&d, VIRTIO_MMIO_CONFIG + off, 4, 0xdeadbeef);
	driver_write_n(&d, CONFIG(capacity), 8, ~0ULL);
	ck_assert_uint_eq(driver_read_n(&d, CONFIG(capacity), 8), capacity);
	ck_assert_uint_eq(driver_read(&d, CONFIG(blk_size)), 512);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, SECTORS, 512), VIRTIO_BLK_S_IOERR);
	/* and "wce" only if it was negotiated */
	ck_assert(driver_bring_up(&d, ~(1ULL << VIRTIO_BLK_F_CONFIG_WCE)));
	driver_write_n(&d, CONFIG(wce), 1, 0);
	ck_assert_uint_eq(driver_read_n(&d, CONFIG(wce), 1), 1);
}
END_TEST

/* ---- queues ---- */

START_TEST(each_vcpu_has_a_queue)
{
	ck_assert(!(driver_offered(&d) & (1ULL << VIRTIO_BLK_F_MQ)));
	replug((struct config_disk){0}, 3);
	ck_assert(driver_offered(&d) & (1ULL << VIRTIO_BLK_F_MQ));
	ck_assert_uint_eq(driver_read_n(&d, CONFIG(num_queues), 2), 3);
	for (unsigned int qi = 0; qi < 3; qi++)
		for (unsigned int n = 0; n < 300; n++)
			ck_assert_uint_eq(request_on(qi, VIRTIO_BLK_T_IN, n, 512),
					  VIRTIO_BLK_S_OK);
	replug((struct config_disk){0}, 1000);
	ck_assert_uint_eq(driver_read_n(&d, CONFIG(num_queues), 2), 16);
	ck_assert_uint_eq(request_on(15, VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_OK);
}
END_TEST

/* As many requests as @qi's ring holds, not waited for */
static unsigned int fill_ring(unsigned int qi)
{
	struct driver_buf b[] = {{hdr, 16, false}, {data, 512, true}, {status, 1, true}};
	struct virtio_blk_outhdr h = {.type = VIRTIO_BLK_T_IN};
	unsigned int n = 0;

	memcpy(driver_ptr(&d, hdr, sizeof(h)), &h, sizeof(h));
	while (driver_add(&d.ring[qi], b, 3) >= 0)
		n++;
	driver_publish(&d.ring[qi]);
	driver_kick(&d, qi);
	return n;
}

START_TEST(all_queues_full_at_once_all_come_back)
{
	unsigned int n = 0;
	uint32_t id, len;

	replug((struct config_disk){0}, 16);
	for (unsigned int qi = 0; qi < 16; qi++)
		n = fill_ring(qi);
	for (unsigned int qi = 0; qi < 16; qi++)
		for (unsigned int i = 0; i < n; i++)
			ck_assert(driver_wait(&d, qi, &id, &len));
}
END_TEST

/* ---- limits ---- */

START_TEST(limit_is_kept_on_all_queues_together)
{
	uint64_t start = monotonic_ns(), ms;
	unsigned int n = 0;
	uint32_t id, len;

	replug((struct config_disk){.rate = {.ops = 500, .ops_burst = 1}}, 2);
	n = fill_ring(0);
	n += fill_ring(1);
	for (unsigned int i = 0; i < n; i++) /* in turn: both are served */
		ck_assert(driver_wait(&d, i % 2, &id, &len));
	ms = (monotonic_ns() - start) / 1000000;
	ck_assert_uint_ge(ms, (n - 1) * 2);
	ck_assert_uint_le(ms, n * 2 + 5000); /* the host may be busy */
}
END_TEST

START_TEST(limit_on_bytes_counts_both_directions)
{
	uint64_t start = monotonic_ns();

	replug((struct config_disk){.rate = {.bytes = 4 * MIB, .bytes_burst = 1024}}, 1);
	for (unsigned int i = 0; i < 4; i++) {
		ck_assert_uint_eq(write_at(0, 64 * KIB, 1), VIRTIO_BLK_S_OK);
		expect_at(0, 64 * KIB, 1);
	}
	ck_assert_uint_ge(monotonic_ns() - start, 100000000);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_OK);
}
END_TEST

START_TEST(reset_while_waiting_for_tokens_is_no_way_around_them)
{
	uint64_t start = monotonic_ns(), due;

	replug((struct config_disk){.rate = {.ops = 10, .ops_burst = 1}}, 1);
	for (unsigned int i = 0; i < 3; i++) {
		fill_ring(0);
		driver_run(&d, 2);
		due = (monotonic_ns() - start) / 100000000; /* 0, if we are let run */
		ck_assert_uint_le(d.dev->io.requests, 1 + due);
		ck_assert(driver_bring_up(&d, ~0ULL));
	}
	driver_run(&d, 120); /* nothing comes back for rings that are gone */
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_OK);
}
END_TEST

/* ---- another size ---- */

START_TEST(grown_disk_is_told_and_usable_at_once)
{
	(void)driver_irqs(&d);
	blk_look_again(d.v);
	ck_assert_uint_eq(driver_irqs(&d), 0); /* nothing new, nothing said */
	ck_assert_int_eq(truncate(path, SIZE + 4096 + 100), 0);
	blk_look_again(d.v);
	ck_assert_uint_eq(driver_irqs(&d), 1);
	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_INTERRUPT_STATUS) &
				  VIRTIO_MMIO_INT_CONFIG,
			  VIRTIO_MMIO_INT_CONFIG);
	ck_assert_uint_eq(driver_read_n(&d, CONFIG(capacity), 8), SECTORS + 8);
	ck_assert_uint_eq(write_at(SIZE, 4096, 0x11), VIRTIO_BLK_S_OK);
	expect_at(SIZE, 4096, 0x11);
	ck_assert_uint_eq(write_at(SIZE + 4096, 512, 0x11), VIRTIO_BLK_S_IOERR);
}
END_TEST

START_TEST(shrunk_disk_fails_behind_its_end_only)
{
	ck_assert_int_eq(truncate(path, SIZE / 2), 0);
	/* not told yet: the file itself says no */
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, SECTORS - 8, 512), VIRTIO_BLK_S_IOERR);
	blk_look_again(d.v);
	ck_assert_uint_eq(driver_read_n(&d, CONFIG(capacity), 8), SECTORS / 2);
	ck_assert_uint_eq(write_at(SIZE - 4096, 512, 1), VIRTIO_BLK_S_IOERR);
	ck_assert_int_eq(file_stat(path).st_size, SIZE / 2);
	expect_at(0, 4096, 0x5a);
	ck_assert_int_eq(truncate(path, 0), 0);
	blk_look_again(d.v);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_IOERR);
	ck_assert(!driver_broken(&d));
}
END_TEST

static void refused(uint64_t size, int code, const char *says)
{
	uint64_t now = 0;
	struct err e = {0};

	ck_assert_int_eq(blk_resize(d.v, size, &now, &e), -code);
	ck_assert_int_eq(e.code, code);
	ck_assert_msg(strstr(e.msg, says), "%s", e.msg);
	ck_assert_uint_eq(now, blk_size(d.v));
}

START_TEST(disk_that_is_told_to_grow_grows_and_does_not_shrink)
{
	uint64_t now = 0;
	struct err e = {0};

	(void)driver_irqs(&d);
	ck_assert_int_eq(blk_resize(d.v, SIZE + 8192, &now, &e), 0);
	ck_assert_uint_eq(now, SIZE + 8192);
	ck_assert_uint_eq(blk_size(d.v), SIZE + 8192);
	ck_assert_int_eq(file_stat(path).st_size, SIZE + 8192);
	ck_assert_uint_eq(driver_irqs(&d), 1);
	ck_assert_uint_eq(driver_read_n(&d, CONFIG(capacity), 8), SECTORS + 16);
	ck_assert_uint_eq(write_at(SIZE + 4096, 4096, 0x22), VIRTIO_BLK_S_OK);
	/* once more is as well; and nothing is said */
	ck_assert_int_eq(blk_resize(d.v, SIZE + 8192, &now, &e), 0);
	(void)driver_irqs(&d);
	ck_assert_int_eq(blk_resize(d.v, 0, &now, &e), 0);
	ck_assert_uint_eq(driver_irqs(&d), 0);
	refused(SIZE, EINVAL, "would lose");
	refused(SIZE + 8193, EINVAL, "whole blocks of 512");
	ck_assert_int_eq(file_stat(path).st_size, SIZE + 8192);
	/* its file grew without us */
	ck_assert_int_eq(truncate(path, SIZE + 16384), 0);
	ck_assert_int_eq(blk_resize(d.v, 0, &now, &e), 0);
	ck_assert_uint_eq(now, SIZE + 16384);
}
END_TEST

START_TEST(disk_that_may_not_grow_says_why)
{
	uint64_t now;
	struct err e;
	char top[128];

	replug((struct config_disk){.readonly = true}, 1);
	refused(SIZE + 4096, EROFS, "read-only");
	ck_assert_int_eq(file_stat(path).st_size, SIZE);
	ck_assert_int_eq(truncate(path, SIZE + 4096), 0);
	ck_assert_int_eq(blk_resize(d.v, 0, &now, &e), 0);
	ck_assert_uint_eq(now, SIZE + 4096);
	(void)snprintf(top, sizeof(top), "%s/top", dir);
	replug((struct config_disk){.overlay = top}, 1);
	refused(0, ENOTSUP, "an overlay fits only");
	refused(SIZE + 8192, ENOTSUP, "an overlay fits only");
	unlink(top);
}
END_TEST

UNIT_MAIN("blk_ops", setup, fixture_end, t)
{
	tcase_add_test(t, discard_gives_space_back_and_nothing_else_changes);
	tcase_add_test(t, zeroed_range_is_zero_to_the_byte);
	tcase_add_test(t, zeroes_are_written_where_the_file_system_cannot);
	tcase_add_test(t, all_segments_of_a_discard_are_discarded);
	tcase_add_test(t, lying_segments_are_refused_and_nothing_happens);
	tcase_add_test(t, ranges_that_are_too_long_are_refused);
	tcase_add_test(t, failed_discard_is_an_io_error);
	tcase_add_test(t, readonly_disk_offers_neither);
	tcase_add_test(t, writethrough_is_synced_before_the_driver_sees_it_done);
	tcase_add_test(t, driver_switches_the_cache_and_a_reset_switches_it_back);
	tcase_add_test(t, driver_changes_nothing_else_of_the_config);
	tcase_add_test(t, each_vcpu_has_a_queue);
	tcase_add_test(t, all_queues_full_at_once_all_come_back);
	tcase_add_test(t, limit_is_kept_on_all_queues_together);
	tcase_add_test(t, limit_on_bytes_counts_both_directions);
	tcase_add_test(t, reset_while_waiting_for_tokens_is_no_way_around_them);
	tcase_add_test(t, grown_disk_is_told_and_usable_at_once);
	tcase_add_test(t, shrunk_disk_fails_behind_its_end_only);
	tcase_add_test(t, disk_that_is_told_to_grow_grows_and_does_not_shrink);
	tcase_add_test(t, disk_that_may_not_grow_says_why);
}
