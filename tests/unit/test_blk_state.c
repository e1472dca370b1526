/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_blk_state - a live disk is saved at rest, loaded into a fresh one and goes on; and what is
 * refused, with the device's name and without a trace.
 */
#include "tests/unit/blk_load.h"

#include <linux/virtio_config.h>
#include <sys/resource.h>

#define ROUNDS 12

static uint8_t saved[4096];
static size_t saved_len;
static struct state st;

static void state_now(void)
{
	pthread_mutex_lock(&d.dev->lock);
	d.dev->ops->state(d.dev, &st);
	pthread_mutex_unlock(&d.dev->lock);
}

static void save(void)
{
	ck_assert(rest_soon());
	state_saver(&st, saved, sizeof(saved));
	state_now();
}

static void save_well(void)
{
	save();
	ck_assert_msg(state_ok(&st), "%s", st.why);
	saved_len = st.pos;
}

static void load(void)
{
	state_loader(&st, saved, saved_len);
	state_now();
}

/* The same guest with a fresh device; the files are as a kill of the first one would leave them */
static void replug_kind(const struct kind *k, unsigned int ncpu)
{
	struct config_disk c = k->c;
	char copy[sizeof(top) + 2], cmd[256];

	c.path = path;
	snprintf(copy, sizeof(copy), "%s.c", top);
	if (k->overlay) {
		snprintf(cmd, sizeof(cmd), "cp --sparse=always %s %s", top, copy);
		ck_assert_int_eq(system(cmd), 0);
	}
	driver_unplug(&d);
	if (k->overlay) {
		ck_assert_int_eq(rename(copy, top), 0);
		c.overlay = top;
	}
	d.cfg.disk[0] = c;
	d.cfg.ncpu = ncpu;
	plug_disk(k);
}

START_TEST(live_disk_goes_on_where_it_was_saved)
{
	const struct kind *k = &kinds[_i];

	if ((k->ring && ring_probe() < 0) || (k->c.direct && !can_direct()))
		return;
	srandom(5 + (unsigned int)_i);
	plug_kind(k);
	bring_up();
	jobs_init();
	for (unsigned int round = 0; round < ROUNDS; round++) {
		for (unsigned int n = 0; n < 5; n++) {
			jobs_go_on(true);
			driver_pump(&d);
		}
		ck_assert(rest_soon());
		jobs_go_on(true); /* these are in the rings only */
		save_well();
		replug_kind(k, 2);
		if (round % 2)
			ck_assert(rest());
		load();
		ck_assert_msg(state_ok(&st), "%s", st.why);
		wake();
		ck_assert_uint_eq(jobs_busy(), NJOB);
		ck_assert(driver_until(&d, jobs_done()));
	}
	jobs_check_all();
}
END_TEST

/* ---- what survives ---- */

static const struct {
	struct kind from, to;
} engines[] = {
	{{.c.io = DISK_IO_SYNC}, {.c.io = DISK_IO_SYNC}},
	{{.c.io = DISK_IO_SYNC}, {.ring = true}},
	{{.ring = true}, {.c.io = DISK_IO_SYNC}},
	{{.ring = true, .overlay = true}, {.ring = true, .overlay = true}},
	{{.c.io = DISK_IO_SYNC, .sector = true}, {.c.io = DISK_IO_SYNC, .sector = true}},
	{{.c.io = DISK_IO_SYNC, .sector = true, .overlay = true},
	 {.ring = true, .sector = true, .overlay = true}},
};

START_TEST(failed_flush_is_never_made_good)
{
	const struct kind *from = &engines[_i].from, *to = &engines[_i].to;

	if ((from->ring || to->ring) && ring_probe() < 0)
		return;
	plug_kind(from);
	if (!ring && to->ring)
		d.env.ring = ring = ring_create(d.loop);
	bring_up();
	ck_assert_uint_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_OK);
	disk_fail_flushes(blk_of(d.v)->disk);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_IOERR);
	save_well();
	replug_kind(to, 2);
	load();
	ck_assert_msg(state_ok(&st), "%s", st.why);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_OK);
}
END_TEST

