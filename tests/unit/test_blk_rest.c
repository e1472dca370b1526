/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_blk_rest - a disk comes to rest under load and goes on: nothing is lost, nothing is held
 * meanwhile, and a host that does not answer is not waited for.
 */
#include "tests/unit/blk_load.h"

#include <linux/virtio_config.h>
#include <semaphore.h>
#include <sys/resource.h>

#define CYCLES 250

/* ---- what is opened when ---- */

static void expect_arm(int want)
{
	int rc;

	pthread_mutex_lock(&d.dev->lock);
	rc = d.dev->ops->arm(d.dev, &d.err);
	pthread_mutex_unlock(&d.dev->lock);
	ck_assert_msg(rc == want, "%s", rc ? d.err.msg : "");
}

static struct rlimit no_more_files(void)
{
	struct rlimit was, none = {0};

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
	none.rlim_max = was.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	return was;
}

/* As a machine that is closed before its guest runs: not one descriptor, from DRIVER_OK on */
START_TEST(armed_disk_opens_nothing_more)
{
	struct kind k = kinds[_i];
	struct rlimit was;

	if ((k.ring && ring_probe() < 0) || (k.c.direct && !can_direct()))
		return;
	k.c.rate.ops = 100000;
	plug_kind(&k);
	ck_assert_int_eq(work_pool_arm(d.pool), 0);
	expect_arm(0);
	expect_arm(0);
	was = no_more_files();
	bring_up();
	if (k.ring)
		ck_assert_str_eq(d.dev->engine, "uring");
	jobs_init();
	for (unsigned int i = 0; i < 20; i++) {
		jobs_go_on(true);
		driver_pump(&d);
	}
	jobs_check_all();
	ck_assert_int_eq(truncate(path, SIZE + 4096), 0);
	blk_look_again(d.v);
	ck_assert(!driver_broken(&d));
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
}
END_TEST

START_TEST(disk_that_cannot_be_armed_says_so)
{
	struct rlimit was;

	plug_kind(&(struct kind){.c.rate.ops = 100});
	was = no_more_files();
	expect_arm(-EMFILE);
	ck_assert_ptr_nonnull(strstr(d.err.msg, "blk0"));
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
	bring_up();
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_OK);
}
END_TEST

/* A start that fails leaves nothing behind, though the disk was armed */
START_TEST(overlay_that_no_guest_had_is_removed)
{
	plug_kind(&(struct kind){.overlay = true});
	ck_assert_int_eq(access(top, F_OK), 0);
	expect_arm(0);
	unplug();
	ck_assert_int_lt(access(top, F_OK), 0);
	plug_kind(&(struct kind){.overlay = true, .sector = true});
	bring_up();
	unplug();
	ck_assert_int_eq(access(top, F_OK), 0);
}
END_TEST

/* ---- the rest ---- */

static unsigned int slots_in_use(void)
{
	struct blk *b = blk_of(d.v);

	return b->v.nvq * BLK_QUEUE + 1 - b->nfree;
}

static void expect_rest(void)
{
	ck_assert_uint_eq(slots_in_use(), 0);
	for (unsigned int qi = 0; d.v->active && qi < d.v->nvq; qi++)
		ck_assert_uint_eq(d.v->vq[qi].inflight, 0);
	ck_assert(!blk_of(d.v)->rate.asleep);
}

/* More comes meanwhile, and stays in the rings */
static void stay_at_rest(void)
{
	uint16_t used[2] = {driver_used_idx(&d.ring[0]), driver_used_idx(&d.ring[1])};

	jobs_go_on(true);
	driver_settle(&d);
	ck_assert_uint_eq(driver_used_idx(&d.ring[0]), used[0]);
	ck_assert_uint_eq(driver_used_idx(&d.ring[1]), used[1]);
	expect_rest();
}

