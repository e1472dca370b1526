/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_console_rest - a console comes to rest and goes on while bytes come and go, and is saved and
 * loaded.  Each byte follows from its place in the stream.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_console.h>
#include <linux/virtio_mmio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <termios.h>
#include <unistd.h>

#include "devices/virtio/devices.h"
#include "tests/lib/driver.h"
#include "tests/lib/rest.h"
#include "tests/lib/unit.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

#define RX      0
#define TX      1
#define CYCLES  2000
#define SLOTS   16 /* chains each way at a time */
#define TX_LEN  9000
#define RX_LEN  700
#define AT_MOST 100000 /* bytes that the guest is ahead of its reader */

static struct driver d;
static struct tty *tty;
static struct err err;
static int to_guest, from_guest; /* the operator's ends */
static int in, out, quits;
static gpa_t tx_at, rx_at;
static unsigned int tx_busy, rx_busy;       /* chains with the device */
static size_t said, heard, typed, received; /* bytes */

static void on_quit(void *ctx)
{
	(void)ctx;
	quits++;
}

static uint8_t byte_at(size_t i)
{
	return (uint8_t)('!' + i * 7 % 89); /* no Ctrl-A, and no end of a line */
}

static void plug(void)
{
	tty = tty_create(d.loop, in, out, on_quit, NULL, &err);
	ck_assert_ptr_nonnull(tty);
	driver_plug(&d, console_create(&d.env, tty, &d.err));
	ck_assert_int_eq(tty_start(tty, console_client(d.v), &err), 0);
}

static void begin(void)
{
	d.heap = DRIVER_HEAP;
	ck_assert(driver_bring_up(&d, ~0ULL));
	tx_at = driver_alloc(&d, (size_t)SLOTS * TX_LEN, 4096);
	rx_at = driver_alloc(&d, (size_t)SLOTS * RX_LEN, 4096);
	tx_busy = rx_busy = 0;
	said = heard = typed = received = 0;
}

static void pipes(void)
{
	int p[2], q[2];

	ck_assert_int_eq(pipe2(p, O_CLOEXEC) | pipe2(q, O_CLOEXEC), 0);
	in = p[0];
	to_guest = p[1];
	from_guest = q[0];
	out = q[1];
	fcntl(from_guest, F_SETFL, O_NONBLOCK);
	fcntl(to_guest, F_SETFL, O_NONBLOCK);
	ck_assert_int_ge(fcntl(out, F_SETPIPE_SZ, 4096), 0);
}

static void setup_pipes(void)
{
	log_threshold = LOG_ERROR;
	quits = 0;
	driver_init(&d, 32 * MIB);
	pipes();
	plug();
	begin();
}

static void setup_terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	log_threshold = LOG_ERROR;
	quits = 0;
	ck_assert_int_ge(master, 0);
	ck_assert_int_eq(grantpt(master) | unlockpt(master), 0);
	in = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(in, 0);
	out = dup(in);
	to_guest = master;
	from_guest = dup(master);
	driver_init(&d, 32 * MIB);
	plug();
	begin();
}

static void close_ends(void)
{
	close(in), close(out), close(to_guest), close(from_guest);
}

static void teardown(void)
{
	tty_destroy(tty);
	driver_fini(&d);
	close_ends();
}

/* ---- the guest ---- */

static void guest_says(unsigned int n)
{
	for (; n && tx_busy < SLOTS && said < heard + AT_MOST; n--, tx_busy++) {
		gpa_t at = tx_at + (gpa_t)(d.ring[TX].avail_idx % SLOTS) * TX_LEN;
		uint32_t len = 1 + (uint32_t)rand() % TX_LEN, cut = len / 3;
		uint8_t *p = driver_ptr(&d, at, TX_LEN);

		for (uint32_t i = 0; i < len; i++)
			p[i] = byte_at(said + i);
		said += len;
		ck_assert_int_ge(
			driver_send(&d, TX,
				    (struct driver_buf[]){{at, cut ? cut : len, false},
							  {at + cut, len - cut, false}},
				    cut ? 2 : 1),
			0);
	}
}

static void guest_posts(unsigned int n)
{
	for (; n && rx_busy < SLOTS; n--, rx_busy++) {
		gpa_t at = rx_at + (gpa_t)(d.ring[RX].avail_idx % SLOTS) * RX_LEN;

		ck_assert_int_ge(
			driver_send(&d, RX, &(struct driver_buf){at, RX_LEN, true}, 1),
			0);
	}
}

static void guest_collects(void)
{
	uint32_t id, len;

	while (driver_used(&d.ring[TX], &id, &len))
		tx_busy--;
	for (;;) {
		gpa_t at = rx_at + (gpa_t)(d.ring[RX].used_idx % SLOTS) * RX_LEN;
		const uint8_t *p = driver_ptr(&d, at, RX_LEN);
		bool right = true;

		if (!driver_used(&d.ring[RX], &id, &len))
			return;
		rx_busy--;
		for (uint32_t i = 0; i < len; i++)
			right &= p[i] == byte_at(received++);
		ck_assert(right);
	}
}

/* ---- the operator ---- */

static void operator_types(size_t n)
{
	uint8_t p[4096];
	ssize_t k;

	for (size_t i = 0; i < MIN(n, sizeof(p)); i++)
		p[i] = byte_at(typed + i);
	k = write(to_guest, p, MIN(n, sizeof(p)));
	typed += k > 0 ? (size_t)k : 0;
}

static void operator_reads(size_t n)
{
	uint8_t p[8192];
	ssize_t k = read(from_guest, p, MIN(n, sizeof(p)));
	bool right = true;

	for (ssize_t i = 0; i < k; i++)
		right &= p[i] == byte_at(heard++);
	ck_assert(right);
}

