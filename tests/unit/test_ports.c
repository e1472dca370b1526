/* SPDX-License-Identifier: Apache-2.0 */
/* test_ports - named ports through their device's registers and control queues. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/virtio/devices.h"
#include "tests/lib/driver.h"
#include "tests/lib/unit.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

#define CONTROL_RX 2
#define CONTROL_TX 3
#define RX(id)     (2 + 2 * (id))
#define TX(id)     (3 + 2 * (id))
#define NPORT      2

static struct driver d;
static struct tty *tty[NPORT];
static struct err err;
static char dir[] = "/tmp/ports_XXXXXX", path[NPORT][64];
static gpa_t buf; /* 1 MiB */
static gpa_t news;

static void setup(void)
{
	static char names[NPORT][8] = {"agent", "log"};

	log_threshold = LOG_ERROR;
	driver_init(&d, 32 * MIB);
	memcpy(strrchr(dir, '_') + 1, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	d.cfg.nport = NPORT;
	for (unsigned int i = 0; i < NPORT; i++) {
		d.cfg.port[i].name = names[i];
		(void)snprintf(path[i], sizeof(path[i]), "%s/%u", dir, i);
		tty[i] = tty_create_unix(d.loop, names[i], path[i], &err);
		ck_assert_ptr_nonnull(tty[i]);
	}
	driver_plug(&d, ports_create(&d.env, tty, &d.err));
	for (unsigned int i = 0; i < NPORT; i++)
		ck_assert_int_eq(tty_start(tty[i], ports_client(d.v, i), &err), 0);
	ck_assert(driver_bring_up(&d, ~0ULL));
	buf = driver_alloc(&d, MIB, 4096);
	news = driver_alloc(&d, 4096, 4096);
}

static void teardown(void)
{
	for (unsigned int i = 0; i < NPORT; i++)
		tty_destroy(tty[i]);
	driver_fini(&d);
	ck_assert_int_eq(rmdir(dir), 0);
}

static int dial(unsigned int i)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(sa.sun_path, path[i], strlen(path[i]));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	driver_settle(&d);
	return fd;
}

/* The driver says something about a port */
static void tell(uint32_t id, uint16_t event, uint16_t value)
{
	struct virtio_console_control m = {.id = id, .event = event, .value = value};

	memcpy(driver_ptr(&d, buf, sizeof(m)), &m, sizeof(m));
	ck_assert_int_ge(driver_send(&d, CONTROL_TX,
				     &(struct driver_buf){buf, sizeof(m), false}, 1),
			 0);
	driver_settle(&d);
}

/* The next message for the driver is this one */
static void told(uint32_t id, uint16_t event, uint16_t value, const char *name)
{
	struct virtio_console_control m;
	uint32_t head, len;

	driver_send(&d, CONTROL_RX, &(struct driver_buf){news, 4096, true}, 1);
	ck_assert(driver_wait(&d, CONTROL_RX, &head, &len));
	memcpy(&m, driver_ptr(&d, news, 4096), sizeof(m));
	ck_assert_uint_eq(m.id, id);
	ck_assert_uint_eq(m.event, event);
	ck_assert_uint_eq(m.value, value);
	ck_assert_uint_eq(len, sizeof(m) + strlen(name));
	ck_assert_mem_eq((char *)driver_ptr(&d, news, 4096) + sizeof(m), name,
			 strlen(name));
}

/* As Linux does: all ports are there, named, and open in the guest */
static void greet(void)
{
	static const char *const names[] = {"agent", "log"};

	tell(VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
	told(1, VIRTIO_CONSOLE_PORT_ADD, 1, "");
	told(2, VIRTIO_CONSOLE_PORT_ADD, 1, "");
	for (uint32_t id = 1; id <= NPORT; id++) {
		tell(id, VIRTIO_CONSOLE_PORT_READY, 1);
		told(id, VIRTIO_CONSOLE_PORT_NAME, 1, names[id - 1]);
		tell(id, VIRTIO_CONSOLE_PORT_OPEN, 1);
	}
}

static void nothing_told(void)
{
	uint32_t head, len;

	driver_run(&d, 10);
	ck_assert(!driver_used(&d.ring[CONTROL_RX], &head, &len));
	ck_assert(!driver_broken(&d));
}

static void post(unsigned int id, gpa_t at, uint32_t len)
{
	ck_assert_int_ge(driver_send(&d, RX(id), &(struct driver_buf){at, len, true}, 1),
			 0);
}

START_TEST(it_is_a_console_device_without_a_console)
{
	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_CONSOLE);
	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_CONFIG + 4), NPORT + 1);
	greet();
	nothing_told();
}
END_TEST

