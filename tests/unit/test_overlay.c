/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_overlay - a disk with an overlay through its registers: what is read where, what is
 * left after a kill, and that the base never changes.
 */
#include "tests/unit/blk_fixture.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "devices/backend/overlay.h"
#include "tests/lib/unit.h"

#define CLUSTER (64 * KIB)
#define SIZE    (20 * CLUSTER + 512 * 3) /* the last cluster is a part of one */

static char top[96], copy[96];

static void plug_overlay(const char *file, struct config_disk c)
{
	unplug();
	c.path = path;
	c.overlay = (char *)(uintptr_t)file;
	plug(c, 2);
}

static void setup(void)
{
	fixture_dir();
	snprintf(top, sizeof(top), "%s/top", dir);
	snprintf(copy, sizeof(copy), "%s/copy", dir);
	make_file(path, SIZE, 0x5a);
	ck_assert_int_eq(chmod(path, 0400), 0);
	plug_overlay(top, (struct config_disk){0});
}

/* As a kill -9 would leave it: what the file has, and nothing of what we know */
static void killed(void)
{
	char cmd[256];

	snprintf(cmd, sizeof(cmd), "cp --sparse=always %s %s", top, copy);
	ck_assert_int_eq(system(cmd), 0);
	plug_overlay(copy, (struct config_disk){0});
}

static void flush(void)
{
	ck_assert_uint_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_OK);
}

static void teardown(void)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t was[512], is[512];

	memset(was, 0x5a, sizeof(was));
	for (off_t at = 0; at < (off_t)SIZE; at += 512) {
		ck_assert_int_eq(pread(fd, is, 512, at), 512);
		ck_assert_mem_eq(is, was, sizeof(is)); /* the base is as it was */
	}
	close(fd);
	fixture_end();
}

/* 0: blocking calls, 1: an io_uring */
static void with_engine(int i)
{
	use_ring = i;
	plug_overlay(top, (struct config_disk){0});
}

/* ---- where bytes are ---- */

START_TEST(base_shows_where_nothing_was_written)
{
	expect_at(0, FIXTURE_DATA, 0x5a);
	expect_at(SIZE - 1536, 1536, 0x5a);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, SIZE / 512, 512), VIRTIO_BLK_S_IOERR);
	ck_assert_int_lt(file_stat(top).st_blocks, 64);
}
END_TEST

START_TEST(part_of_a_cluster_leaves_the_rest_of_it)
{
	static const struct {
		uint64_t off;
		uint32_t len;
	} w[] = {{512, 512},
		 {2 * CLUSTER - 512, 1024},
		 {5 * CLUSTER, CLUSTER},
		 {8 * CLUSTER + 512, 3 * CLUSTER},
		 {SIZE - 512, 512}};

	for (size_t i = 0; i < ARRAY_SIZE(w); i++) {
		ck_assert_uint_eq(write_at(w[i].off, w[i].len, 0x11), VIRTIO_BLK_S_OK);
		expect_at(w[i].off, w[i].len, 0x11);
		expect_at(w[i].off - 512, 512, 0x5a);
		if (w[i].off + w[i].len < SIZE)
			expect_at(w[i].off + w[i].len, 512, 0x5a);
	}
}
END_TEST

START_TEST(zeroed_and_discarded_clusters_hide_the_base)
{
	static const uint32_t types[] = {VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES};

	for (uint32_t i = 0; i < 2; i++) {
		uint64_t at = (2 + 8 * i) * CLUSTER + 512 * 7;

		ck_assert_uint_eq(write_at(at + CLUSTER, 512, 0x22), VIRTIO_BLK_S_OK);
		ck_assert_uint_eq(request_range(types[i], at / 512, 4 * CLUSTER / 512, 0),
				  VIRTIO_BLK_S_OK);
		expect_at(at - 512, 512, 0x5a);
		expect_at(at, 4 * CLUSTER, 0);
		expect_at(at + 4 * CLUSTER, 512, 0x5a);
	}
	flush();
	killed();
	expect_at(2 * CLUSTER + 512 * 7, 4 * CLUSTER, 0);
}
END_TEST

