/* SPDX-License-Identifier: Apache-2.0 */
/* test_blk_price - bps= is about the bytes that the host moves, whatever the guest asked for. */
#include "tests/lib/unit.h"
#include "tests/unit/blk_fixture.h"

#define SIZE    (16 * MIB)
#define CLUSTER (64 * KIB)

static char cow[128];

static void setup(void)
{
	fixture_dir();
	make_file(path, SIZE, 0x5a);
	(void)snprintf(cow, sizeof(cow), "%s/cow", dir);
}

/* A bucket that time does not fill: what is gone from it was charged */
static void plug_full(char *overlay)
{
	plug((struct config_disk){.path = path,
				  .overlay = overlay,
				  .rate = {.bytes = 1, .bytes_burst = GIB}},
	     1);
}

static uint64_t charged(void)
{
	return (uint64_t)((int64_t)GIB - blk_of(d.v)->rate.bytes.level);
}

/* @request was answered well, and @want bytes were charged for it; a byte a second comes back */
static void costs(uint8_t request, uint64_t *before, uint64_t want)
{
	uint64_t is = charged();

	ck_assert_uint_eq(request, VIRTIO_BLK_S_OK);
	ck_assert_msg(is - *before <= want && is - *before + 16 >= want,
		      "%llu instead of %llu", (unsigned long long)(is - *before),
		      (unsigned long long)want);
	*before = is;
}

static uint8_t zero(uint64_t off, uint64_t len, uint32_t unmap)
{
	return request_range(VIRTIO_BLK_T_WRITE_ZEROES, off / 512, (uint32_t)(len / 512),
			     unmap);
}

static uint8_t read_at(uint64_t off, uint32_t len)
{
	return request(VIRTIO_BLK_T_IN, off / 512, len);
}