START_TEST(empty_buckets_are_empty_again)
{
	const struct kind k = {.c.io = DISK_IO_SYNC,
			       .c.rate = {.ops = 1, .ops_burst = 1000}};
	struct rate *r;

	plug_kind(&k);
	bring_up();
	for (unsigned int i = 0; i < 900; i++)
		ck_assert_uint_eq(request(VIRTIO_BLK_T_GET_ID, 0, 20), VIRTIO_BLK_S_OK);
	save_well();
	replug_kind(&k, 2);
	r = &blk_of(d.v)->rate;
	ck_assert_int_eq(r->ops.level, 1000);
	load();
	ck_assert_msg(state_ok(&st), "%s", st.why);
	ck_assert_int_lt(r->ops.level, 200); /* it took less than a minute */
	ck_assert_uint_eq(request(VIRTIO_BLK_T_GET_ID, 0, 20), VIRTIO_BLK_S_OK);
}
END_TEST

START_TEST(write_through_is_as_the_guest_chose)
{
	const struct kind k = {.c.io = DISK_IO_SYNC};
	unsigned int wce = VIRTIO_MMIO_CONFIG + offsetof(struct virtio_blk_config, wce);

	plug_kind(&k);
	bring_up();
	driver_write_n(&d, wce, 1, 0);
	save_well();
	replug_kind(&k, 2);
	ck_assert_uint_eq(driver_read_n(&d, wce, 1), 1);
	load();
	ck_assert_msg(state_ok(&st), "%s", st.why);
	ck_assert_uint_eq(driver_read_n(&d, wce, 1), 0);
	nsync = 0;
	ck_assert_uint_eq(write_at(0, 512, 1), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(nsync, 1);
}
END_TEST

/* ---- what is refused ---- */

/* Its file would be another disk than the guest has */
START_TEST(overlay_that_could_not_be_written_is_not_saved)
{
	plug_kind(
		&(struct kind){.c.io = DISK_IO_SYNC, .overlay = true, .sector = _i != 0});
	bring_up();
	ck_assert_uint_eq(write_at(0, 4096, 0x11), VIRTIO_BLK_S_OK);
	fail_write = ENOSPC;
	save();
	ck_assert_msg(st.why && strstr(st.why, "blk0: ") == st.why &&
			      strstr(st.why, "make room"),
		      "%s", st.why);
	wake();
	fail_write = 0;
	expect_at(0, 4096, 0x11); /* it goes on */
	save_well();
	wake();
	ck_assert_uint_eq(write_at(1 * MIB / 2, 4096, 0x11), VIRTIO_BLK_S_OK);
	fail_sync = EIO;
	save();
	ck_assert_msg(st.why && strstr(st.why, "a flush of its overlay has failed"), "%s",
		      st.why);
	fail_sync = 0;
}
END_TEST

/* No guest keeps its machine from being saved by breaking a device and never resetting it */
START_TEST(broken_disk_is_saved_and_stays_broken)
{
	const struct kind k = {.c.io = DISK_IO_SYNC};
	struct driver_buf b[] = {{hdr, 16, false}, {data, 512, false}};

	plug_kind(&k);
	bring_up();
	jobs_init();
	jobs_go_on(true); /* not served yet, and among them: */
	b[0].gpa = hdr;
	b[1].gpa = data;
	memset(driver_ptr(&d, hdr, 16), 0, 16);
	driver_send(&d, 0, b, 2); /* no place for a status */
	driver_pump(&d);
	ck_assert(driver_broken(&d));
	save_well();
	wake();
	ck_assert(driver_broken(&d));
	replug_kind(&k, 2);
	load();
	ck_assert_msg(state_ok(&st), "%s", st.why);
	ck_assert(driver_broken(&d));
	bring_up();
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_OK);
}
END_TEST

/* Refused by name, as after a reset, and nothing of it is left */
static void expect_refused(const char *says)
{
	struct rate was = blk_of(d.v)->rate;

	load();
	ck_assert_msg(!state_ok(&st) && strstr(st.why, "blk0: ") == st.why &&
			      strstr(st.why, says),
		      "%s", st.why ? st.why : "it was loaded");
	ck_assert_uint_eq(driver_status(&d), 0);
	ck_assert_int_eq(blk_of(d.v)->rate.ops.level, was.ops.level);
	bring_up();
	ck_assert_uint_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_OK);
}