/* What a write to clusters that were never acknowledged left behind may not come back */
START_TEST(zeroes_hide_what_a_kill_left_in_the_file)
{
	ck_assert_uint_eq(write_at(3 * CLUSTER, 2 * CLUSTER, 0x33), VIRTIO_BLK_S_OK);
	killed();
	expect_at(3 * CLUSTER, 2 * CLUSTER, 0x5a);
	ck_assert_uint_eq(
		request_range(VIRTIO_BLK_T_DISCARD, 3 * CLUSTER / 512, CLUSTER / 512, 0),
		VIRTIO_BLK_S_OK);
	expect_at(3 * CLUSTER, CLUSTER, 0);
	ck_assert_uint_eq(write_at(4 * CLUSTER + 512, 512, 0x44), VIRTIO_BLK_S_OK);
	expect_at(4 * CLUSTER, 512, 0x5a);
	expect_at(4 * CLUSTER + 1024, CLUSTER - 1024, 0x5a);
}
END_TEST

/* ---- against a model ---- */

static uint8_t model[SIZE];

static void check_model(void)
{
	for (uint64_t off = 0; off < SIZE; off += FIXTURE_DATA) {
		uint32_t len = (uint32_t)MIN(FIXTURE_DATA, SIZE - off);

		ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, off / 512, len),
				  VIRTIO_BLK_S_OK);
		ck_assert_int_eq(memcmp(driver_ptr(&d, data, len), model + off, len), 0);
	}
}

static void random_change(unsigned int i)
{
	uint64_t sectors = SIZE / 512, at = (uint64_t)random() % sectors;
	uint64_t most = MIN(i % 3 ? 300U : 20U, sectors - at);
	uint64_t n = 1 + (uint64_t)random() % most;
	int fill = 1 + (int)i % 255;

	if (random() % 4) {
		ck_assert_uint_eq(write_at(at * 512, (uint32_t)n * 512, fill),
				  VIRTIO_BLK_S_OK);
		memset(model + at * 512, fill, n * 512);
	} else {
		uint32_t type = random() % 2 ? VIRTIO_BLK_T_DISCARD
					     : VIRTIO_BLK_T_WRITE_ZEROES;

		ck_assert_uint_eq(request_range(type, at, (uint32_t)n, 0),
				  VIRTIO_BLK_S_OK);
		memset(model + at * 512, 0, n * 512);
	}
}

/* tmpfs of an old kernel cannot, and QEMU's user emulation says that nothing can */
static bool can_direct(void)
{
	struct config c = {.ndisk = 1, .disk[0] = {.path = path, .direct = true}};
	struct err e;
	struct disk *probe;

	c.disk[0].readonly = true;
	probe = disk_open(&c, 0, &e);
	disk_close(probe);
	return probe != NULL;
}

START_TEST(anything_at_random_is_what_a_plain_disk_would_be)
{
	memset(model, 0x5a, sizeof(model));
	srandom(7 + (unsigned int)_i);
	use_ring = _i >= 3;
	if (_i % 3 == 2 && !can_direct())
		return;
	if (_i)
		plug_overlay(top, (struct config_disk){.direct = _i % 3 == 2,
						       .cache = CACHE_WRITETHROUGH});
	for (unsigned int i = 0; i < 400; i++) {
		random_change(i);
		if (i % 50 == 49) {
			check_model();
			flush();
			if (i % 100 == 49)
				plug_overlay(top, (struct config_disk){0});
		}
	}
	killed();
	check_model();
}
END_TEST