START_TEST(two_ports_carry_their_own_bytes)
{
	int fd[2];
	char got[8];
	uint32_t head, len;

	greet();
	for (unsigned int i = 0; i < 2; i++) {
		fd[i] = dial(i);
		told(i + 1, VIRTIO_CONSOLE_PORT_OPEN, 1, "");
	}
	for (unsigned int i = 0; i < 2; i++) {
		memcpy(driver_ptr(&d, buf, 2), i ? "B\n" : "A\n", 2);
		driver_send(&d, TX(i + 1), &(struct driver_buf){buf, 2, false}, 1);
		ck_assert(driver_wait(&d, TX(i + 1), &head, &len));
		driver_run(&d, 5);
		ck_assert_int_eq(read(fd[i], got, sizeof(got)), 2);
		ck_assert_int_eq(got[0], i ? 'B' : 'A');
		ck_assert_int_eq(write(fd[i], i ? "bb" : "a", i + 1), i + 1);
		post(i + 1, buf, 64);
		ck_assert(driver_wait(&d, RX(i + 1), &head, &len));
		ck_assert_uint_eq(len, i + 1);
		ck_assert_int_eq(*(char *)driver_ptr(&d, buf, 1), i ? 'b' : 'a');
		close(fd[i]);
	}
}
END_TEST

/* Neither for the end of a line nor for a while, as bytes of a serial port are */
START_TEST(message_is_held_back)
{
	uint32_t head, len;
	char got[8];
	int fd;

	greet();
	fd = dial(0);
	told(1, VIRTIO_CONSOLE_PORT_OPEN, 1, "");
	memcpy(driver_ptr(&d, buf, 2), "A", 2);
	driver_send(&d, TX(1), &(struct driver_buf){buf, 2, false}, 1);
	ck_assert(driver_wait(&d, TX(1), &head, &len));
	ck_assert_int_eq(read(fd, got, sizeof(got)), 2);
	close(fd);
}
END_TEST

START_TEST(peers_come_and_go_and_the_driver_is_told)
{
	int fd;

	greet();
	fd = dial(1);
	told(2, VIRTIO_CONSOLE_PORT_OPEN, 1, "");
	close(fd);
	told(2, VIRTIO_CONSOLE_PORT_OPEN, 0, "");
	for (int i = 0; i < 100; i++) { /* only the last two are owed: a close, an open */
		fd = dial(1);
		if (i < 99)
			close(fd);
		driver_settle(&d);
	}
	told(2, VIRTIO_CONSOLE_PORT_OPEN, 0, "");
	told(2, VIRTIO_CONSOLE_PORT_OPEN, 1, "");
	driver_send(&d, CONTROL_RX, &(struct driver_buf){news, 4096, true}, 1);
	nothing_told();
	close(fd);
}
END_TEST

