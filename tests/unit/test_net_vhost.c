/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_net_vhost - a card that the kernel serves (vhost=on), on a real tap.  The kernel's queues
 * are this test's: open() and ioctl() here replace the C library's.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/vhost.h>
#include <linux/virtio_mmio.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "devices/virtio/devices.h"
#include "devices/virtio/net.h"
#include "tests/lib/driver.h"
#include "tests/lib/rest.h"
#include "tests/lib/unit.h"
#include "tests/unit/tap_fixture.h"
#include "vmm/core/log.h"

#define TSO (1ULL << VIRTIO_NET_F_GUEST_CSUM | 1ULL << VIRTIO_NET_F_GUEST_TSO4)

static int vhost = -1;            /* the descriptor that stands for /dev/vhost-net */
static bool served[2];            /* queues that have a back end */
static unsigned int changes;      /* of the tap's offloads */
static unsigned long offloads;    /* as the tap was told last */
static unsigned long served_with; /* @offloads when the queues got their back end */
static int backend_fails;

int open(const char *path, int flags, ...)
{
	int mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, int);
	va_end(ap);
	if (strcmp(path, "/dev/vhost-net") == 0)
		return vhost = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR);
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static int vhost_ioctl(unsigned long request, const void *arg)
{
	const struct vhost_vring_file *f = arg;

	if (request == VHOST_GET_FEATURES)
		*(uint64_t *)(uintptr_t)arg = UINT64_MAX;
	if (request != VHOST_NET_SET_BACKEND)
		return 0;
	if (f->fd >= 0 && backend_fails) {
		errno = EINVAL;
		return -1;
	}
	served[f->index] = f->fd >= 0;
	served_with = offloads;
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (fd == vhost)
		return vhost_ioctl(request, arg);
	if (request == TUNSETOFFLOAD) {
		changes++;
		offloads = (unsigned long)arg;
	}
	return (int)syscall(SYS_ioctl, fd, request, arg);
}

static struct driver d;

static void setup(void)
{
	log_threshold = LOG_ERROR;
	enter_namespace();
	driver_init(&d, 32 * MIB);
	d.cfg.nnet = 1;
	d.cfg.net[0] =
		(struct config_net){.tap = (char[]){"mvtest0"}, .fd = -1, .vhost = true};
	driver_plug(&d, net_vhost_create(&d.env, 0, &d.err));
	ck_assert(driver_bring_up(&d, ~0ULL));
	changes = 0;
}

static void teardown(void)
{
	driver_fini(&d);
}

START_TEST(a_driver_is_served_as_it_wants_to_be)
{
	ck_assert(served[0] && served[1]);
	ck_assert_uint_ne(offloads & TUN_F_TSO4, 0);
	ck_assert(driver_bring_up(&d, ~TSO));
	ck_assert(served[0] && served[1]);
	ck_assert_uint_eq(offloads, 0);
	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	ck_assert(!served[0] && !served[1]);
}
END_TEST

START_TEST(resets_change_nothing_on_the_host)
{
	for (unsigned int i = 0; i < 50; i++)
		ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert_uint_eq(changes, 0);
}
END_TEST

/* The kernel lets go of the tap, and takes it again; what has to wait goes on waiting */
START_TEST(queues_come_to_rest_and_go_on)
{
	for (unsigned int i = 0; i < 50; i++) {
		ck_assert(rest_reached(&d));
		ck_assert(!served[0] && !served[1]);
		driver_run(&d, 1);
		ck_assert(!served[0] && !served[1]);
		driver_wake(&d);
		ck_assert(served[0] && served[1]);
	}
	ck_assert(rest_reached(&d));
	ck_assert(driver_bring_up(&d, ~0ULL)); /* at rest */
	ck_assert(!served[0] && !served[1]);
	driver_wake(&d);
	ck_assert(served[0] && served[1]);
	ck_assert(rest_reached(&d));
	backend_fails = 1;
	driver_wake(&d);
	backend_fails = 0;
	ck_assert(driver_broken(&d));
	ck_assert(rest_reached(&d));
	driver_wake(&d);
	ck_assert(!served[0] && !served[1]);
}
END_TEST

/* A reset that wants another thing than the last one, until such a change has to wait */
static void reset_until_it_waits(void)
{
	uint64_t end = monotonic_ns() + DRIVER_LONG;

	for (unsigned int i = 0; served[0] || !i; i++) {
		ck_assert(monotonic_ns() < end);
		ck_assert(driver_bring_up(&d, i % 2 ? ~0ULL : ~TSO));
	}
}

START_TEST(rest_while_the_tap_may_not_be_changed)
{
	reset_until_it_waits();
	for (unsigned int i = 0; i < 5; i++) {
		ck_assert(rest_reached(&d));
		driver_run(&d, 5);
		ck_assert(!served[0] && !served[1]);
		driver_wake(&d);
	}
	ck_assert(driver_until(&d, served[0] && served[1]));
	ck_assert_uint_eq(served_with, offloads);
}
END_TEST

/* 10,000 messages to all who listen to the host's interfaces came in three seconds once */
START_TEST(a_storm_of_resets_waits)
{
	uint64_t start = monotonic_ns(), end = start + DRIVER_LONG;
	unsigned long before;

	reset_until_it_waits();
	ck_assert_uint_ge(changes, 14);
	ck_assert_uint_le(changes, 17 + (monotonic_ns() - start) / 20000000);
	ck_assert(!served[0] && !served[1] && !driver_broken(&d));
	before = offloads;
	while (!served[0] || !served[1]) {
		ck_assert(monotonic_ns() < end);
		driver_run(&d, 1);
	}
	ck_assert_uint_ne(offloads, before); /* first this, and then the queues */
	ck_assert_uint_eq(served_with, offloads);
}
END_TEST

START_TEST(a_reset_ends_the_wait)
{
	reset_until_it_waits();
	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	driver_run(&d, 100);
	ck_assert(!served[0] && !served[1]);
	ck_assert(driver_bring_up(&d, ~0ULL));
	while (!served[0] || !served[1])
		driver_run(&d, 1);
}
END_TEST

START_TEST(queues_that_are_refused_after_a_wait_cost_the_device)
{
	reset_until_it_waits();
	backend_fails = 1;
	while (!driver_broken(&d))
		driver_run(&d, 1);
	backend_fails = 0;
	ck_assert(driver_bring_up(&d, ~0ULL));
}
END_TEST

UNIT_MAIN("net_vhost", setup, teardown, t)
{
	if (have_namespace()) {
		tcase_add_test(t, a_driver_is_served_as_it_wants_to_be);
		tcase_add_test(t, resets_change_nothing_on_the_host);
		tcase_add_test(t, queues_come_to_rest_and_go_on);
		tcase_add_test(t, rest_while_the_tap_may_not_be_changed);
		tcase_add_test(t, a_storm_of_resets_waits);
		tcase_add_test(t, a_reset_ends_the_wait);
		tcase_add_test(t, queues_that_are_refused_after_a_wait_cost_the_device);
	} else {
		puts("SKIPPED: real-tap (no network namespace or no /dev/net/tun here)");
	}
}
