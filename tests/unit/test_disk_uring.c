/* SPDX-License-Identifier: Apache-2.0 */
/* The io_uring engine: what it does for a disk, and what it survives. */
#include "devices/backend/disk.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/backend/ring.h"
#include "tests/lib/nop_device.h"
#include "tests/lib/unit.h"
#include "vmm/core/device.h"
#include "vmm/core/util.h"

#define SIZE (4 * MIB)
#define MANY (RING_SHARE * 2)

/* One disk and its device */
struct under_test {
	struct disk *disk;
	struct device dev;
	unsigned int nfinished, wanted;
};

static char path[2][64];
static struct config cfg;
static struct loop *loop;
static struct work_pool *pool;
static struct ring *ring;
static struct under_test t[2];
static _Alignas(4096) char buf[2][65536];

/* ---- a kernel that does what the test wants ---- */

static int lie_res;          /* what is believed instead */
static atomic_uint lie_left; /* of how many operations */
static unsigned int max_move;
static atomic_uint nresult;

static int lie(const struct ring_op *op, int res)
{
	(void)op;
	nresult++;
	if (lie_left) {
		lie_left--;
		return lie_res;
	}
	return max_move && res > (int)max_move ? (int)max_move : res;
}

static int no_ring(unsigned int n, struct io_uring *u, struct io_uring_params *p)
{
	(void)n;
	(void)u;
	(void)p;
	return -ENOSYS;
}

static atomic_uint busy_left; /* how many submissions the kernel does not take */
static atomic_uint nsubmit;
/* Operations that the kernel was given in all, and the most that it had at once */
static unsigned int ngiven, most;

static int busy(struct io_uring *u)
{
	nsubmit++;
	if (busy_left) {
		busy_left--;
		return -EAGAIN;
	}
	ngiven += io_uring_sq_ready(u);
	most = MAX(most, ngiven - nresult);
	return io_uring_submit(u);
}

static const struct ring_sys lying = {.setup = io_uring_queue_init_params,
				      .submit = busy,
				      .result = lie,
				      .patience_ms = 300};
static const struct ring_sys absent = {.setup = no_ring, .submit = busy, .result = lie};

/* ---- two disks on one ring ---- */

static void on_done(void *ctx, struct disk_req *list)
{
	struct under_test *u = ctx;

	for (; list; list = list->next)
		if (++u->nfinished == u->wanted)
			loop_stop(loop);
}

static void start(struct under_test *u)
{
	ck_assert_int_eq(disk_start(u->disk, pool, &u->dev, on_done, u), 0);
}

static void setup(void)
{
	struct err e;

	ring_sys = &lying;
	lie_left = busy_left = 0;
	nresult = nsubmit = 0;
	ngiven = most = 0;
	max_move = 0;
	cfg = (struct config){.ndisk = 2};
	loop = loop_create();
	pool = work_pool_create(loop, 4);
	ring = ring_create(loop);
	for (unsigned int i = 0; i < 2; i++) {
		int fd;

		snprintf(path[i], sizeof(path[i]), "/tmp/microvm-uring.XXXXXX");
		fd = mkstemp(path[i]);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(ftruncate(fd, (off_t)SIZE), 0);
		close(fd);
		cfg.disk[i].path = path[i];
		t[i] = (struct under_test){0};
		device_init(&t[i].dev, &nop_ops, DEVICE_VIRTIO_MMIO, "blk", 0, 4096);
		t[i].disk = disk_open(&cfg, i, &e);
		ck_assert_msg(t[i].disk != NULL, "%s", e.msg);
		ck_assert_int_eq(disk_use_ring(t[i].disk, ring), 0);
	}
}

static void teardown(void)
{
	work_pool_destroy(pool);
	for (unsigned int i = 0; i < 2; i++) {
		disk_close(t[i].disk);
		device_fini(&t[i].dev);
		unlink(path[i]);
	}
	ring_destroy(ring);
	loop_destroy(loop);
	ring_sys = &ring_sys_host;
}

static void submit(struct under_test *u, struct disk_req *r, unsigned int n)
{
	pthread_mutex_lock(&u->dev.lock);
	u->nfinished = 0;
	u->wanted = n;
	for (unsigned int i = 0; i < n; i++)
		disk_submit(u->disk, &r[i]);
	disk_commit(u->disk);
	pthread_mutex_unlock(&u->dev.lock);
}

