/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_armed - a device that was armed before its driver came opens nothing and starts no thread
 * afterwards, whatever the driver does.
 */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/virtio_mmio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/backend/ring.h"
#include "devices/virtio/devices.h"
#include "devices/virtio/net.h"
#include "tests/lib/driver.h"
#include "tests/lib/rest.h"
#include "tests/lib/unit.h"
#include "vmm/core/log.h"

static struct driver d;
static unsigned int descriptors, threads;

static unsigned int count(const char *path)
{
	DIR *dir = opendir(path);
	unsigned int n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void setup(void)
{
	log_threshold = LOG_ERROR;
	driver_init(&d, 32 * MIB);
	d.cfg.early = true;
}

static void teardown(void)
{
	driver_fini(&d);
}

static void arm(struct virtio_dev *v)
{
	driver_plug(&d, v);
	ck_assert_int_eq(work_pool_arm(d.env.pool), 0);
	pthread_mutex_lock(&d.dev->lock);
	ck_assert_int_eq(d.dev->ops->arm(d.dev, &d.err), 0);
	pthread_mutex_unlock(&d.dev->lock);
	descriptors = count("/proc/self/fd");
	threads = count("/proc/self/task");
}

/* A driver comes, @use does what it does, it rests, goes and comes again */
static void live(void (*use)(void))
{
	for (unsigned int i = 0; i < 3; i++) {
		d.heap = DRIVER_HEAP;
		ck_assert(driver_bring_up(&d, ~0ULL));
		use();
		driver_settle(&d);
		ck_assert(rest_reached(&d));
		driver_wake(&d);
		use();
		driver_settle(&d);
	}
	ck_assert_uint_eq(count("/proc/self/fd"), descriptors);
	ck_assert_uint_eq(count("/proc/self/task"), threads);
}

/* 32 buffers to each queue: for frames, bytes, pages or what it is */
static void use_all_queues(void)
{
	gpa_t at = driver_alloc(&d, 128 * KIB, 4096);

	for (unsigned int qi = 0; qi < d.v->nvq; qi++)
		for (unsigned int i = 0; i < 32; i++)
			driver_add(&d.ring[qi],
				   &(struct driver_buf){at + i * 2048, 2048,
							qi % 2 == NET_RX},
				   1);
	for (unsigned int qi = 0; qi < d.v->nvq; qi++)
		if (driver_publish(&d.ring[qi]))
			driver_kick(&d, qi);
}

START_TEST(network_card)
{
	struct tap tap = {.n = 1, .name = "tap0"};
	struct ring *ring = d.env.ring = ring_create(d.loop);
	int sv[2];

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv),
		0);
	tap.fd[0] = sv[0];
	d.cfg.nnet = 1;
	d.cfg.net[0].fd = -1;
	d.cfg.net[0].rx = d.cfg.net[0].tx = (struct config_rate){.ops = 1000};
	arm(net_create_on(&d.env, 0, &tap, &d.err));
	live(use_all_queues);
	driver_unplug(&d);
	ring_destroy(ring);
	close(sv[1]);
}
END_TEST

static void use_balloon(void)
{
	gpa_t at = driver_alloc(&d, 64, 4);

	memset(driver_ptr(&d, at, 64), 0, 64);
	for (unsigned int qi = 0; qi < 3; qi++)
		driver_send(&d, qi, &(struct driver_buf){at, 60, false}, 1);
}

START_TEST(balloon)
{
	d.cfg.balloon = (struct config_balloon){.on = true, .size = MIB};
	arm(balloon_create(&d.env, 0, &d.err));
	live(use_balloon);
}
END_TEST

static void no_quit(void *ctx)
{
	(void)ctx;
}

START_TEST(console)
{
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int out = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct tty *tty = tty_create(d.loop, in, out, no_quit, NULL, &d.err);

	ck_assert_ptr_nonnull(tty);
	arm(console_create(&d.env, tty, &d.err));
	ck_assert_int_eq(tty_start(tty, console_client(d.v), &d.err), 0);
	live(use_all_queues);
	driver_unplug(&d);
	tty_destroy(tty);
	close(in);
	close(out);
}
END_TEST

static void use_nothing(void)
{
}

START_TEST(sockets)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/tmp/test-armed-%d", (int)getpid());
	d.cfg.vsock = (struct config_vsock){path, 3};
	arm(vsock_create(&d.env, 0, &d.err));
	live(use_nothing);
}
END_TEST

UNIT_MAIN("armed", setup, teardown, t)
{
	tcase_add_test(t, network_card);
	tcase_add_test(t, balloon);
	tcase_add_test(t, console);
	tcase_add_test(t, sockets);
}