static const struct wrong {
	struct kind k;
	off_t size;
	unsigned int ncpu;
	const char *says;
} wrong[] = {
	{.size = SIZE / 4, .ncpu = 2, .says = "sectors"},
	{.size = 2 * SIZE, .ncpu = 2, .says = "sectors"},
	{.k.c.block = 4096, .size = SIZE, .ncpu = 2, .says = "bytes in a block"},
	{.k.c.serial = (char[]){"other"},
	 .size = SIZE,
	 .ncpu = 2,
	 .says = "serial number"},
	{.k.c.readonly = true, .size = SIZE, .ncpu = 2, .says = "features"},
	{.size = SIZE, .ncpu = 1, .says = "queues"},
	{.size = SIZE, .ncpu = 4, .says = "queues"},
};

START_TEST(state_of_another_disk_is_refused)
{
	const struct kind k = {.c.rate = {.ops = 1, .ops_burst = 1000}};
	struct wrong w = wrong[_i];

	plug_kind(&k);
	bring_up();
	ck_assert_uint_eq(write_at(0, 512, 1), VIRTIO_BLK_S_OK);
	disk_fail_flushes(blk_of(d.v)->disk);
	save_well();
	w.k.c.rate = k.c.rate;
	driver_unplug(&d);
	ck_assert_int_eq(truncate(path, w.size), 0);
	replug_kind(&w.k, w.ncpu);
	expect_refused(w.says);
}
END_TEST

START_TEST(load_that_the_host_does_not_allow_is_refused)
{
	const struct kind k = {.c.rate = {.ops = 1, .ops_burst = 1000}};
	struct rlimit was, none = {0};

	plug_kind(&k);
	bring_up();
	save_well();
	replug_kind(&k, 2);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
	none.rlim_max = was.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	load();
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
	ck_assert_msg(!state_ok(&st) && strstr(st.why, "blk0: ") == st.why, "%s",
		      st.why ? st.why : "it was loaded");
	ck_assert_uint_eq(driver_status(&d), 0);
	load();
	ck_assert_msg(state_ok(&st), "%s", st.why);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_OK);
}
END_TEST

START_TEST(state_cut_short_is_refused)
{
	const struct kind k = {.c.rate = {.ops = 1, .ops_burst = 1000}};
	size_t len;

	plug_kind(&k);
	bring_up();
	disk_fail_flushes(blk_of(d.v)->disk);
	save_well();
	len = saved_len;
	replug_kind(&k, 2);
	for (saved_len = 0; saved_len < len; saved_len++) {
		load();
		ck_assert(!state_ok(&st));
		ck_assert_uint_eq(driver_status(&d), 0);
	}
	d.heap = DRIVER_HEAP;
	bring_up();
	ck_assert_uint_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_OK);
}
END_TEST

START_TEST(state_with_any_bit_wrong_is_survived)
{
	const struct kind k = {.c.rate = {.ops = 100000, .ops_burst = 1000}};

	plug_kind(&k);
	bring_up();
	jobs_init();
	jobs_go_on(true);
	save_well();
	replug_kind(&k, 2);
	for (size_t i = 0; i < saved_len * 8; i++) {
		saved[i / 8] ^= (uint8_t)(1 << i % 8);
		load();
		driver_pump(&d);
		saved[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	d.heap = DRIVER_HEAP;
	bring_up();
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_OK);
}
END_TEST

UNIT_MAIN("blk_state", load_setup, fixture_end, t)
{
	replugged = true;
	tcase_add_loop_test(t, live_disk_goes_on_where_it_was_saved, 0,
			    ARRAY_SIZE(kinds));
	tcase_add_loop_test(t, failed_flush_is_never_made_good, 0, ARRAY_SIZE(engines));
	tcase_add_test(t, empty_buckets_are_empty_again);
	tcase_add_test(t, write_through_is_as_the_guest_chose);
	tcase_add_loop_test(t, overlay_that_could_not_be_written_is_not_saved, 0, 2);
	tcase_add_test(t, broken_disk_is_saved_and_stays_broken);
	tcase_add_loop_test(t, state_of_another_disk_is_refused, 0, ARRAY_SIZE(wrong));
	tcase_add_test(t, load_that_the_host_does_not_allow_is_refused);
	tcase_add_test(t, state_cut_short_is_refused);
	tcase_add_test(t, state_with_any_bit_wrong_is_survived);
}