static void run(struct under_test *u, struct disk_req *r, unsigned int n)
{
	submit(u, r, n);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_uint_eq(u->nfinished, n);
}

static int run_one(enum disk_op op, uint64_t off, void *p, size_t len)
{
	struct iovec v = {p, len};
	struct disk_req r = {.op = op, .off = off, .iov = &v, .niov = 1, .len = len};

	run(&t[0], &r, 1);
	return r.result;
}

START_TEST(what_was_written_is_read_back)
{
	struct iovec v[2] = {{buf[0], 1000}, {buf[0] + 1000, 7192}};
	struct disk_req r = {
		.op = DISK_WRITE, .off = 512, .iov = v, .niov = 2, .len = 8192};

	start(&t[0]);
	for (size_t i = 0; i < 8192; i++)
		buf[0][i] = (char)(i * 7);
	run(&t[0], &r, 1);
	ck_assert_int_eq(r.result, 0);
	ck_assert_int_eq(run_one(DISK_READ, 512, buf[1], 8192), 0);
	ck_assert_mem_eq(buf[0], buf[1], 8192);
	ck_assert_int_eq(run_one(DISK_FLUSH, 0, NULL, 0), 0);
	ck_assert_uint_ge(nresult, 3); /* by the ring, not by the other engine */
}
END_TEST

START_TEST(short_counts_are_continued)
{
	start(&t[0]);
	max_move = 100;
	for (size_t i = 0; i < 4096; i++)
		buf[0][i] = (char)(i * 31);
	ck_assert_int_eq(run_one(DISK_WRITE, 0, buf[0], 4096), 0);
	ck_assert_int_eq(run_one(DISK_READ, 0, buf[1], 4096), 0);
	ck_assert_mem_eq(buf[0], buf[1], 4096);
	ck_assert_uint_eq(nresult, 82);
}
END_TEST

START_TEST(errors_reach_the_request_and_the_rest_lives)
{
	static const int codes[] = {EIO, ENOSPC, EDQUOT, ENOMEM};

	start(&t[0]);
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		lie_res = -codes[i];
		lie_left = 1;
		ck_assert_int_eq(run_one(DISK_WRITE, 0, buf[0], 512), -codes[i]);
		ck_assert_int_eq(run_one(DISK_WRITE, 0, buf[0], 512), 0);
	}
	lie_res = -EINTR;
	lie_left = 3;
	ck_assert_int_eq(run_one(DISK_READ, 0, buf[0], 512), 0);
}
END_TEST

/* It goes the other way, by blocking calls; a flush, of which there may be only one, fails */
START_TEST(kernel_that_always_says_again_is_no_spin)
{
	start(&t[0]);
	lie_res = -EAGAIN;
	lie_left = UINT_MAX;
	memset(buf[0], 'c', 512);
	ck_assert_int_eq(run_one(DISK_WRITE, 2048, buf[0], 512), 0);
	ck_assert_int_eq(run_one(DISK_READ, 2048, buf[1], 512), 0);
	ck_assert_mem_eq(buf[0], buf[1], 512);
	ck_assert_int_eq(run_one(DISK_FLUSH, 0, NULL, 0), -EIO);
	ck_assert_uint_le(nresult, 60);
	lie_left = 0;
	ck_assert_int_eq(run_one(DISK_FLUSH, 0, NULL, 0), 0); /* nothing was lost */
}
END_TEST

/* Nothing else is under way that would bring the ring to the kernel again */
/* At the limit of processes the kernel gets no thread for what may wait */
START_TEST(what_the_kernel_has_no_thread_for_is_done_by_ours)
{
	char got[512];

	start(&t[0]);
	memset(buf[0], 'w', 512);
	lie_res = -ECANCELED;
	lie_left = UINT_MAX;
	ck_assert_int_eq(run_one(DISK_WRITE, 0, buf[0], 512), 0);
	ck_assert_int_eq(run_one(DISK_FLUSH, 0, NULL, 0), 0);
	ck_assert_int_eq(run_one(DISK_READ, 0, got, 512), 0);
	ck_assert_mem_eq(got, buf[0], 512);
	lie_left = 0;
	ck_assert_int_eq(run_one(DISK_FLUSH, 0, NULL, 0), 0);
}
END_TEST