/* Each sector of two clusters, all at once, on two queues: one copy of each */
START_TEST(parts_of_one_cluster_written_at_once_are_all_there)
{
	with_engine(_i);
	gpa_t h = driver_alloc(&d, 16 * 256, 16), st = driver_alloc(&d, 256, 1);
	gpa_t buf = driver_alloc(&d, 512 * 256, 512);
	uint32_t id, len;

	for (unsigned int i = 0; i < 256; i++) {
		struct virtio_blk_outhdr o = {.type = VIRTIO_BLK_T_OUT,
					      .sector = 128 + i};
		struct driver_buf b[] = {{h + 16 * i, 16, false},
					 {buf + 512 * i, 512, false},
					 {st + i, 1, true}};

		memcpy(driver_ptr(&d, h + 16 * i, 16), &o, sizeof(o));
		memset(driver_ptr(&d, buf + 512 * i, 512), (int)i, 512);
		while (driver_add(&d.ring[i % 2], b, 3) < 0) {
			driver_publish(&d.ring[i % 2]);
			driver_kick(&d, i % 2);
			ck_assert(driver_wait(&d, i % 2, &id, &len));
		}
	}
	for (unsigned int qi = 0; qi < 2; qi++) {
		driver_publish(&d.ring[qi]);
		driver_kick(&d, qi);
		while (d.ring[qi].nfree < d.ring[qi].size)
			ck_assert(driver_wait(&d, qi, &id, &len));
	}
	for (unsigned int i = 0; i < 256; i++)
		expect_at(CLUSTER + 512 * i, 512, (int)i);
}
END_TEST

START_TEST(reset_in_the_middle_leaves_a_working_disk)
{
	with_engine(_i);
	for (unsigned int i = 0; i < 20; i++) {
		struct driver_buf b[] = {
			{hdr, 16, false}, {data, 48 * KIB, false}, {status, 1, true}};
		struct virtio_blk_outhdr o = {.type = VIRTIO_BLK_T_OUT, .sector = 77 * i};

		memcpy(driver_ptr(&d, hdr, 16), &o, sizeof(o));
		for (unsigned int k = 0; k < 20; k++)
			driver_add(&d.ring[0], b, 3);
		driver_publish(&d.ring[0]);
		driver_kick(&d, 0);
		driver_run(&d, i % 3);
		ck_assert(driver_bring_up(&d, ~0ULL));
	}
	ck_assert_uint_eq(write_at(0, FIXTURE_DATA, 0x66), VIRTIO_BLK_S_OK);
	flush();
	expect_at(0, FIXTURE_DATA, 0x66);
}
END_TEST

/* ---- what lasts ---- */