static void some_of_all(void)
{
	guest_says((unsigned int)rand() % 4);
	guest_posts((unsigned int)rand() % 4);
	operator_types((size_t)rand() % 1500);
	if (rand() % 2)
		driver_pump(&d);
	guest_collects();
	operator_reads((size_t)rand() % 8000);
}

static void finish(void)
{
	ck_assert(driver_until(&d, (guest_posts(SLOTS), guest_collects(),
				    operator_reads(8192),
				    heard == said && received == typed)));
	ck_assert(driver_until(&d, (guest_collects(), !tx_busy)));
	ck_assert(!driver_broken(&d));
}

START_TEST(no_byte_is_lost_or_doubled_however_often)
{
	for (unsigned int i = 0; i < CYCLES; i++) {
		uint16_t rx, tx;

		some_of_all();
		ck_assert(rest_reached(&d));
		rx = driver_used_idx(&d.ring[RX]);
		tx = driver_used_idx(&d.ring[TX]);
		guest_says(1);
		guest_posts(1);
		operator_types(50);
		driver_pump(&d);
		ck_assert_uint_eq(driver_used_idx(&d.ring[RX]), rx);
		ck_assert_uint_eq(driver_used_idx(&d.ring[TX]), tx);
		driver_wake(&d);
	}
	finish();
	ck_assert_uint_gt(said, CYCLES * 100);
	ck_assert_uint_gt(typed, CYCLES * 10);
}
END_TEST

/* The operator goes on reading and typing: what is held is held, and nobody is woken */
START_TEST(rest_costs_no_time)
{
	struct rusage before, after;
	long us;

	guest_says(SLOTS);
	guest_posts(SLOTS);
	driver_settle(&d);
	ck_assert(rest_reached(&d));
	operator_types(2000);
	operator_reads(3000);
	getrusage(RUSAGE_SELF, &before);
	driver_run(&d, 100);
	getrusage(RUSAGE_SELF, &after);
	us = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 +
	     after.ru_utime.tv_usec - before.ru_utime.tv_usec;
	ck_assert_int_lt(us, 50000);
	ck_assert_uint_eq(driver_used_idx(&d.ring[RX]), 0);
	driver_wake(&d);
	finish();
}
END_TEST

/* What the tty has taken still comes out; the rest was the old driver's */
START_TEST(reset_at_rest_begins_anew)
{
	for (unsigned int i = 0; i < 20; i++) {
		uint64_t before = d.dev->io.written_bytes - heard;

		guest_says(SLOTS);
		driver_settle(&d);
		ck_assert(rest_reached(&d));
		said = d.dev->io.written_bytes - before;
		driver_write(&d, VIRTIO_MMIO_STATUS, 0);
		driver_wake(&d);
		ck_assert(driver_until(&d, (operator_reads(8192), heard == said)));
		begin();
		guest_says(2);
		operator_types(100);
		finish();
	}
}
END_TEST

/* Its other end is new; what the old one has taken of a chain is not said again */
START_TEST(saved_console_goes_on_elsewhere)
{
	static uint8_t image[4096];
	const char *why;
	uint64_t taken;
	size_t len;

	guest_says(SLOTS);
	guest_posts(3);
	driver_settle(&d);
	guest_collects();
	ck_assert_uint_gt(tx_busy, 0);
	ck_assert(rest_reached(&d));
	len = rest_save(&d, image, sizeof(image), &why);
	ck_assert_msg(len, "%s", why);
	taken = d.dev->io.written_bytes;
	ck_assert_uint_lt(taken, said);
	close(from_guest);
	from_guest = -1;
	driver_unplug(&d);
	tty_destroy(tty);
	close_ends();
	pipes();
	plug();
	ck_assert_ptr_null(rest_load(&d, image, len));
	heard = taken;
	operator_types(1000);
	finish();
}
END_TEST

START_TEST(keys_of_ours_are_heard_at_rest)
{
	ck_assert(rest_reached(&d));
	guest_posts(SLOTS);
	for (unsigned int i = 0; i < 4; i++) { /* more than is held */
		operator_types(2000);
		driver_run(&d, 2);
	}
	ck_assert_int_eq(write(to_guest, "\1x", 2), 2);
	ck_assert(driver_until(&d, quits == 1));
	ck_assert_uint_eq(driver_used_idx(&d.ring[RX]), 0);
	driver_wake(&d);
	ck_assert(driver_until(&d,
			       (guest_collects(), guest_posts(SLOTS), received >= 4096)));
}
END_TEST

START_TEST(window_that_changed_meanwhile_is_told_afterwards)
{
	struct winsize ws = {.ws_col = 132, .ws_row = 43};

	ck_assert(rest_reached(&d));
	(void)driver_irqs(&d);
	ck_assert_int_eq(ioctl(to_guest, TIOCSWINSZ, &ws), 0);
	kill(getpid(), SIGWINCH);
	driver_run(&d, 20);
	ck_assert_uint_eq(driver_irqs(&d), 0);
	driver_wake(&d);
	ck_assert_uint_eq(driver_read_n(&d, VIRTIO_MMIO_CONFIG, 2), 132);
	ck_assert_uint_ge(driver_irqs(&d), 1);
}
END_TEST

UNIT_MAIN("console_rest", setup_pipes, teardown, t)
{
	TCase *term = unit_case(suite, "terminal", setup_terminal, teardown);

	tcase_add_test(t, no_byte_is_lost_or_doubled_however_often);
	tcase_add_test(t, rest_costs_no_time);
	tcase_add_test(t, reset_at_rest_begins_anew);
	tcase_add_test(t, saved_console_goes_on_elsewhere);
	tcase_add_test(term, keys_of_ours_are_heard_at_rest);
	tcase_add_test(term, window_that_changed_meanwhile_is_told_afterwards);
}