/* Nothing of them stays with either engine */
START_TEST(reset_while_ours_flushes_for_the_kernel)
{
	struct disk_req r[2] = {{.op = DISK_FLUSH}, {.op = DISK_FLUSH}};

	start(&t[0]);
	lie_res = -ECANCELED;
	lie_left = UINT_MAX;
	submit(&t[0], r, 2);
	pthread_mutex_lock(&t[0].dev.lock);
	t[0].wanted = 0;
	disk_cancel(t[0].disk);
	pthread_mutex_unlock(&t[0].dev.lock);
	ck_assert_uint_eq(t[0].nfinished, 2);
	lie_left = 0;
	ck_assert_int_eq(run_one(DISK_FLUSH, 0, NULL, 0), 0);
}
END_TEST

START_TEST(submission_the_kernel_does_not_take_is_tried_again)
{
	memset(buf[0], 'b', 512);
	start(&t[0]);
	busy_left = 3;
	ck_assert_int_eq(run_one(DISK_WRITE, 1024, buf[0], 512), 0);
	ck_assert_uint_eq(busy_left, 0);
	ck_assert_int_eq(run_one(DISK_READ, 1024, buf[1], 512), 0);
	ck_assert_mem_eq(buf[0], buf[1], 512);
}
END_TEST

START_TEST(kernel_that_never_takes_it_is_an_error_and_no_spin)
{
	start(&t[0]);
	busy_left = UINT_MAX;
	nsubmit = 0;
	ck_assert_int_eq(run_one(DISK_WRITE, 0, buf[0], 512), -EIO);
	ck_assert_uint_le(nsubmit, 20);
	ck_assert_int_eq(run_one(DISK_FLUSH, 0, NULL, 0), -EIO);
	busy_left = 0;
	ck_assert_int_eq(run_one(DISK_WRITE, 0, buf[0], 512), 0);
	ck_assert_int_eq(run_one(DISK_FLUSH, 0, NULL, 0), 0); /* nothing was lost */
}
END_TEST

/* The reset's own end at once; the other disk's are given to the kernel once more */
START_TEST(reset_does_not_wait_for_a_kernel_that_takes_nothing)
{
	struct disk_req r[2] = {{.op = DISK_FLUSH}, {.op = DISK_FLUSH}};

	start(&t[0]);
	start(&t[1]);
	busy_left = UINT_MAX;
	submit(&t[0], &r[0], 1);
	submit(&t[1], &r[1], 1);
	pthread_mutex_lock(&t[0].dev.lock);
	t[0].wanted = 0;
	disk_cancel(t[0].disk);
	pthread_mutex_unlock(&t[0].dev.lock);
	ck_assert_uint_eq(t[0].nfinished, 1);
	ck_assert_int_eq(r[0].result, -ECANCELED);
	ck_assert_uint_eq(t[1].nfinished, 0);
	busy_left = 0;
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_int_eq(r[1].result, 0);
}
END_TEST

/* The first disk does without; the second finds it whole */
START_TEST(ring_that_could_not_be_watched_can_be_opened_again)
{
	struct rlimit was, tight = {.rlim_cur = 2 * RING_USERS_MAX};
	int first = dup(0), last = first;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
	tight.rlim_max = was.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
	for (int fd = first; fd >= 0; fd = dup(0))
		last = fd;
	close(last); /* one is left, for the ring itself */
	ck_assert_int_eq(ring_start(ring), -EMFILE);
	while (--last >= first)
		close(last);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
	start(&t[0]);
	ck_assert_int_eq(run_one(DISK_FLUSH, 0, NULL, 0), 0);
	ck_assert_uint_eq(nresult, 1);
}
END_TEST

START_TEST(file_cut_short_under_us_is_an_error)
{
	start(&t[0]);
	ck_assert_int_eq(truncate(path[0], 512), 0);
	ck_assert_int_eq(run_one(DISK_READ, 512, buf[0], 512), -EIO);
	ck_assert_int_eq(run_one(DISK_READ, 0, buf[0], 512), 0);
}
END_TEST

START_TEST(no_flush_succeeds_after_one_failed)
{
	start(&t[0]);
	lie_res = -EIO;
	lie_left = 1;
	ck_assert_int_eq(run_one(DISK_FLUSH, 0, NULL, 0), -EIO);
	ck_assert_int_eq(run_one(DISK_WRITE, 0, buf[0], 512), 0);
	ck_assert_int_eq(run_one(DISK_FLUSH, 0, NULL, 0), -EIO);
	ck_assert_uint_eq(nresult, 2); /* the last one was not tried */
}
END_TEST

