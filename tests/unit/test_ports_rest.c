/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ports_rest - ports come to rest and go on while bytes come and go and peers as well, and
 * are saved and loaded.
 */
#include <check.h>
#include <errno.h>
#include <linux/virtio_console.h>
#include <linux/virtio_mmio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/virtio/devices.h"
#include "tests/lib/driver.h"
#include "tests/lib/rest.h"
#include "tests/lib/unit.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

#define CONTROL_RX 2
#define CONTROL_TX 3
#define RX(id)     (2 + 2 * (id))
#define TX(id)     (3 + 2 * (id))
#define NPORT      2
#define CYCLES     1000
#define LEN        3000
#define SLOTS      16

static struct driver d;
static struct tty *tty[NPORT];
static struct err err;
static char dir[] = "/tmp/ports_XXXXXX", path[NPORT][64], names[NPORT][8];
static gpa_t buf, news;
static size_t said, heard, typed, received;
static unsigned int tx_busy, rx_busy;

static void plug(void)
{
	d.cfg.nport = NPORT;
	for (unsigned int i = 0; i < NPORT; i++) {
		d.cfg.port[i].name = names[i];
		tty[i] = tty_create_unix(d.loop, names[i], path[i], &err);
		ck_assert_ptr_nonnull(tty[i]);
	}
	driver_plug(&d, ports_create(&d.env, tty, &d.err));
	for (unsigned int i = 0; i < NPORT; i++)
		ck_assert_int_eq(tty_start(tty[i], ports_client(d.v, i), &err), 0);
}

static void unplug(void)
{
	driver_unplug(&d);
	for (unsigned int i = 0; i < NPORT; i++)
		tty_destroy(tty[i]);
}

static void tell(uint32_t id, uint16_t event, uint16_t value)
{
	struct virtio_console_control m = {.id = id, .event = event, .value = value};
	uint32_t head, len;

	memcpy(driver_ptr(&d, news, sizeof(m)), &m, sizeof(m));
	driver_send(&d, CONTROL_TX, &(struct driver_buf){news, sizeof(m), false}, 1);
	ck_assert(driver_wait(&d, CONTROL_TX, &head, &len));
}

/* The next thing that the driver is told */
static void told(uint32_t id, uint16_t event, uint16_t value)
{
	struct virtio_console_control m;
	uint32_t head, len;

	driver_send(&d, CONTROL_RX, &(struct driver_buf){news + 512, 256, true}, 1);
	ck_assert(driver_wait(&d, CONTROL_RX, &head, &len));
	memcpy(&m, driver_ptr(&d, news + 512, sizeof(m)), sizeof(m));
	ck_assert(m.id == id && m.event == event && m.value == value);
}

static void setup(void)
{
	log_threshold = LOG_ERROR;
	driver_init(&d, 32 * MIB);
	memcpy(strrchr(dir, '_') + 1, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	for (unsigned int i = 0; i < NPORT; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "port%u", i);
		(void)snprintf(path[i], sizeof(path[i]), "%s/%u", dir, i);
	}
	plug();
	ck_assert(driver_bring_up(&d, ~0ULL));
	buf = driver_alloc(&d, MIB, 4096);
	news = driver_alloc(&d, 4096, 4096);
	said = heard = typed = received = 0;
	tx_busy = rx_busy = 0;
	tell(1, VIRTIO_CONSOLE_PORT_READY, 1);
	told(1, VIRTIO_CONSOLE_PORT_NAME, 1);
	tell(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
}

static void teardown(void)
{
	unplug();
	driver_fini(&d);
	ck_assert_int_eq(rmdir(dir), 0);
}

static int dial(unsigned int i)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(sa.sun_path, path[i], strlen(path[i]));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 7 + i / 251);
}

static void guest_says(unsigned int n)
{
	for (; n && tx_busy < SLOTS; n--, tx_busy++) {
		gpa_t at = buf + (gpa_t)(d.ring[TX(1)].avail_idx % SLOTS) * LEN;
		uint32_t len = 1 + (uint32_t)rand() % LEN;
		uint8_t *p = driver_ptr(&d, at, LEN);

		for (uint32_t i = 0; i < len; i++)
			p[i] = byte_at(said++);
		driver_send(&d, TX(1), &(struct driver_buf){at, len, false}, 1);
	}
}

static void guest_posts(unsigned int n)
{
	for (; n && rx_busy < SLOTS; n--, rx_busy++)
		driver_send(
			&d, RX(1),
			&(struct driver_buf){
				buf + 512 * KIB +
					(gpa_t)(d.ring[RX(1)].avail_idx % SLOTS) * LEN,
				LEN, true},
			1);
}

