/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_disk_hung - a disk whose file system does not answer any more, on the ring that it
 * shares with another.  The file is FUSE's, and this program serves it.
 */
#include "tests/lib/hung_file.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "devices/backend/disk.h"
#include "tests/lib/nop_device.h"
#include "tests/lib/unit.h"
#include "vmm/core/device.h"
#include "vmm/core/util.h"

#define NREQ   64 /* more than the kernel has threads for them by itself */
#define SIZE   (16 * MIB)
#define WAIT_S 10

static struct config cfg = {.ndisk = 2};
static struct hung_file hung;
static char path[2][64];
static struct loop *loop;
static struct work_pool *pool;
static struct ring *ring;
static struct device dev[2];
static struct disk *disk[2];
static unsigned int nfinished[2];
static struct disk_req req[NREQ];
static struct iovec iov[NREQ];
static char buf[NREQ][4096];
static struct loop_source timer;

static void on_done(void *ctx, struct disk_req *list)
{
	unsigned int *n = ctx;

	for (; list; list = list->next)
		++*n;
	if (n == &nfinished[1])
		loop_stop(loop);
}

static void on_timeout(struct loop_source *s, uint32_t events)
{
	(void)s, (void)events;
	loop_stop(loop);
}

static void open_disk(unsigned int i)
{
	struct err e;
	int fd;

	(void)snprintf(path[i], sizeof(path[i]), "/tmp/microvm-hung.XXXXXX");
	fd = mkstemp(path[i]);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)SIZE), 0);
	close(fd);
	if (i == 0)
		ck_assert(hung_file_mount(&hung, path[i], SIZE));
	cfg.disk[i].path = path[i];
	cfg.disk[i].format = DISK_FORMAT_RAW; /* or it would be looked into */
	cfg.disk[i].block = DISK_SECTOR;      /* likewise */
	device_init(&dev[i], &nop_ops, DEVICE_VIRTIO_MMIO, "blk", 0, 4096);
	disk[i] = disk_open(&cfg, i, &e);
	ck_assert_msg(disk[i] != NULL, "%s", e.msg);
	ck_assert_int_eq(disk[i]->remote, i == 0);
	if (!disk[i]->remote) /* as blk.c does */
		ck_assert_int_eq(disk_use_ring(disk[i], ring), 0);
	ck_assert_int_eq(disk_start(disk[i], pool, &dev[i], on_done, &nfinished[i]), 0);
}

static void setup(void)
{
	struct itimerspec it = {.it_value = {.tv_sec = WAIT_S}};

	loop = loop_create();
	pool = work_pool_create(loop, 0);
	ring = ring_create(loop);
	for (unsigned int i = 0; i < 2; i++)
		open_disk(i);
	timer = (struct loop_source){.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC),
				     .events = EPOLLIN,
				     .fn = on_timeout};
	ck_assert_int_eq(timerfd_settime(timer.fd, 0, &it, NULL), 0);
	ck_assert_int_eq(loop_add(loop, &timer), 0);
}

static void teardown(void)
{
	hung_file_end(&hung, path[0]);
	work_pool_destroy(pool);
	for (unsigned int i = 0; i < 2; i++) {
		disk_close(disk[i]);
		device_fini(&dev[i]);
	}
	unlink(path[0]);
	unlink(path[1]);
	ring_destroy(ring);
	loop_del(loop, &timer);
	close(timer.fd);
	loop_destroy(loop);
}

static void read_much(unsigned int i)
{
	pthread_mutex_lock(&dev[i].lock);
	for (unsigned int k = 0; k < NREQ; k++) {
		iov[k] = (struct iovec){buf[k], sizeof(buf[k])};
		req[k] = (struct disk_req){.op = DISK_READ,
					   .off = k * (SIZE / NREQ),
					   .iov = &iov[k],
					   .niov = 1,
					   .len = sizeof(buf[k])};
		disk_submit(disk[i], &req[k]);
	}
	disk_commit(disk[i]);
	pthread_mutex_unlock(&dev[i].lock);
}