START_TEST(flushes_that_come_together_share_one)
{
	struct disk_req r[4] = {0};

	for (unsigned int i = 0; i < 4; i++)
		r[i].op = DISK_FLUSH;
	start(&t[0]);
	lie_res = -EIO;
	lie_left = 1;
	run(&t[0], r, 4);
	for (unsigned int i = 0; i < 4; i++)
		ck_assert_int_eq(r[i].result, -EIO);
	ck_assert_uint_eq(nresult, 1);
}
END_TEST

/* The first was submitted, so what was written since need not be part of it */
START_TEST(flush_does_not_join_one_that_was_submitted)
{
	struct disk_req r[2] = {{.op = DISK_FLUSH}, {.op = DISK_FLUSH}};

	start(&t[0]);
	busy_left = 1;
	t[0].wanted = 2;
	for (unsigned int i = 0; i < 2; i++) {
		pthread_mutex_lock(&t[0].dev.lock);
		disk_submit(t[0].disk, &r[i]);
		disk_commit(t[0].disk); /* which finishes what is done by now */
		pthread_mutex_unlock(&t[0].dev.lock);
		ck_assert_uint_eq(busy_left, 0);
	}
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_int_eq(r[0].result | r[1].result, 0);
	ck_assert_uint_eq(nresult, 2);
}
END_TEST

START_TEST(durable_write_is_synced_before_it_finishes)
{
	struct iovec v = {buf[0], 512};
	struct disk_req r = {
		.op = DISK_WRITE, .durable = true, .iov = &v, .niov = 1, .len = 512};

	start(&t[0]);
	run(&t[0], &r, 1);
	ck_assert_int_eq(r.result, 0);
	ck_assert_uint_eq(nresult, 2);
}
END_TEST

START_TEST(zeroing_is_made_stable_too)
{
	struct disk_req r = {.op = DISK_ZERO, .durable = true, .off = 4096, .len = 4096};

	start(&t[0]);
	memset(buf[0], 1, 12288);
	ck_assert_int_eq(run_one(DISK_WRITE, 0, buf[0], 12288), 0);
	nresult = 0;
	run(&t[0], &r, 1);
	ck_assert_int_eq(r.result, 0);
	ck_assert_uint_eq(nresult, 1); /* the fdatasync */
	ck_assert_int_eq(run_one(DISK_READ, 0, buf[1], 12288), 0);
	ck_assert(buf[1][4095] == 1 && buf[1][4096] == 0 && buf[1][8191] == 0 &&
		  buf[1][8192] == 1);
}
END_TEST

static struct ring_op probe;
static bool probed;

static void on_probe(struct ring_user *u, struct ring_op *list)
{
	(void)u;
	probed = list == &probe;
	loop_stop(loop);
}