static void guest_collects(void)
{
	uint32_t id, len;

	while (driver_used(&d.ring[TX(1)], &id, &len))
		tx_busy--;
	for (;;) {
		gpa_t at =
			buf + 512 * KIB + (gpa_t)(d.ring[RX(1)].used_idx % SLOTS) * LEN;
		const uint8_t *p = driver_ptr(&d, at, LEN);
		bool right = true;

		if (!driver_used(&d.ring[RX(1)], &id, &len))
			return;
		rx_busy--;
		for (uint32_t i = 0; i < len; i++)
			right &= p[i] == byte_at(received++);
		ck_assert(right);
	}
}

static void host_types(int fd, size_t n)
{
	uint8_t p[4096];
	ssize_t k;

	for (size_t i = 0; i < n; i++)
		p[i] = byte_at(typed + i);
	k = write(fd, p, n);
	typed += k > 0 ? (size_t)k : 0;
}

static void host_reads(int fd, size_t n)
{
	uint8_t p[8192];
	ssize_t k = read(fd, p, n);
	bool right = true;

	for (ssize_t i = 0; i < k; i++)
		right &= p[i] == byte_at(heard++);
	ck_assert(right);
}

static void finish(int fd)
{
	ck_assert(driver_until(&d, (guest_posts(SLOTS), guest_collects(),
				    host_reads(fd, 8192),
				    heard == said && received == typed)));
	ck_assert(driver_until(&d, (guest_collects(), !tx_busy)));
}

START_TEST(no_byte_is_lost_or_doubled_however_often)
{
	int fd = dial(0);

	told(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	for (unsigned int i = 0; i < CYCLES; i++) {
		uint16_t rx, tx;

		guest_says((unsigned int)rand() % 4);
		guest_posts((unsigned int)rand() % 3);
		host_types(fd, (size_t)rand() % 2000);
		if (rand() % 2)
			driver_pump(&d);
		guest_collects();
		host_reads(fd, (size_t)rand() % 4500);
		ck_assert(rest_reached(&d));
		rx = driver_used_idx(&d.ring[RX(1)]);
		tx = driver_used_idx(&d.ring[TX(1)]);
		host_types(fd, 10);
		guest_posts(1);
		driver_pump(&d);
		ck_assert_uint_eq(driver_used_idx(&d.ring[RX(1)]), rx);
		ck_assert_uint_eq(driver_used_idx(&d.ring[TX(1)]), tx);
		driver_wake(&d);
	}
	finish(fd);
	ck_assert_uint_gt(said, CYCLES * 100);
	close(fd);
}
END_TEST

START_TEST(peers_that_come_or_go_at_rest_are_noticed_afterwards)
{
	int fd;

	for (unsigned int i = 0; i < 20; i++) {
		ck_assert(rest_reached(&d));
		fd = dial(0);
		driver_run(&d, 2);
		ck_assert(!tty_connected(tty[0]));
		driver_wake(&d);
		told(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
		ck_assert(rest_reached(&d));
		close(fd);
		driver_run(&d, 2);
		ck_assert(tty_connected(tty[0]));
		driver_wake(&d);
		told(1, VIRTIO_CONSOLE_PORT_OPEN, 0);
	}
}
END_TEST

/* The peer of this machine is news to the driver, and what was said of a chain is not said again */
START_TEST(saved_ports_go_on_elsewhere)
{
	static uint8_t image[4096];
	int fd = dial(0);
	const char *why;
	size_t len;

	told(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	for (unsigned int i = 0; i < 200; i++) { /* until nothing is taken any more */
		guest_says(SLOTS);
		driver_pump(&d);
		guest_collects();
	}
	ck_assert_uint_eq(tx_busy, SLOTS);
	ck_assert(rest_reached(&d));
	len = rest_save(&d, image, sizeof(image), &why);
	ck_assert_msg(len, "%s", why);
	heard = d.dev->io.written_bytes;
	ck_assert_uint_lt(heard, said);
	close(fd);
	unplug();
	plug();
	ck_assert_ptr_null(rest_load(&d, image, len));
	told(1, VIRTIO_CONSOLE_PORT_OPEN, 0);
	ck_assert(driver_until(
		&d, (guest_collects(), !tx_busy))); /* kept for the next peer */
	fd = dial(0);
	told(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	finish(fd);
	close(fd);
	unplug();
	(void)snprintf(names[1], sizeof(names[1]), "other");
	plug();
	why = rest_load(&d, image, len);
	ck_assert_ptr_nonnull(why);
	ck_assert_msg(strstr(why, "port1") && strstr(why, "other"), "%s", why);
	ck_assert_uint_eq(driver_status(&d), 0);
}
END_TEST

UNIT_MAIN("ports_rest", setup, teardown, t)
{
	tcase_add_test(t, no_byte_is_lost_or_doubled_however_often);
	tcase_add_test(t, peers_that_come_or_go_at_rest_are_noticed_afterwards);
	tcase_add_test(t, saved_ports_go_on_elsewhere);
}
