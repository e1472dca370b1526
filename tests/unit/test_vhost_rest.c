/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_vhost_rest - devices that another process serves come to rest, whatever that process does,
 * and go on.
 */
#include <check.h>
#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_mmio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/virtio/devices.h"
#include "devices/virtio/vhost_user_device.h"
#include "tests/lib/driver.h"
#include "tests/lib/rest.h"
#include "tests/lib/unit.h"
#include "tests/lib/vhost_peer.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

#define AT_ONCE UINT64_C(1000000000) /* ns: far less than an answer is waited for */

static struct driver d;
static struct peer peer;
static char dir[32], path[64];
static gpa_t at;

static struct virtio_blk_config blk_config = {
	.capacity = 1000, .seg_max = 5000, .blk_size = 512, .num_queues = PEER_QUEUES};

static void setup(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	log_threshold = LOG_ERROR;
	driver_init_shared(&d, MIB);
	peer_init(&peer);
	(void)snprintf(dir, sizeof(dir), "/tmp/test-vhost-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/s", dir);
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	peer.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(peer.listener, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(peer.listener, 4), 0);
	d.cfg.ncpu = PEER_QUEUES;
	peer.protocol |= 1ULL << VHOST_USER_P_INFLIGHT; /* so it may come again */
	peer.features |= 1ULL << VIRTIO_BLK_F_SEG_MAX | 1ULL << VIRTIO_BLK_F_MQ;
	memcpy(peer.config, &blk_config, sizeof(blk_config));
	(void)peer_run(&peer);
	d.cfg.disk[0].vhost_user = path;
	d.cfg.ndisk = 1;
	driver_plug(&d, blk_vhost_create(&d.env, 0, &d.err));
	ck_assert(driver_bring_up(&d, ~0ULL));
	at = driver_alloc(&d, 2, 1);
}

static void teardown(void)
{
	const char *wrong = peer.wrong;

	driver_fini(&d);
	peer_stop(&peer);
	close(peer.listener);
	unlink(path);
	rmdir(dir);
	ck_assert_msg(!wrong, "message %u: %s", peer.wrong_at, wrong);
}

static void send_byte(unsigned int qi, uint8_t byte)
{
	uint8_t *p = driver_ptr(&d, at, 2);

	p[0] = byte;
	p[1] = 0;
	driver_send(&d, qi, (struct driver_buf[]){{at, 1, false}, {at + 1, 1, true}}, 2);
}

static bool byte_is_back(unsigned int qi, uint8_t byte)
{
	uint32_t id, len;

	return driver_until(&d, driver_used(&d.ring[qi], &id, &len)) && len == 1 &&
	       *(uint8_t *)driver_ptr(&d, at + 1, 1) == byte;
}

static bool echoes(unsigned int qi)
{
	send_byte(qi, 0x5a);
	return byte_is_back(qi, 0x5a);
}

/* rest() once, which may not wait */
static bool rest_at_once(void)
{
	uint64_t before = monotonic_ns();
	bool yes = driver_rest(&d);

	ck_assert_uint_lt(monotonic_ns() - before, AT_ONCE);
	return yes;
}

START_TEST(requests_before_at_and_after_rest_are_served_once)
{
	for (unsigned int i = 0; i < 300; i++) {
		unsigned int qi = i % d.v->nvq;

		send_byte(qi, (uint8_t)i);
		if (i % 3)
			ck_assert(byte_is_back(qi, (uint8_t)i));
		ck_assert(rest_reached(&d));
		if (i % 3 == 0 && driver_used_idx(&d.ring[qi]) != d.ring[qi].used_idx)
			ck_assert(byte_is_back(qi, (uint8_t)i));
		else if (i % 3)
			send_byte(qi, (uint8_t)i);
		driver_pump(&d);
		ck_assert_uint_eq(driver_used_idx(&d.ring[qi]), d.ring[qi].used_idx);
		driver_wake(&d);
		if (d.ring[qi].avail_idx != d.ring[qi].used_idx)
			ck_assert(byte_is_back(qi, (uint8_t)i));
	}
	for (unsigned int qi = 0; qi < d.v->nvq; qi++)
		ck_assert(echoes(qi));
}
END_TEST

/* What it has taken when it is stopped it is still writing to */
START_TEST(what_is_under_way_is_waited_for)
{
	unsigned int last = d.v->nvq - 1; /* whose answer nothing comes after */

	peer.lags = true;
	send_byte(last, 0x77);
	ck_assert(!rest_at_once());
	ck_assert(rest_reached(&d));
	ck_assert_uint_eq(driver_used_idx(&d.ring[last]), 1);
	peer.lags = false;
	driver_wake(&d);
	ck_assert(byte_is_back(last, 0x77));
	ck_assert(echoes(1));
}
END_TEST

static void at_rest_it_lies(enum peer_lie lie)
{
	uint64_t end = monotonic_ns() + DRIVER_LONG;

	peer.at = VU_GET_VRING_BASE;
	peer.lie = lie;
	while (!rest_at_once() && monotonic_ns() < end)
		driver_run(&d, 1);
	ck_assert(driver_rest(&d));
	peer.lie = PEER_HONEST;
}

/* A disk's back end may come again */
START_TEST(a_process_that_lies_is_left_and_met_again)
{
	static const enum peer_lie lies[] = {
		PEER_DIES,  PEER_OTHER, PEER_NO_REPLY_BIT, PEER_VERSION,
		PEER_SHORT, PEER_HUGE,  PEER_HALF,         PEER_BAD_DATA};

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		ck_assert(echoes(0));
		at_rest_it_lies(lies[i]);
		driver_wake(&d);
		ck_assert_msg(echoes(0), "lie %zu", i);
	}
}
END_TEST