/* What the ring may not do is refused by the kernel, whoever fills in the submission */
START_TEST(other_operations_are_refused)
{
	struct ring_user u = {.dev = &t[0].dev, .done = on_probe};
	int fd = open(path[0], O_RDWR | O_CLOEXEC);

	ck_assert_int_eq(ring_start(ring), 0);
	ck_assert_int_eq(ring_add(ring, &u, fd), 0);
	for (unsigned int i = 0; i < 2; i++) {
		struct io_uring_sqe *sqe;
		struct ring_op *now;

		ring_lock(ring);
		sqe = ring_get(ring, &u, &probe);
		ck_assert_ptr_nonnull(sqe);
		if (i == 0) { /* another operation */
			io_uring_prep_openat(sqe, AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
			ring_set(sqe, &probe);
		} else { /* another file */
			io_uring_prep_read(sqe, fd, buf[0], 512, 0);
			io_uring_sqe_set_data(sqe, &probe);
		}
		now = ring_submit(ring, &u);
		ring_unlock(ring);
		probed = now == &probe;
		if (!probed)
			ck_assert_int_eq(loop_run(loop), 0);
		ck_assert(probed);
		ck_assert_int_eq(probe.res, -EACCES);
	}
	ring_del(ring, &u);
	close(fd);
}
END_TEST

static struct disk_req many[2][MANY];
static struct iovec vec[2][MANY];

static void fill(unsigned int i, enum disk_op op)
{
	for (unsigned int k = 0; k < MANY; k++) {
		vec[i][k] = (struct iovec){buf[i] + (k % 128) * 512, 512};
		many[i][k] = (struct disk_req){.op = op,
					       .off = (uint64_t)k * 512,
					       .iov = &vec[i][k],
					       .niov = 1,
					       .len = 512};
	}
}

START_TEST(more_than_the_ring_takes_all_finish)
{
	start(&t[0]);
	fill(0, DISK_WRITE);
	run(&t[0], many[0], MANY);
	for (unsigned int k = 0; k < MANY; k++)
		ck_assert_int_eq(many[0][k].result, 0);
	ck_assert_uint_eq(most, RING_SHARE); /* the rest waited in our list */
}
END_TEST

/* The loop's thread would copy it all, and no other device had a turn */
START_TEST(more_at_once_than_a_turn_may_take_goes_to_threads)
{
	static char big[256 * KIB];
	struct iovec v[20];
	struct disk_req r[20];

	start(&t[0]);
	for (unsigned int round = 0; round < 2; round++) {
		nresult = 0;
		for (unsigned int k = 0; k < ARRAY_SIZE(r); k++) {
			v[k] = (struct iovec){big, sizeof(big)};
			r[k] = (struct disk_req){.op = DISK_READ,
						 .off = k % 16 * sizeof(big),
						 .iov = &v[k],
						 .niov = 1,
						 .len = sizeof(big)};
		}
		run(&t[0], r, ARRAY_SIZE(r));
		for (unsigned int k = 0; k < ARRAY_SIZE(r); k++)
			ck_assert_int_eq(r[k].result, 0);
		ck_assert_uint_eq(nresult, 16); /* 4 MiB */
	}
}
END_TEST

static nlink_t count_threads(void)
{
	struct stat st;

	ck_assert_int_eq(stat("/proc/self/task", &st), 0);
	return st.st_nlink;
}

/* A thread costs the start of a jailed machine, where all are there from the start */
START_TEST(one_thread_is_kept_for_what_the_ring_does_not_take)
{
	nlink_t before;

	work_pool_destroy(pool);
	pool = work_pool_create(loop, 0);
	start(&t[0]);
	before = count_threads();
	ck_assert_int_eq(work_pool_arm(pool), 0);
	ck_assert_uint_gt(count_threads(), before);
	ck_assert_uint_lt(count_threads(),
			  before + DISK_LANES); /* TSan adds one of its own */
}
END_TEST

/* One disk's submissions fill the ring while the kernel takes nothing: the other's also wait,
 * and go on when it does; or fail with them.
 */
START_TEST(full_ring_makes_another_disk_wait_and_not_fail)
{
	static const unsigned int refusals[] = {4, UINT_MAX};
	struct iovec v[2] = {{buf[1], 512}, {buf[1], 512}};
	struct disk_req r[2];

	start(&t[0]);
	start(&t[1]);
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		int want = refusals[i] == UINT_MAX ? -EIO : 0;

		fill(0, DISK_WRITE);
		r[0] = (struct disk_req){
			.op = DISK_READ, .iov = &v[0], .niov = 1, .len = 512};
		r[1] = (struct disk_req){.op = DISK_FLUSH};
		busy_left = refusals[i];
		submit(&t[0], many[0], RING_SHARE);
		submit(&t[1], r, 2);
		while (t[0].nfinished < RING_SHARE || t[1].nfinished < 2)
			ck_assert_int_eq(loop_run(loop), 0);
		ck_assert_int_eq(r[0].result, want);
		ck_assert_int_eq(r[1].result, want);
		ck_assert_int_eq(many[0][0].result, want);
	}
}
END_TEST

START_TEST(two_disks_share_it)
{
	unsigned int rounds = 20;

	start(&t[0]);
	start(&t[1]);
	while (rounds--) {
		fill(0, DISK_WRITE);
		fill(1, rounds % 2 ? DISK_READ : DISK_WRITE);
		submit(&t[0], many[0], MANY);
		t[1].nfinished = 0;
		submit(&t[1], many[1], MANY);
		while (t[0].nfinished < MANY || t[1].nfinished < MANY)
			ck_assert_int_eq(loop_run(loop), 0);
	}
}
END_TEST

static void *run_loop(void *arg)
{
	(void)arg;
	ck_assert_int_eq(loop_run(loop), 0);
	return NULL;
}