START_TEST(zeroes_that_are_marked_cost_nothing)
{
	uint64_t at = 0;

	plug_full(NULL);
	for (uint32_t unmap = 0; unmap < 2; unmap++) {
		/* tmpfs can make holes, and marks nothing */
		int how = unmap ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;
		int fd = open(path, O_RDWR | O_CLOEXEC);
		bool can = fallocate(fd, how | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0;

		close(fd);
		costs(zero(0, 8 * MIB, unmap), &at, can ? 0 : 8 * MIB);
		costs(zero(0, 8 * MIB, unmap), &at, can ? 0 : 8 * MIB);
	}
	costs(request_range(VIRTIO_BLK_T_DISCARD, 0, 4096, 0), &at, 0);
	costs(request(VIRTIO_BLK_T_FLUSH, 0, 0), &at, 0);
	costs(write_at(0, 3 * 512, 1), &at, 3 * 512);
	costs(request(VIRTIO_BLK_T_FLUSH, 0, 0), &at, 0);
	costs(read_at(0, 4096), &at, 4096);
}
END_TEST

START_TEST(zeroes_that_are_written_cost_their_bytes)
{
	uint64_t at = 0;

	plug_full(NULL);
	fail_allocate = EOPNOTSUPP;
	for (unsigned int i = 0; i < 4; i++)
		costs(zero(0, 8 * MIB, i % 2), &at, 8 * MIB);
	costs(request_range(VIRTIO_BLK_T_DISCARD, 0, 4096, 0), &at, 0);
}
END_TEST

/* @n requests at once, each for 8 MiB of zeroes, on a disk that 1 KiB a second is let to */
static void send_zeroes(unsigned int n)
{
	struct {
		struct virtio_blk_outhdr h;
		struct virtio_blk_discard_write_zeroes r;
	} q = {{.type = VIRTIO_BLK_T_WRITE_ZEROES},
	       {.num_sectors = 8 * MIB / 512, .flags = 1}};

	plug((struct config_disk){.path = path,
				  .rate = {.bytes = 1024, .bytes_burst = 1024}},
	     1);
	memcpy(driver_ptr(&d, data, sizeof(q)), &q, sizeof(q));
	while (n--) {
		struct driver_buf b[2] = {{data, sizeof(q), false}, {status, 1, true}};

		ck_assert_int_ge(driver_add(&d.ring[0], b, 2), 0);
	}
	driver_publish(&d.ring[0]);
	driver_kick(&d, 0);
}

/* Nobody has said yet what they will cost, and the second may not begin before that */
START_TEST(zeroes_are_charged_before_they_begin)
{
	uint32_t id, len;

	fail_allocate = EOPNOTSUPP;
	nallocate = 0;
	send_zeroes(8);
	ck_assert(driver_wait(&d, 0, &id, &len));
	driver_run(&d, 20);
	ck_assert_uint_eq(nallocate, 1);
	ck_assert_int_le(blk_of(d.v)->rate.bytes.level, -7 * (int64_t)MIB);
}
END_TEST

/* The second waits for as long as the first would cost, two hours, until that costs nothing */
START_TEST(what_is_given_back_ends_a_wait)
{
	uint32_t id, len;

	send_zeroes(2);
	ck_assert(driver_wait(&d, 0, &id, &len));
	ck_assert(driver_wait(&d, 0, &id, &len));
}
END_TEST

START_TEST(part_of_a_fresh_cluster_costs_the_cluster_twice)
{
	uint64_t at = 0;

	plug_full(cow);
	costs(write_at(0, 512, 1), &at, 2 * CLUSTER);
	costs(write_at(512, 512, 1), &at, 512); /* it is there now */
	costs(write_at(CLUSTER, CLUSTER, 1), &at, CLUSTER);
	costs(write_at(3 * CLUSTER - 512, 1024, 1), &at,
	      4 * CLUSTER); /* of two clusters */
	costs(write_at(5 * CLUSTER - 512, CLUSTER + 1024, 1), &at, 5 * CLUSTER);
	costs(zero(8 * CLUSTER + 4096, 4096, 1), &at, 2 * CLUSTER);
	costs(request_range(VIRTIO_BLK_T_DISCARD, (9 * CLUSTER + 512) / 512, 8, 0), &at,
	      2 * CLUSTER);
	costs(request_range(VIRTIO_BLK_T_DISCARD, 10 * CLUSTER / 512, 1024, 0), &at, 0);
	costs(read_at(0, 4096), &at, 4096);
	costs(read_at(20 * CLUSTER, 4096), &at, 4096);
	costs(request(VIRTIO_BLK_T_FLUSH, 0, 0), &at, 0);
}
END_TEST

START_TEST(last_cluster_costs_what_there_is_of_it)
{
	uint64_t at = 0;

	ck_assert_int_eq(truncate(path, SIZE + 4096), 0);
	plug_full(cow);
	costs(write_at(SIZE, 512, 1), &at, 2 * 4096);
	costs(write_at(SIZE, 4096, 1), &at, 4096);
}
END_TEST

/* All of them want the cluster, and one brings it */
START_TEST(several_at_once_pay_for_one_copy)
{
	struct driver_buf b[3] = {{0, 16, false}, {0, 512, false}, {0, 1, true}};
	struct virtio_blk_outhdr h = {.type = VIRTIO_BLK_T_OUT, .sector = 128};
	uint32_t id, len;
	uint64_t at = 0;

	plug_full(cow);
	b[0].gpa = hdr;
	b[1].gpa = data;
	b[2].gpa = status;
	memcpy(driver_ptr(&d, hdr, sizeof(h)), &h, sizeof(h));
	for (unsigned int i = 0; i < 8; i++)
		ck_assert_int_ge(driver_add(&d.ring[0], b, 3), 0);
	driver_publish(&d.ring[0]);
	driver_kick(&d, 0);
	for (unsigned int i = 0; i < 8; i++)
		ck_assert(driver_wait(&d, 0, &id, &len));
	costs(VIRTIO_BLK_S_OK, &at, 2 * CLUSTER + 7 * 512);
}
END_TEST

/* A full host: what was tried is not given back, or it could be tried for ever */
START_TEST(what_failed_stays_charged)
{
	plug_full(cow);
	fail_write = ENOSPC;
	ck_assert_uint_eq(write_at(0, 512, 1), VIRTIO_BLK_S_IOERR);
	fail_write = 0;
	ck_assert_uint_ge(charged() + 16, 2 * CLUSTER);
}
END_TEST

UNIT_MAIN("blk_price", setup, fixture_end, t)
{
	tcase_add_test(t, zeroes_that_are_marked_cost_nothing);
	tcase_add_test(t, zeroes_that_are_written_cost_their_bytes);
	tcase_add_test(t, zeroes_are_charged_before_they_begin);
	tcase_add_test(t, what_is_given_back_ends_a_wait);
	tcase_add_test(t, part_of_a_fresh_cluster_costs_the_cluster_twice);
	tcase_add_test(t, last_cluster_costs_what_there_is_of_it);
	tcase_add_test(t, several_at_once_pay_for_one_copy);
	tcase_add_test(t, what_failed_stays_charged);
}