/* The machine has given up and goes on; the answer comes later, and then so does the device */
START_TEST(answer_after_the_rest_lets_it_go_on)
{
	ck_assert(echoes(0));
	peer.lie = PEER_SLOW;
	ck_assert(!rest_at_once());
	driver_wake(&d);
	send_byte(0, 0x31);
	ck_assert(!rest_at_once());
	driver_wake(&d);
	ck_assert(byte_is_back(0, 0x31));
	ck_assert(!driver_broken(&d));
	peer.lie = PEER_HONEST;
	ck_assert(echoes(1));
}
END_TEST

static void wake_at_once(void)
{
	uint64_t before = monotonic_ns();

	driver_wake(&d);
	ck_assert_uint_lt(monotonic_ns() - before, AT_ONCE);
}

/* It reads nothing, and the socket has room for fewer messages than there are rings */
static void stops_reading(void)
{
	int fd = container_of(d.v, struct vu_dev, v)->u.fd, least = 1;

	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)), 0);
	peer.deaf = true;
	driver_run(&d, 10); /* what it reads now comes to an end */
}

static void reads_again(void)
{
	peer.deaf = false;
	for (unsigned int qi = 0; qi < d.v->nvq; qi++)
		ck_assert(echoes(qi));
	ck_assert(!driver_broken(&d));
	ck_assert_uint_eq(peer.connections, 1);
}

/* It hears at rest what it was told while it was deaf, and serves again */
static void hears_at_rest(void)
{
	ck_assert(!rest_at_once());
	peer.deaf = false;
	ck_assert(rest_reached(&d));
	driver_wake(&d);
	reads_again();
}

START_TEST(process_that_reads_nothing_holds_up_no_rest)
{
	stops_reading();
	for (unsigned int i = 0; i < 3; i++) {
		ck_assert(!rest_at_once());
		ck_assert(!rest_at_once());
		wake_at_once();
	}
	reads_again();
	stops_reading();
	hears_at_rest();
}
END_TEST

START_TEST(process_that_reads_nothing_holds_up_no_return)
{
	ck_assert(rest_reached(&d));
	stops_reading();
	wake_at_once();
	driver_run(&d, 10);
	ck_assert(!rest_at_once());
	wake_at_once();
	reads_again();
	ck_assert(rest_reached(&d));
	stops_reading();
	wake_at_once();
	hears_at_rest();
}
END_TEST

/* A reset may wait */
START_TEST(reset_while_it_reads_nothing)
{
	for (unsigned int i = 0; i < 4; i++) {
		if (i % 2)
			ck_assert(rest_reached(&d));
		stops_reading();
		if (i % 2)
			wake_at_once();
		else
			ck_assert(!rest_at_once());
		peer.deaf = false;
		d.heap = DRIVER_HEAP;
		driver_write(&d, VIRTIO_MMIO_STATUS, 0);
		driver_wake(&d);
		ck_assert(driver_bring_up(&d, ~0ULL));
		at = driver_alloc(&d, 2, 1);
		reads_again();
	}
}
END_TEST

START_TEST(reset_at_rest_and_on_the_way_there)
{
	for (unsigned int i = 0; i < 40; i++) {
		if (i % 2)
			ck_assert(rest_reached(&d));
		else
			(void)driver_rest(&d);
		d.heap = DRIVER_HEAP;
		if (i % 4 < 2) {
			driver_write(&d, VIRTIO_MMIO_STATUS, 0);
			driver_wake(&d);
			ck_assert(driver_bring_up(&d, ~0ULL));
		} else {
			ck_assert(driver_bring_up(&d, ~0ULL));
			driver_wake(&d);
		}
		at = driver_alloc(&d, 2, 1);
		ck_assert(echoes(i % d.v->nvq));
	}
}
END_TEST

START_TEST(process_that_dies_at_rest_is_missed_afterwards)
{
	ck_assert(rest_reached(&d));
	peer.dies_kicked = false;
	ck_assert_int_eq(shutdown(peer.fd, SHUT_RDWR), 0);
	driver_run(&d, 50);
	ck_assert(driver_rest(&d));
	driver_wake(&d);
	ck_assert(echoes(0));
	ck_assert_uint_ge(peer.connections, 2);
}
END_TEST

START_TEST(it_cannot_be_saved)
{
	static uint8_t image[4096];
	const char *why;

	ck_assert(rest_reached(&d));
	ck_assert_uint_eq(rest_save(&d, image, sizeof(image), &why), 0);
	ck_assert_ptr_nonnull(strstr(why, "another process serves"));
	driver_wake(&d);
	ck_assert(echoes(0));
}
END_TEST

UNIT_MAIN("vhost_rest", setup, teardown, t)
{
	tcase_add_test(t, requests_before_at_and_after_rest_are_served_once);
	tcase_add_test(t, what_is_under_way_is_waited_for);
	tcase_add_test(t, a_process_that_lies_is_left_and_met_again);
	tcase_add_test(t, answer_after_the_rest_lets_it_go_on);
	tcase_add_test(t, process_that_reads_nothing_holds_up_no_rest);
	tcase_add_test(t, process_that_reads_nothing_holds_up_no_return);
	tcase_add_test(t, reset_while_it_reads_nothing);
	tcase_add_test(t, reset_at_rest_and_on_the_way_there);
	tcase_add_test(t, process_that_dies_at_rest_is_missed_afterwards);
	tcase_add_test(t, it_cannot_be_saved);
}