START_TEST(flushed_writes_outlive_a_kill)
{
	with_engine(_i);
	ck_assert_uint_eq(write_at(0, 512, 0x11), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(write_at(7 * CLUSTER, 3 * CLUSTER, 0x22), VIRTIO_BLK_S_OK);
	flush();
	ck_assert_uint_eq(write_at(15 * CLUSTER, 512, 0x33), VIRTIO_BLK_S_OK);
	killed();
	expect_at(0, 512, 0x11);
	expect_at(512, 512, 0x5a);
	expect_at(7 * CLUSTER, 3 * CLUSTER, 0x22);
	expect_at(15 * CLUSTER + 512, 512, 0x5a);
}
END_TEST

START_TEST(writethrough_outlives_a_kill_without_a_flush)
{
	plug_overlay(top, (struct config_disk){.cache = CACHE_WRITETHROUGH});
	ck_assert_uint_eq(write_at(512, 512, 0x11), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(request_range(VIRTIO_BLK_T_WRITE_ZEROES, 512, 8, 0),
			  VIRTIO_BLK_S_OK);
	killed();
	expect_at(512, 512, 0x11);
	expect_at(512 * 512, 8 * 512, 0);
}
END_TEST

START_TEST(orderly_end_saves_what_was_not_flushed)
{
	if (_i && !can_direct())
		return;
	plug_overlay(top, (struct config_disk){.direct = _i});
	ck_assert_uint_eq(write_at(512, 512, 0x11), VIRTIO_BLK_S_OK);
	plug_overlay(top, (struct config_disk){0});
	expect_at(512, 512, 0x11);
	expect_at(0, 512, 0x5a);
}
END_TEST

/* Data, bits, and the bits again: three syncs at most, one when there is nothing new */
START_TEST(bits_are_written_only_after_their_data_is_safe)
{
	uint8_t before;

	ck_assert_uint_eq(write_at(0, 512, 0x11), VIRTIO_BLK_S_OK);
	before = file_byte(top, OVERLAY_PAGE);
	fail_sync = EIO;
	nsync = 0;
	ck_assert_uint_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(nsync, 1);
	ck_assert_uint_eq(before, 0);
	ck_assert_uint_eq(file_byte(top, OVERLAY_PAGE), 0);
	fail_sync = 0; /* too late: the kernel says it once */
	ck_assert_uint_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_IOERR);
	unplug();
	ck_assert_uint_eq(file_byte(top, OVERLAY_PAGE), 0); /* nor at the end */
}
END_TEST

START_TEST(flush_with_nothing_new_syncs_once)
{
	ck_assert_uint_eq(write_at(0, 512, 0x11), VIRTIO_BLK_S_OK);
	nsync = 0;
	flush();
	ck_assert_uint_eq(nsync, 2);
	ck_assert_uint_eq(file_byte(top, OVERLAY_PAGE), 1);
	ck_assert_uint_eq(write_at(512, 512, 0x11), VIRTIO_BLK_S_OK);
	nsync = 0;
	flush();
	ck_assert_uint_eq(nsync, 1);
}
END_TEST

static sem_t gate;

static void wait_at_the_gate(void)
{
	while (sem_wait(&gate) < 0)
		;
}

/* Return: the place of its status, which is 0xff until then */
static const volatile uint8_t *begin_flush(void)
{
	struct virtio_blk_outhdr h = {.type = VIRTIO_BLK_T_FLUSH};
	gpa_t at = driver_alloc(&d, sizeof(h) + 1, 16);
	struct driver_buf b[] = {{at, sizeof(h), false}, {at + sizeof(h), 1, true}};

	memcpy(driver_ptr(&d, at, sizeof(h)), &h, sizeof(h));
	memset(driver_ptr(&d, at + sizeof(h), 1), 0xff, 1);
	driver_send(&d, 0, b, 2);
	return driver_ptr(&d, at + sizeof(h), 1);
}

/* The first has staged its bitmap, without the cluster that is written meanwhile */
START_TEST(flush_covers_what_was_written_while_another_runs)
{
	const volatile uint8_t *first, *second;

	ck_assert_int_eq(sem_init(&gate, 0, 0), 0);
	ck_assert_uint_eq(write_at(0, 512, 0x11), VIRTIO_BLK_S_OK);
	on_sync = wait_at_the_gate;
	nsync = 0;
	first = begin_flush();
	ck_assert(driver_until(&d, nsync == 1));
	ck_assert_uint_eq(request_on(1, VIRTIO_BLK_T_OUT, CLUSTER / 512, 512),
			  VIRTIO_BLK_S_OK);
	second = begin_flush();
	driver_settle(&d);
	for (unsigned int i = 0; i < 4; i++)
		(void)sem_post(&gate);
	ck_assert(driver_until(&d, *first != 0xff && *second != 0xff));
	ck_assert_uint_eq(*first | *second, VIRTIO_BLK_S_OK);
	on_sync = NULL;
	killed();
	expect_at(0, 512, 0x11);
	expect_at(CLUSTER, 512, 0x11);
}
END_TEST

START_TEST(full_host_is_an_io_error_and_costs_nothing_else)
{
	ck_assert_uint_eq(write_at(0, 512, 0x11), VIRTIO_BLK_S_OK);
	fail_write = ENOSPC;
	ck_assert_uint_eq(write_at(512, 512, 0x22), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(write_at(CLUSTER, CLUSTER, 0x22), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(write_at(CLUSTER + 512, 512, 0x22), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_IOERR);
	expect_at(0, 512, 0x11);
	expect_at(CLUSTER, CLUSTER, 0x5a);
	fail_write = 0;
	short_writes = 700; /* and it goes on in pieces */
	ck_assert_uint_eq(write_at(CLUSTER + 512, 1024, 0x22), VIRTIO_BLK_S_OK);
	flush();
	killed();
	expect_at(0, 512, 0x11);
	expect_at(CLUSTER + 512, 1024, 0x22);
	expect_at(CLUSTER + 1536, 512, 0x5a);
}
END_TEST

/* ---- files ---- */

START_TEST(truncating_the_overlay_is_a_reset)
{
	ck_assert_uint_eq(write_at(0, 512, 0x11), VIRTIO_BLK_S_OK);
	flush();
	unplug();
	ck_assert_int_eq(truncate(top, 0), 0);
	plug_overlay(top, (struct config_disk){0});
	expect_at(0, 512, 0x5a);
}
END_TEST

static void refused(const char *file, const char *word)
{
	struct err e = {0};
	struct config cfg = {.ndisk = 1};

	cfg.disk[0].path = path;
	cfg.disk[0].overlay = (char *)(uintptr_t)file;
	ck_assert_ptr_null(disk_open(&cfg, 0, &e));
	ck_assert_msg(strstr(e.msg, file) && strstr(e.msg, word), "%s", e.msg);
	ck_assert_int_gt(e.code, 0);
}

static void damage(off_t at, const char *what)
{
	int fd = open(top, O_WRONLY | O_CLOEXEC);

	ck_assert_int_eq(pwrite(fd, what, strlen(what), at), (ssize_t)strlen(what));
	close(fd);
}

START_TEST(overlay_that_does_not_fit_is_refused)
{
	struct timespec t[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 5}};
	struct timespec was[2] = {{.tv_nsec = UTIME_OMIT}, file_stat(path).st_mtim};

	refused(top, "in use by another process");
	unplug();
	ck_assert_int_eq(utimensat(AT_FDCWD, path, t, 0), 0);
	refused(top, "has changed since");
	ck_assert_int_eq(utimensat(AT_FDCWD, path, was, 0), 0);
	ck_assert_int_eq(truncate(top, 300 * 512), 0);
	refused(top, "cut short");
	damage(16, "x");
	refused(top, "damaged");
	damage(0, "x");
	refused(top, "some other kind");
	refused(dir, "Is a directory");
	snprintf(copy, sizeof(copy), "%s/no/such", dir);
	refused(copy, "No such file");
	refused("/dev/null", "no file");
}
END_TEST

START_TEST(overlay_of_an_overlay_or_of_no_guest)
{
	struct config cfg = {.ndisk = 1};
	struct disk *a;
	struct err e;

	unplug();
	cfg.disk[0] = (struct config_disk){.path = top, .overlay = copy};
	(void)snprintf(copy, sizeof(copy), "%s/copy", dir);
	ck_assert_ptr_null(disk_open(&cfg, 0, &e));
	ck_assert_msg(strstr(e.msg, "is an overlay itself") != NULL, "%s", e.msg);
	ck_assert_int_eq(access(copy, F_OK), -1);
	cfg.disk[0].path = path;
	a = disk_open(&cfg, 0, &e); /* a machine that does not come to life */
	ck_assert_ptr_nonnull(a);
	ck_assert_int_eq(access(copy, F_OK), 0);
	disk_close(a);
	ck_assert_int_eq(access(copy, F_OK), -1);
	cfg.disk[0].overlay = top; /* which a guest had */
	a = disk_open(&cfg, 0, &e);
	ck_assert_ptr_nonnull(a);
	disk_close(a);
	ck_assert_int_eq(access(top, F_OK), 0);
	ck_assert_int_eq(truncate(top, 700), 0);
	refused(top, "cut short");
}
END_TEST

START_TEST(file_that_is_not_ours_stays)
{
	struct config cfg = {.ndisk = 1};
	char target[sizeof(copy) + 8];
	struct stat st;
	struct disk *a;
	struct err e;

	cfg.disk[0] = (struct config_disk){.path = path, .overlay = copy};
	(void)snprintf(target, sizeof(target), "%s.target", copy);
	ck_assert_int_eq(symlink(target, copy), 0);
	disk_close(disk_open(&cfg, 0, &e)); /* no guest ever had it */
	ck_assert_int_eq(lstat(copy, &st), 0);
	ck_assert_int_eq(unlink(copy), 0);
	a = disk_open(&cfg, 0, &e);
	ck_assert_int_eq(rename(copy, target), 0);
	make_file(copy, 512, 1);
	disk_close(a);
	ck_assert_int_eq(access(copy, F_OK), 0);
	ck_assert_int_eq(unlink(target), 0);
}
END_TEST

/* A machine that starts at the same moment, with the same name: locks @copy once it has been begun */
static atomic_bool rival_has, rival_may_go;

static void *rival(void *arg)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct stat st = {0};
	int fd;

	(void)arg;
	while ((stat(copy, &st) < 0 || (size_t)st.st_size < SIZE) && !rival_may_go)
		;
	fd = open(copy, O_RDWR | O_CLOEXEC);
	while (!rival_has && !rival_may_go)
		rival_has = fcntl(fd, F_OFD_SETLK, &lock) == 0;
	while (!rival_may_go)
		usleep(1000);
	close(fd);
	return NULL;
}

START_TEST(overlay_that_another_has_taken_stays)
{
	struct config cfg = {.ndisk = 1};
	bool taken = false;
	struct err e;

	cfg.disk[0] = (struct config_disk){.path = path, .overlay = copy};
	for (unsigned int i = 0; i < 100 && !taken; i++) { /* mostly he is too slow */
		struct disk *a;
		pthread_t t;

		rival_has = rival_may_go = false;
		ck_assert_int_eq(pthread_create(&t, NULL, rival, NULL), 0);
		a = disk_open(&cfg, 0, &e);
		taken = !a && rival_has;
		ck_assert(!taken || access(copy, F_OK) == 0);
		rival_may_go = true;
		ck_assert_int_eq(pthread_join(t, NULL), 0);
		disk_close(a);
		(void)unlink(copy);
	}
}
END_TEST

START_TEST(two_overlays_share_a_base_but_not_each_other)
{
	struct config cfg = {.ndisk = 2};
	struct disk *a, *b;
	struct err e;

	unplug();
	cfg.disk[0] = (struct config_disk){.path = path, .overlay = top};
	cfg.disk[1] = (struct config_disk){.path = path, .overlay = copy};
	a = disk_open(&cfg, 0, &e);
	b = disk_open(&cfg, 1, &e);
	ck_assert(a && b);
	disk_close(b);
	cfg.disk[1].overlay = top;
	ck_assert_ptr_null(disk_open(&cfg, 1, &e));
	cfg.disk[1].overlay = NULL; /* and nobody may write the base */
	ck_assert_ptr_null(disk_open(&cfg, 1, &e));
	disk_close(a);
}
END_TEST

/* Bits unlike their neighbours at both ends, in each place of a word and over pages */
START_TEST(range_of_clusters_is_set_and_no_more)
{
	static const uint64_t run[][2] = {{0, 1},    {63, 2},    {64, 64},    {1, 63},
					  {65, 200}, {32767, 2}, {100, 70000}};
	struct overlay_map m;

	for (size_t i = 0; i < ARRAY_SIZE(run); i++) {
		uint64_t c = run[i][0], n = run[i][1];
		bool in_top;

		ck_assert_int_eq(overlay_map_init(&m, 80000 * OVERLAY_CLUSTER), 0);
		overlay_map_set(&m, c, n);
		if (c) {
			ck_assert_uint_eq(overlay_map_run(&m, 0, 80000, &in_top), c);
			ck_assert(!in_top);
		}
		ck_assert_uint_eq(overlay_map_run(&m, c, 80000 - c, &in_top), n);
		ck_assert(in_top);
		overlay_map_stage(&m);
		ck_assert_int_eq(memcmp(m.live, m.file, m.pages * OVERLAY_PAGE), 0);
		overlay_map_fini(&m);
	}
}
END_TEST

/* Whatever the base's mode is: a file that was there before keeps its own */
START_TEST(new_overlay_is_private_to_its_owner)
{
	unplug();
	ck_assert_int_eq(unlink(top), 0);
	ck_assert_int_eq(chmod(path, 0444), 0);
	(void)umask(0);
	plug_overlay(top, (struct config_disk){0});
	ck_assert_uint_eq(file_stat(top).st_mode & 0777, 0600);
	unplug();
	close(open(top, O_WRONLY | O_CREAT | O_CLOEXEC, 0640));
	ck_assert_int_eq(chmod(top, 0640), 0);
	plug_overlay(top, (struct config_disk){0});
	ck_assert_uint_eq(file_stat(top).st_mode & 0777, 0640);
}
END_TEST

START_TEST(host_full_at_the_header_leaves_an_empty_file)
{
	struct rlimit was, tight;

	unplug();
	ck_assert_int_eq(unlink(top), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &was), 0);
	tight = (struct rlimit){.rlim_cur = 100, .rlim_max = was.rlim_max};
	ck_assert_ptr_ne(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
	errno = 0;
	refused(top, "cannot be begun: No space left");
	ck_assert_int_eq(access(top, F_OK), -1); /* nor does one that was not there */
	close(open(top, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	refused(top, "make room there");
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &was), 0);
	ck_assert_int_eq(file_stat(top).st_size, 0);
	plug_overlay(top, (struct config_disk){0});
	expect_at(0, 512, 0x5a);
}
END_TEST

/* The overlay is made through a dangling link; the link is not ours to remove */
START_TEST(host_full_at_the_header_leaves_the_link)
{
	struct rlimit was, tight;
	struct stat st;

	unplug();
	ck_assert_int_eq(symlink("target", copy), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &was), 0);
	tight = (struct rlimit){.rlim_cur = 100, .rlim_max = was.rlim_max};
	ck_assert_ptr_ne(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
	refused(copy, "cannot be begun");
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &was), 0);
	ck_assert_int_eq(lstat(copy, &st), 0);
}
END_TEST

