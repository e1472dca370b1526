/* SPDX-License-Identifier: Apache-2.0 */
/* Several disks on the machine's worker pool: what is slow about one is not the others'. */
#include <check.h>
#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "devices/backend/disk.h"
#include "tests/lib/nop_device.h"
#include "tests/lib/unit.h"
#include "vmm/core/device.h"
#include "vmm/core/util.h"

#define NDISK  3
#define DEPTH  32 /* requests that wait on each slow disk */
#define WAIT_S 30

_Static_assert(CONFIG_DISKS_MAX *DISK_LANES <= WORKERS_MAX,
	       "the machine's pool has a worker for every lane");

static struct config cfg = {.ndisk = NDISK};
static struct loop *loop;
static struct work_pool *pool;
static struct device dev[NDISK];
static struct disk *disk[NDISK];
static unsigned int nfinished[NDISK];
static struct disk_req req[NDISK][DEPTH];
static struct iovec iov[NDISK][DEPTH];
static char sector[DISK_SECTOR];
static struct loop_source timer;
static int quick_fd;
static sem_t gate;

/* All disks but the last take as long as the test likes. */
static ssize_t slow_writev(int fd, const struct iovec *v, int n, off_t off, int flags)
{
	while (fd != quick_fd && sem_wait(&gate) < 0 && errno == EINTR)
		;
	return pwritev2(fd, v, n, off, flags);
}

static const struct disk_sys slow_sys = {
	.readv = preadv2, .writev = slow_writev, .datasync = fdatasync};

static void on_done(void *ctx, struct disk_req *list)
{
	unsigned int *n = ctx;

	for (; list; list = list->next)
		++*n;
	if (n == &nfinished[NDISK - 1])
		loop_stop(loop);
}

static void on_timeout(struct loop_source *s, uint32_t events)
{
	(void)s, (void)events;
	loop_stop(loop);
}

static void write_some(unsigned int i, unsigned int n)
{
	pthread_mutex_lock(&dev[i].lock);
	for (unsigned int k = 0; k < n; k++) {
		iov[i][k] = (struct iovec){sector, sizeof(sector)};
		req[i][k] = (struct disk_req){.op = DISK_WRITE,
					      .iov = &iov[i][k],
					      .niov = 1,
					      .len = sizeof(sector)};
		disk_submit(disk[i], &req[i][k]);
	}
	disk_commit(disk[i]);
	pthread_mutex_unlock(&dev[i].lock);
}

static void open_disk(unsigned int i)
{
	static char path[NDISK][32];
	struct err e;
	int fd;

	snprintf(path[i], sizeof(path[i]), "/tmp/microvm-slow.XXXXXX");
	fd = mkstemp(path[i]);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)MIB), 0);
	close(fd);
	cfg.disk[i].path = path[i];
	device_init(&dev[i], &nop_ops, DEVICE_VIRTIO_MMIO, "blk", 0, 4096);
	disk[i] = disk_open(&cfg, i, &e);
	ck_assert_msg(disk[i] != NULL, "%s", e.msg);
	ck_assert_int_eq(disk_start(disk[i], pool, &dev[i], on_done, &nfinished[i]), 0);
}

static void setup(void)
{
	struct itimerspec it = {.it_value = {.tv_sec = WAIT_S}};

	sem_init(&gate, 0, 0);
	disk_sys = &slow_sys;
	loop = loop_create();
	pool = work_pool_create(loop, 0);
	for (unsigned int i = 0; i < NDISK; i++)
		open_disk(i);
	quick_fd = disk[NDISK - 1]->fd;
	timer = (struct loop_source){.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC),
				     .events = EPOLLIN,
				     .fn = on_timeout};
	ck_assert_int_eq(timerfd_settime(timer.fd, 0, &it, NULL), 0);
	ck_assert_int_eq(loop_add(loop, &timer), 0);
}

static void teardown(void)
{
	for (unsigned int i = 0; i < NDISK * DEPTH; i++)
		sem_post(&gate);
	work_pool_destroy(pool);
	for (unsigned int i = 0; i < NDISK; i++) {
		disk_close(disk[i]);
		unlink(cfg.disk[i].path);
		device_fini(&dev[i]);
	}
	loop_del(loop, &timer);
	close(timer.fd);
	loop_destroy(loop);
	sem_destroy(&gate);
}

START_TEST(slow_disks_do_not_hold_up_another)
{
	for (unsigned int i = 0; i < NDISK - 1; i++)
		write_some(i, DEPTH);
	usleep(20000); /* now all their workers are in a call that does not return */
	write_some(NDISK - 1, 1);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_uint_eq(nfinished[NDISK - 1], 1);
	ck_assert_uint_eq(nfinished[0], 0);
}
END_TEST

UNIT_MAIN("disk_slow", setup, teardown, t)
{
	tcase_add_test(t, slow_disks_do_not_hold_up_another);
}