START_TEST(rest_under_load_loses_nothing)
{
	const struct kind *k = &kinds[_i];

	if ((k->ring && ring_probe() < 0) || (k->c.direct && !can_direct()))
		return;
	srandom(11 + (unsigned int)_i);
	plug_kind(k);
	bring_up();
	jobs_init();
	for (unsigned int cycle = 0; cycle < CYCLES; cycle++) {
		jobs_go_on(true);
		for (long n = random() % 4; n; n--) {
			driver_pump(&d);
			jobs_go_on(n % 2);
		}
		if (cycle % 8 == 7) /* one that is broken off */
			(void)rest();
		else
			ck_assert(rest_soon());
		if (cycle % 8 != 7)
			stay_at_rest();
		wake();
	}
	ck_assert_uint_gt(nserved, CYCLES / 10); /* on a slow host as well */
	jobs_check_all();
}
END_TEST

/* A timer of a limit would turn it 2000 times a second, and looks at rings for nothing more often */
START_TEST(device_at_rest_lets_the_loop_sleep)
{
	struct rusage before, after;

	if (ring_probe() < 0)
		return;
	plug_kind(&(struct kind){.ring = true, .c.rate = {.ops = 10, .ops_burst = 1}});
	bring_up();
	jobs_init();
	jobs_go_on(true);
	driver_pump(&d);
	ck_assert(rest_soon());
	ck_assert_uint_gt(jobs_busy(), NJOB / 2);
	ck_assert_int_eq(getrusage(RUSAGE_THREAD, &before), 0);
	driver_run(&d, 300);
	ck_assert_int_eq(getrusage(RUSAGE_THREAD, &after), 0);
	ck_assert_int_le(after.ru_nvcsw - before.ru_nvcsw, 10);
	expect_rest();
	wake();
	ck_assert(driver_until(&d, jobs_done())); /* and those that waited for tokens */
}
END_TEST

/* ---- a host that does not answer ---- */

static sem_t gate;

static void wait_at_the_gate(void)
{
	while (sem_wait(&gate) < 0)
		;
}

/* A flush that stays with the host until the gate is opened */
static void begin_flush(void)
{
	ck_assert_int_eq(sem_init(&gate, 0, 0), 0);
	on_sync = wait_at_the_gate;
	nsync = 0;
	jobs[0].h.type = VIRTIO_BLK_T_FLUSH;
	job_begin(0);
	driver_publish(&d.ring[0]);
	driver_kick(&d, 0);
	ck_assert(driver_until(&d, nsync == 1));
}

static void open_gate(void)
{
	on_sync = NULL;
	(void)sem_post(&gate);
}

START_TEST(rest_does_not_wait_for_the_host)
{
	uint64_t before = monotonic_ns();

	plug_kind(&(struct kind){.c.io = DISK_IO_SYNC});
	bring_up();
	jobs_init();
	begin_flush();
	for (unsigned int i = 0; i < 1000; i++) {
		ck_assert(!rest());
		if (i % 10 == 0)
			wake();
	}
	ck_assert_uint_lt(monotonic_ns() - before, DRIVER_LONG);
	ck_assert_uint_eq(slots_in_use(), 1);
	wake(); /* given up; the disk serves others meanwhile */
	ck_assert_uint_eq(request_on(1, VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_OK);
	ck_assert(!rest());
	open_gate();
	ck_assert(rest_soon());
	expect_rest();
	wake();
	ck_assert(driver_until(&d, jobs_done()));
}
END_TEST

START_TEST(broken_device_comes_to_rest_and_stays_broken)
{
	struct driver_buf b[] = {{hdr, 16, false}, {data, 512, false}};

	plug_kind(&(struct kind){.c.io = DISK_IO_SYNC});
	bring_up();
	jobs_init();
	begin_flush();
	b[0].gpa = hdr;
	b[1].gpa = data;
	memset(driver_ptr(&d, hdr, 16), 0, 16);
	driver_send(&d, 1, b, 2); /* no place for a status */
	driver_pump(&d);
	ck_assert(driver_broken(&d));
	ck_assert(!rest());
	open_gate();
	ck_assert(rest_soon());
	expect_rest();
	wake();
	ck_assert(driver_broken(&d));
	driver_settle(&d);
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_OK);
}
END_TEST

