/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_blk_rest - a disk comes to rest under load and goes on: nothing is lost, nothing is held
 * meanwhile, and a host that does not answer is not waited for.
 */
#include "tests/unit/blk_fixture.h"

#include <linux/virtio_config.h>
#include <semaphore.h>
#include <sys/resource.h>

#include "devices/backend/disk_sector.h"
#include "devices/backend/overlay.h"

#define NJOB    24
#define SECTORS 47 /* of a job: neither blocks nor clusters end where jobs do */
#define BYTES   (SECTORS * 512)
#define SIZE    (ALIGN_UP(NJOB * BYTES, 4096))
#define CYCLES  250
#define FILL    0x5a

/* Each kind of disk that there is */
static const struct kind {
	struct config_disk c;
	bool ring, overlay, sector;
} kinds[] = {
	{.c.io = DISK_IO_SYNC},
	{.ring = true},
	{.c.io = DISK_IO_SYNC, .c.cache = CACHE_WRITETHROUGH},
	{.ring = true, .c.cache = CACHE_WRITETHROUGH},
	{.ring = true, .c.direct = true},
	{.c.io = DISK_IO_SYNC, .overlay = true},
	{.ring = true, .overlay = true},
	{.ring = true, .overlay = true, .c.cache = CACHE_WRITETHROUGH},
	{.c.io = DISK_IO_SYNC, .sector = true},
	{.ring = true, .sector = true},
	{.ring = true, .overlay = true, .sector = true},
	{.c.io = DISK_IO_SYNC, .c.rate = {.ops = 4000, .ops_burst = 5}},
	{.ring = true, .c.rate = {.bytes = 40 * MIB, .bytes_burst = 8192}},
};

/* A job has a piece of the disk to itself and one request under way at most */
struct job {
	gpa_t hdr, status, data;
	struct virtio_blk_outhdr h;
	unsigned int at, n; /* sectors of its piece */
	uint8_t fill;
	bool busy, unknown; /* unknown: it was discarded, and is to be written next */
	int head;
	uint8_t model[BYTES];
};

static struct job jobs[NJOB];
static char top[96];
static unsigned int nserved;