/* The size reached the disk, and so did data of the guest's; the first pages did not */
START_TEST(header_lost_with_the_power_is_written_again)
{
	off_t size = file_stat(top).st_size;
	int fd;

	unplug();
	ck_assert_int_eq(truncate(top, 0), 0);
	ck_assert_int_eq(truncate(top, size), 0);
	fd = open(top, O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(pwrite(fd, "lost", 4, size - 4096), 4);
	close(fd);
	plug_overlay(top, (struct config_disk){0});
	expect_at(SIZE - 8192, 8192, 0x5a);
	unplug();
	ck_assert_int_eq(truncate(top, 0), 0);
	ck_assert_int_eq(truncate(top, size + 512), 0);
	refused(top, "some other kind");
}
END_TEST

START_TEST(start_killed_before_the_file_had_its_size_is_no_damage)
{
	unplug();
	ck_assert_int_eq(truncate(top, OVERLAY_PAGE), 0);
	plug_overlay(top, (struct config_disk){0});
	expect_at(SIZE - 8192, 8192, 0x5a);
}
END_TEST

UNIT_MAIN("overlay", setup, teardown, t)
{
	tcase_add_test(t, base_shows_where_nothing_was_written);
	tcase_add_test(t, part_of_a_cluster_leaves_the_rest_of_it);
	tcase_add_test(t, zeroed_and_discarded_clusters_hide_the_base);
	tcase_add_test(t, zeroes_hide_what_a_kill_left_in_the_file);
	tcase_add_loop_test(t, anything_at_random_is_what_a_plain_disk_would_be, 0, 6);
	tcase_add_loop_test(t, parts_of_one_cluster_written_at_once_are_all_there, 0, 2);
	tcase_add_loop_test(t, reset_in_the_middle_leaves_a_working_disk, 0, 2);
	tcase_add_loop_test(t, flushed_writes_outlive_a_kill, 0, 2);
	tcase_add_test(t, writethrough_outlives_a_kill_without_a_flush);
	tcase_add_loop_test(t, orderly_end_saves_what_was_not_flushed, 0, 2);
	tcase_add_test(t, bits_are_written_only_after_their_data_is_safe);
	tcase_add_test(t, flush_with_nothing_new_syncs_once);
	tcase_add_test(t, flush_covers_what_was_written_while_another_runs);
	tcase_add_test(t, full_host_is_an_io_error_and_costs_nothing_else);
	tcase_add_test(t, truncating_the_overlay_is_a_reset);
	tcase_add_test(t, range_of_clusters_is_set_and_no_more);
	tcase_add_test(t, new_overlay_is_private_to_its_owner);
	tcase_add_test(t, host_full_at_the_header_leaves_an_empty_file);
	tcase_add_test(t, host_full_at_the_header_leaves_the_link);
	tcase_add_test(t, header_lost_with_the_power_is_written_again);
	tcase_add_test(t, start_killed_before_the_file_had_its_size_is_no_damage);
	tcase_add_test(t, overlay_that_does_not_fit_is_refused);
	tcase_add_test(t, overlay_of_an_overlay_or_of_no_guest);
	tcase_add_test(t, file_that_is_not_ours_stays);
	tcase_add_test(t, overlay_that_another_has_taken_stays);
	tcase_add_test(t, two_overlays_share_a_base_but_not_each_other);
}