static void flush(unsigned int i, struct disk_req *r)
{
	*r = (struct disk_req){.op = DISK_FLUSH};
	pthread_mutex_lock(&dev[i].lock);
	disk_submit(disk[i], r);
	disk_commit(disk[i]);
	pthread_mutex_unlock(&dev[i].lock);
}

/* A flush is done by a thread of the kernel's, of which the other disk may not have all */
START_TEST(hung_disk_does_not_hold_up_anothers_flush)
{
	struct disk_req r;

	read_much(0);
	hung_file_await(&hung, 1);
	flush(1, &r);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_uint_eq(nfinished[1], 1);
	ck_assert_int_eq(r.result, 0);
	ck_assert_uint_eq(nfinished[0], 0);
}
END_TEST

/* ---- a rest, which does not wait ---- */

static bool rest(unsigned int i)
{
	bool yes;

	pthread_mutex_lock(&dev[i].lock);
	yes = disk_rest(disk[i]);
	pthread_mutex_unlock(&dev[i].lock);
	return yes;
}

/* Run the loop until disk @i is at rest, for WAIT_S.  Return: is it? */
static bool rest_soon(unsigned int i)
{
	uint64_t end = monotonic_ns() + WAIT_S * UINT64_C(1000000000);
	bool yes;

	while (!(yes = rest(i)) && monotonic_ns() < end) {
		loop_stop(loop);
		ck_assert_int_eq(loop_run(loop), 0);
	}
	return yes;
}

START_TEST(hung_disk_says_not_yet_and_the_other_rests)
{
	struct disk_req r;

	read_much(0);
	hung_file_await(&hung, 1);
	flush(1, &r);
	ck_assert(rest_soon(1));
	ck_assert_uint_eq(nfinished[1], 1);
	for (unsigned int i = 0; i < 1000; i++)
		ck_assert(!rest(0));
	ck_assert_uint_eq(nfinished[0], 0);
	hung_file_end(&hung, path[0]);
	ck_assert(rest_soon(0));
	ck_assert_uint_eq(nfinished[0], NREQ);
}
END_TEST

/* ---- a reset that waits ---- */

static atomic_bool resetting;

static void *reset_disk(void *arg)
{
	struct device *d = arg;

	pthread_mutex_lock(&d->lock);
	resetting = true;
	d->waiting = true; /* as mmio_reset() does */
	disk_cancel(disk[0]);
	d->waiting = false;
	resetting = false;
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

static void on_bell(struct loop_source *s, uint32_t events)
{
	(void)s, (void)events;
}

/* One of the hung disk's own events is there as well: the loop passes it over */
START_TEST(reset_of_a_hung_disk_does_not_stop_the_loop)
{
	struct loop_source ear = {.fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK),
				  .events = EPOLLIN,
				  .dev = &dev[0],
				  .fn = on_bell};
	pthread_t thread;
	struct disk_req r;

	ck_assert_int_eq(loop_add(loop, &ear), 0);
	read_much(0);
	hung_file_await(&hung, 1);
	ck_assert_int_eq(pthread_create(&thread, NULL, reset_disk, &dev[0]), 0);
	while (!resetting)
		(void)usleep(1000);
	flush(1, &r);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_uint_eq(nfinished[1], 1);
	ck_assert(resetting); /* it waits for the disk as ever */
	hung_file_end(&hung, path[0]);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(nfinished[0], NREQ);
	loop_del(loop, &ear);
	close(ear.fd);
}
END_TEST

UNIT_MAIN("disk_hung", setup, teardown, t)
{
	if (ring_probe() == 0 && hung_file_possible()) {
		tcase_add_test(t, hung_disk_does_not_hold_up_anothers_flush);
		tcase_add_test(t, hung_disk_says_not_yet_and_the_other_rests);
		tcase_add_test(t, reset_of_a_hung_disk_does_not_stop_the_loop);
	}
}