/* As a vCPU resets a device while the loop serves another */
START_TEST(cancel_from_another_thread_finishes_everything)
{
	pthread_t thread;

	start(&t[0]);
	start(&t[1]);
	for (unsigned int i = 0; i < 50; i++) {
		fill(0, DISK_WRITE);
		fill(1, DISK_WRITE);
		t[0].wanted = t[1].wanted = UINT32_MAX;
		pthread_create(&thread, NULL, run_loop, NULL);
		submit(&t[1], many[1], MANY);
		submit(&t[0], many[0], MANY);
		pthread_mutex_lock(&t[0].dev.lock);
		disk_cancel(t[0].disk);
		ck_assert_uint_eq(t[0].nfinished, MANY);
		pthread_mutex_unlock(&t[0].dev.lock);
		pthread_mutex_lock(&t[1].dev.lock);
		disk_cancel(t[1].disk);
		ck_assert_uint_eq(t[1].nfinished, MANY);
		pthread_mutex_unlock(&t[1].dev.lock);
		loop_stop(loop);
		pthread_join(thread, NULL);
	}
}
END_TEST

START_TEST(direct_with_any_buffer)
{
	struct err e;

	disk_close(t[0].disk);
	cfg.disk[0].direct = true;
	t[0].disk = disk_open(&cfg, 0, &e);
	if (!t[0].disk) /* tmpfs of an older kernel */
		return;
	ck_assert_int_eq(disk_use_ring(t[0].disk, ring), 0);
	start(&t[0]);
	memset(buf[0], 5, 8192);
	ck_assert_int_eq(run_one(DISK_WRITE, 4096, buf[0] + 1, 4096), 0);
	ck_assert_int_eq(run_one(DISK_READ, 4096, buf[1], 4096), 0);
	ck_assert_mem_eq(buf[0], buf[1], 4096);
}
END_TEST

START_TEST(without_one_the_blocking_engine_works)
{
	ring_sys = &absent;
	start(&t[0]);
	memset(buf[0], 9, 512);
	ck_assert_int_eq(run_one(DISK_WRITE, 0, buf[0], 512), 0);
	ck_assert_int_eq(run_one(DISK_READ, 0, buf[1], 512), 0);
	ck_assert_mem_eq(buf[0], buf[1], 512);
	ck_assert_uint_eq(nresult, 0);
}
END_TEST

UNIT_MAIN("disk_uring", setup, teardown, tc)
{
	tcase_add_test(tc, without_one_the_blocking_engine_works);
	ring_sys = &ring_sys_host;
	if (ring_probe() == 0) {
		tcase_add_test(tc, what_was_written_is_read_back);
		tcase_add_test(tc, short_counts_are_continued);
		tcase_add_test(tc, errors_reach_the_request_and_the_rest_lives);
		tcase_add_test(tc, kernel_that_always_says_again_is_no_spin);
		tcase_add_test(tc, what_the_kernel_has_no_thread_for_is_done_by_ours);
		tcase_add_test(tc, reset_while_ours_flushes_for_the_kernel);
		tcase_add_test(tc, submission_the_kernel_does_not_take_is_tried_again);
		tcase_add_test(tc, kernel_that_never_takes_it_is_an_error_and_no_spin);
		tcase_add_test(tc, reset_does_not_wait_for_a_kernel_that_takes_nothing);
		tcase_add_test(tc, ring_that_could_not_be_watched_can_be_opened_again);
		tcase_add_test(tc, file_cut_short_under_us_is_an_error);
		tcase_add_test(tc, no_flush_succeeds_after_one_failed);
		tcase_add_test(tc, flushes_that_come_together_share_one);
		tcase_add_test(tc, flush_does_not_join_one_that_was_submitted);
		tcase_add_test(tc, durable_write_is_synced_before_it_finishes);
		tcase_add_test(tc, zeroing_is_made_stable_too);
		tcase_add_test(tc, other_operations_are_refused);
		tcase_add_test(tc, more_than_the_ring_takes_all_finish);
		tcase_add_test(tc, more_at_once_than_a_turn_may_take_goes_to_threads);
		tcase_add_test(tc, one_thread_is_kept_for_what_the_ring_does_not_take);
		tcase_add_test(tc, full_ring_makes_another_disk_wait_and_not_fail);
		tcase_add_test(tc, two_disks_share_it);
		tcase_add_test(tc, cancel_from_another_thread_finishes_everything);
		tcase_add_test(tc, direct_with_any_buffer);
	}
}