START_TEST(peer_before_the_driver_is_told_at_ready)
{
	int fd = dial(0);

	tell(VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
	told(1, VIRTIO_CONSOLE_PORT_ADD, 1, "");
	told(2, VIRTIO_CONSOLE_PORT_ADD, 1, "");
	tell(1, VIRTIO_CONSOLE_PORT_READY, 1);
	told(1, VIRTIO_CONSOLE_PORT_NAME, 1, "agent");
	told(1, VIRTIO_CONSOLE_PORT_OPEN, 1, "");
	close(fd);
}
END_TEST

/* Linux drops what arrives while nobody in the guest has the port open. */
START_TEST(input_waits_until_the_guest_opens_the_port)
{
	int fd = dial(0);
	uint32_t head, len;

	ck_assert_int_eq(write(fd, "early", 5), 5);
	post(1, buf + 4096, 64);
	driver_run(&d, 20);
	ck_assert(!driver_used(&d.ring[RX(1)], &head, &len));
	tell(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	ck_assert(driver_wait(&d, RX(1), &head, &len));
	ck_assert_uint_eq(len, 5);
	tell(1, VIRTIO_CONSOLE_PORT_OPEN, 0);
	ck_assert_int_eq(write(fd, "later", 5), 5);
	post(1, buf + 4096, 64);
	driver_run(&d, 20);
	ck_assert(!driver_used(&d.ring[RX(1)], &head, &len));
	close(fd);
}
END_TEST

START_TEST(stuck_peer_stops_its_own_port_only)
{
	int stuck, fd;
	char got[8];
	uint32_t head, len;

	greet();
	stuck = dial(0);
	fd = dial(1);
	driver_send(&d, TX(1), &(struct driver_buf){buf, MIB, false}, 1);
	driver_run(&d, 50);
	ck_assert(!driver_used(&d.ring[TX(1)], &head, &len));
	memcpy(driver_ptr(&d, buf, 3), "go\n", 3);
	driver_send(&d, TX(2), &(struct driver_buf){buf, 3, false}, 1);
	ck_assert(driver_wait(&d, TX(2), &head, &len));
	driver_run(&d, 5);
	ck_assert_int_eq(read(fd, got, sizeof(got)), 3);
	close(stuck); /* and a peer that leaves lets its guest go on */
	ck_assert(driver_wait(&d, TX(1), &head, &len));
	close(fd);
}
END_TEST

/* Lies: each costs the device, and a reset gives it back */

static void broken_and_revived(void)
{
	driver_settle(&d);
	ck_assert(driver_broken(&d));
	ck_assert(driver_bring_up(&d, ~0ULL));
	greet();
}

START_TEST(message_about_no_port_costs_the_device)
{
	static const uint32_t ids[] = {0, NPORT + 1, 0x80000000, UINT32_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		tell(ids[i], VIRTIO_CONSOLE_PORT_OPEN, 1);
		broken_and_revived();
	}
}
END_TEST

START_TEST(message_that_is_the_devices_costs_the_device)
{
	static const uint16_t events[] = {VIRTIO_CONSOLE_PORT_ADD, VIRTIO_CONSOLE_RESIZE,
					  VIRTIO_CONSOLE_PORT_NAME, 8, UINT16_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		tell(1, events[i], 1);
		broken_and_revived();
	}
}
END_TEST

START_TEST(short_message_costs_the_device)
{
	driver_send(&d, CONTROL_TX, &(struct driver_buf){buf, 7, false}, 1);
	broken_and_revived();
	driver_send(&d, CONTROL_TX, &(struct driver_buf){buf, 64, true}, 1);
	broken_and_revived();
}
END_TEST

START_TEST(small_or_readable_control_buffer_costs_the_device)
{
	tell(VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
	driver_send(&d, CONTROL_RX, &(struct driver_buf){buf, 7, true}, 1);
	broken_and_revived();
	tell(VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
	driver_send(&d, CONTROL_RX, &(struct driver_buf){buf, 64, false}, 1);
	broken_and_revived();
}
END_TEST

START_TEST(readable_receive_buffer_costs_the_device)
{
	int fd = dial(0);

	tell(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	driver_send(&d, RX(1), &(struct driver_buf){buf, 16, false}, 1);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	driver_run(&d, 20);
	ck_assert(driver_broken(&d));
	close(fd);
}
END_TEST

START_TEST(driver_that_says_the_same_for_ever_is_told_no_more_than_once)
{
	for (int i = 0; i < 1000; i++) {
		uint32_t head, len;

		tell(VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
		ck_assert(driver_used(&d.ring[CONTROL_TX], &head, &len));
	}
	told(1, VIRTIO_CONSOLE_PORT_ADD, 1, "");
	told(2, VIRTIO_CONSOLE_PORT_ADD, 1, "");
	driver_send(&d, CONTROL_RX, &(struct driver_buf){news, 4096, true}, 1);
	nothing_told();
}
END_TEST

/* The image ends with the last port's news (bits 0 to 3), ready, open, and bytes taken of a chain */
START_TEST(impossible_news_are_not_loaded)
{
	uint8_t image[4096];
	struct state s;

	state_saver(&s, image, sizeof(image));
	d.dev->ops->state(d.dev, &s);
	ck_assert_ptr_null(s.why);
	image[s.pos - 7] = 0x10;
	state_loader(&s, image, s.pos);
	d.dev->ops->state(d.dev, &s);
	ck_assert_ptr_nonnull(s.why);
	ck_assert_uint_eq(driver_status(&d), 0);
}
END_TEST

START_TEST(driver_without_multiport_finds_nothing)
{
	uint32_t head, len;
	int fd = dial(0);

	ck_assert(driver_bring_up(&d, 1ULL << 32));
	driver_send(&d, 1, &(struct driver_buf){buf, 16, false}, 1);
	post(1, buf, 16);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	tell(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	driver_run(&d, 20);
	ck_assert(!driver_broken(&d));
	ck_assert(!driver_used(&d.ring[RX(1)], &head, &len));
	close(fd);
}
END_TEST

UNIT_MAIN("ports", setup, teardown, t)
{
	tcase_add_test(t, it_is_a_console_device_without_a_console);
	tcase_add_test(t, two_ports_carry_their_own_bytes);
	tcase_add_test(t, message_is_held_back);
	tcase_add_test(t, peers_come_and_go_and_the_driver_is_told);
	tcase_add_test(t, peer_before_the_driver_is_told_at_ready);
	tcase_add_test(t, input_waits_until_the_guest_opens_the_port);
	tcase_add_test(t, stuck_peer_stops_its_own_port_only);
	tcase_add_test(t, message_about_no_port_costs_the_device);
	tcase_add_test(t, message_that_is_the_devices_costs_the_device);
	tcase_add_test(t, short_message_costs_the_device);
	tcase_add_test(t, small_or_readable_control_buffer_costs_the_device);
	tcase_add_test(t, readable_receive_buffer_costs_the_device);
	tcase_add_test(t, driver_that_says_the_same_for_ever_is_told_no_more_than_once);
	tcase_add_test(t, driver_without_multiport_finds_nothing);
	tcase_add_test(t, impossible_news_are_not_loaded);
}