/* A reset, and a new beginning, of what is at rest or on its way there */
START_TEST(reset_at_rest_leaves_a_working_disk)
{
	plug_kind(&kinds[_i]);
	bring_up();
	for (unsigned int i = 0; i < 40; i++) {
		jobs_init();
		for (unsigned int k = 0; k < NJOB; k++)
			jobs[k].unknown = true;
		jobs_go_on(true);
		driver_pump(&d);
		if (i % 2)
			ck_assert(rest_soon());
		else
			(void)rest();
		d.heap = DRIVER_HEAP;
		ck_assert(driver_bring_up(&d, ~0ULL));
		hdr = driver_alloc(&d, 16, 16);
		data = driver_alloc(&d, FIXTURE_DATA, 4096);
		status = driver_alloc(&d, 1, 1);
		if (i % 4 < 2)
			ck_assert(rest_soon());
		wake();
		ck_assert_uint_eq(write_at(0, BYTES, (int)i), VIRTIO_BLK_S_OK);
		expect_at(0, BYTES, (int)i);
	}
}
END_TEST

/* ---- an overlay's bits ---- */

static void plug_overlay(void)
{
	plug_kind(&(struct kind){.c.io = DISK_IO_SYNC, .overlay = true});
	bring_up();
	ck_assert_uint_eq(write_at(0, 512, 0x11), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(file_byte(top, OVERLAY_PAGE), 0);
}

START_TEST(overlay_at_rest_is_whole_in_its_file)
{
	plug_overlay();
	ck_assert(rest_soon());
	ck_assert_uint_eq(file_byte(top, OVERLAY_PAGE), 1);
	wake();
	nsync = 0;
	ck_assert(rest_soon());
	ck_assert_uint_eq(nsync, 0); /* nothing is new */
	wake();
	expect_at(0, 512, 0x11);
}
END_TEST

/* The pause is not the disk's to refuse; nor does it try for ever */
START_TEST(overlay_whose_bits_cannot_be_written_comes_to_rest)
{
	plug_overlay();
	fail_write = ENOSPC;
	nsync = 0;
	ck_assert(rest_soon());
	ck_assert_uint_eq(nsync, 1);
	ck_assert_uint_eq(file_byte(top, OVERLAY_PAGE), 0);
	wake();
	fail_write = 0;
	ck_assert(rest_soon()); /* and tries again the next time */
	ck_assert_uint_eq(file_byte(top, OVERLAY_PAGE), 1);
}
END_TEST

START_TEST(overlay_that_lost_a_flush_comes_to_rest)
{
	plug_overlay();
	fail_sync = EIO;
	ck_assert(rest_soon());
	fail_sync = 0;
	wake();
	nsync = 0;
	ck_assert(rest_soon());
	ck_assert_uint_eq(nsync, 0);
	wake();
	ck_assert_uint_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(file_byte(top, OVERLAY_PAGE), 0);
}
END_TEST

UNIT_MAIN("blk_rest", load_setup, fixture_end, t)
{
	tcase_set_timeout(t, 2 * UNIT_SECONDS);
	tcase_add_loop_test(t, armed_disk_opens_nothing_more, 0, ARRAY_SIZE(kinds));
	tcase_add_test(t, disk_that_cannot_be_armed_says_so);
	tcase_add_test(t, overlay_that_no_guest_had_is_removed);
	tcase_add_loop_test(t, rest_under_load_loses_nothing, 0, ARRAY_SIZE(kinds));
	tcase_add_test(t, device_at_rest_lets_the_loop_sleep);
	tcase_add_test(t, rest_does_not_wait_for_the_host);
	tcase_add_test(t, broken_device_comes_to_rest_and_stays_broken);
	tcase_add_loop_test(t, reset_at_rest_leaves_a_working_disk, 0, ARRAY_SIZE(kinds));
	tcase_add_test(t, overlay_at_rest_is_whole_in_its_file);
	tcase_add_test(t, overlay_whose_bits_cannot_be_written_comes_to_rest);
	tcase_add_test(t, overlay_that_lost_a_flush_comes_to_rest);
}