static bool can_direct(void)
{
	int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* The host's blocks are as large as this below what the guest sees */
static void put_sectors(struct blk *b)
{
	b->disk->block = 4096;
	b->disk = disk_sector_create(b->disk, 512, &d.err);
	ck_assert_ptr_nonnull(b->disk);
}

static void plug_kind(const struct kind *k)
{
	struct config_disk c = k->c;

	unplug();
	c.path = path;
	(void)snprintf(c.id, sizeof(c.id), "blk0");
	c.overlay = k->overlay ? top : NULL;
	driver_init(&d, FIXTURE_RAM);
	d.cfg.ndisk = 1;
	d.cfg.ncpu = 2;
	d.cfg.disk[0] = c;
	if (k->ring)
		d.env.ring = ring = ring_create(d.loop);
	driver_plug(&d, blk_create(&d.env, 0, &d.err));
	if (k->sector)
		put_sectors(blk_of(d.v));
}

static void bring_up(void)
{
	ck_assert(driver_bring_up(&d, ~0ULL));
	hdr = driver_alloc(&d, sizeof(struct virtio_blk_outhdr), 16);
	data = driver_alloc(&d, FIXTURE_DATA, 4096);
	status = driver_alloc(&d, 1, 1);
}

static void setup(void)
{
	/* where a flush takes no time: there are thousands */
	fixture_dir_in(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	snprintf(top, sizeof(top), "%s/top", dir);
	make_file(path, SIZE, FILL);
}

/* ---- the load ---- */

static void jobs_init(void)
{
	for (unsigned int i = 0; i < NJOB; i++) {
		jobs[i] = (struct job){.head = -1,
				       .hdr = driver_alloc(&d, 16, 16),
				       .status = driver_alloc(&d, 1, 1),
				       .data = driver_alloc(&d, BYTES, 512)};
		memset(jobs[i].model, FILL, BYTES);
	}
	nserved = 0;
}

static void job_choose(struct job *j)
{
	static const uint32_t types[] = {
		VIRTIO_BLK_T_IN,      VIRTIO_BLK_T_IN,           VIRTIO_BLK_T_OUT,
		VIRTIO_BLK_T_OUT,     VIRTIO_BLK_T_OUT,          VIRTIO_BLK_T_FLUSH,
		VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES, VIRTIO_BLK_T_GET_ID};

	j->h.type = types[(unsigned int)random() % ARRAY_SIZE(types)];
	j->at = (unsigned int)random() % SECTORS;
	j->n = 1 + (unsigned int)random() % (SECTORS - j->at);
	j->fill = (uint8_t)random();
	if (!j->unknown)
		return;
	j->h.type = VIRTIO_BLK_T_OUT;
	j->at = 0;
	j->n = SECTORS;
}

/* A request for what was chosen, in its ring */
static void job_begin(unsigned int i)
{
	struct job *j = &jobs[i];
	uint64_t sector = (uint64_t)i * SECTORS + j->at;
	struct virtio_blk_discard_write_zeroes range = {sector, j->n, 0};
	bool ranges = j->h.type == VIRTIO_BLK_T_DISCARD ||
		      j->h.type == VIRTIO_BLK_T_WRITE_ZEROES;
	bool in = j->h.type == VIRTIO_BLK_T_IN || j->h.type == VIRTIO_BLK_T_GET_ID;
	uint32_t len = j->h.type == VIRTIO_BLK_T_FLUSH    ? 0
		       : j->h.type == VIRTIO_BLK_T_GET_ID ? VIRTIO_BLK_ID_BYTES
		       : ranges                           ? (uint32_t)sizeof(range)
							  : j->n * 512;
	struct driver_buf b[3] = {
		{j->hdr, 16, false}, {j->data, len, in}, {j->status, 1, true}};

	j->h.sector = ranges ? 0 : sector;
	memcpy(driver_ptr(&d, j->hdr, 16), &j->h, sizeof(j->h));
	memset(driver_ptr(&d, j->status, 1), 0xff, 1);
	memset(driver_ptr(&d, j->data, BYTES), j->fill, BYTES);
	if (ranges)
		memcpy(driver_ptr(&d, j->data, sizeof(range)), &range, sizeof(range));
	if (!len)
		b[1] = b[2];
	j->head = driver_add(&d.ring[i % 2], b, len ? 3 : 2);
	ck_assert_int_ge(j->head, 0);
	j->busy = true;
}

static void job_end(struct job *j)
{
	uint8_t *piece = j->model + j->at * 512;

	ck_assert_uint_eq(*(uint8_t *)driver_ptr(&d, j->status, 1), VIRTIO_BLK_S_OK);
	if (j->h.type == VIRTIO_BLK_T_IN)
		ck_assert_mem_eq(driver_ptr(&d, j->data, BYTES), piece, j->n * 512);
	if (j->h.type == VIRTIO_BLK_T_OUT)
		memset(piece, j->fill, j->n * 512);
	if (j->h.type == VIRTIO_BLK_T_WRITE_ZEROES)
		memset(piece, 0, j->n * 512);
	j->unknown = j->h.type == VIRTIO_BLK_T_DISCARD;
	j->busy = false;
	nserved++;
}

/* What is done is looked at, and all that are idle begin something */
static void jobs_go_on(bool begin)
{
	uint32_t id, len;

	for (unsigned int qi = 0; qi < 2; qi++)
		while (driver_used(&d.ring[qi], &id, &len))
			for (unsigned int i = qi; i < NJOB; i += 2)
				if (jobs[i].busy && jobs[i].head == (int)id)
					job_end(&jobs[i]);
	for (unsigned int i = 0; begin && i < NJOB; i++) {
		if (jobs[i].busy)
			continue;
		job_choose(&jobs[i]);
		job_begin(i);
	}
	for (unsigned int qi = 0; qi < 2; qi++)
		if (driver_publish(&d.ring[qi]))
			driver_kick(&d, qi);
}

static unsigned int jobs_busy(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < NJOB; i++)
		n += jobs[i].busy;
	return n;
}

static bool jobs_done(void)
{
	jobs_go_on(false);
	return jobs_busy() == 0;
}

static void jobs_check_all(void)
{
	ck_assert(driver_until(&d, jobs_done()));
	for (unsigned int i = 0; i < NJOB; i++) {
		if (jobs[i].unknown)
			continue;
		ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, (uint64_t)i * SECTORS, BYTES),
				  VIRTIO_BLK_S_OK);
		ck_assert_mem_eq(driver_ptr(&d, data, BYTES), jobs[i].model, BYTES);
	}
}

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

static bool rest(void)
{
	bool yes;

	pthread_mutex_lock(&d.dev->lock);
	yes = d.dev->ops->rest(d.dev);
	pthread_mutex_unlock(&d.dev->lock);
	return yes;
}

static void wake(void)
{
	pthread_mutex_lock(&d.dev->lock);
	d.dev->ops->wake(d.dev);
	pthread_mutex_unlock(&d.dev->lock);
}

static bool rest_soon(void)
{
	uint64_t end = monotonic_ns() + DRIVER_LONG;
	bool yes;

	while (!(yes = rest()) && monotonic_ns() < end)
		driver_pump(&d);
	return yes;
}

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

static void add_tests(TCase *t)
{
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

int main(void)
{
	Suite *s = suite_create("blk_rest");
	TCase *t = tcase_create("blk_rest");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, fixture_end);
	tcase_set_timeout(t, 60);
	add_tests(t);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
