/* SPDX-License-Identifier: Apache-2.0 */
/* test_console - the virtio console through its registers, on pipes and on a terminal. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <termios.h>
#include <unistd.h>

#include "devices/virtio/devices.h"
#include "tests/lib/driver.h"
#include "tests/lib/unit.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

#define RX 0
#define TX 1

static struct driver d;
static struct tty *tty;
static struct err err;
static int to_guest, from_guest; /* the operator's ends */
static int in, out;
static gpa_t buf; /* 4 MiB */

static void on_quit(void *ctx)
{
	(void)ctx;
}

static void plug(void)
{
	log_threshold = LOG_ERROR;
	driver_init(&d, 32 * MIB);
	tty = tty_create(d.loop, in, out, on_quit, NULL, &err);
	ck_assert_ptr_nonnull(tty);
	driver_plug(&d, console_create(&d.env, tty, &d.err));
	ck_assert_int_eq(tty_start(tty, console_client(d.v), &err), 0);
	ck_assert(driver_bring_up(&d, ~0ULL));
	buf = driver_alloc(&d, 4 * MIB, 4096);
}

static void setup_pipes(void)
{
	int p[2], q[2];

	ck_assert_int_eq(pipe2(p, O_CLOEXEC) | pipe2(q, O_CLOEXEC), 0);
	in = p[0];
	to_guest = p[1];
	from_guest = q[0];
	out = q[1];
	fcntl(from_guest, F_SETFL, O_NONBLOCK);
	fcntl(to_guest, F_SETFL, O_NONBLOCK);
	plug();
}

static void setup_terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	ck_assert_int_ge(master, 0);
	ck_assert_int_eq(grantpt(master) | unlockpt(master), 0);
	in = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(in, 0);
	out = dup(in);
	to_guest = master;
	from_guest = dup(master);
	plug();
}

static void teardown(void)
{
	tty_destroy(tty);
	driver_fini(&d);
	close(in), close(out), close(to_guest), close(from_guest);
}

static void post(gpa_t at, uint32_t len)
{
	ck_assert_int_ge(driver_send(&d, RX, &(struct driver_buf){at, len, true}, 1), 0);
}

static void say(gpa_t at, uint32_t len)
{
	ck_assert_int_ge(driver_send(&d, TX, &(struct driver_buf){at, len, false}, 1), 0);
}

static void fill(gpa_t at, size_t len)
{
	uint8_t *p = driver_ptr(&d, at, len);

	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 7 % 251);
}

/* What came out, up to @len bytes, the loop running meanwhile */
static size_t hear(uint8_t *p, size_t len)
{
	uint64_t end = monotonic_ns() + DRIVER_LONG;
	size_t n = 0;

	while (n < len && monotonic_ns() < end) {
		ssize_t k = read(from_guest, p + n, len - n);

		if (k > 0)
			n += (size_t)k;
		else
			driver_run(&d, 1);
	}
	return n;
}

static uint64_t cpu_us(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (uint64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000 +
	       (uint64_t)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static void run_idle(void)
{
	uint64_t before = cpu_us();

	driver_run(&d, 100);
	ck_assert_uint_lt(cpu_us() - before, 50000);
}

START_TEST(what_the_guest_says_comes_out)
{
	uint8_t got[8];
	uint32_t id, len;

	memcpy(driver_ptr(&d, buf, 6), "hello\n", 6);
	say(buf, 6);
	ck_assert(driver_wait(&d, TX, &id, &len));
	ck_assert_uint_eq(len, 0);
	ck_assert_uint_eq(hear(got, 6), 6);
	ck_assert_mem_eq(got, "hello\n", 6);
}
END_TEST

START_TEST(what_is_typed_goes_in)
{
	uint32_t id, len;

	post(buf, 4096);
	ck_assert_int_eq(write(to_guest, "ls\n", 3), 3);
	ck_assert(driver_wait(&d, RX, &id, &len));
	ck_assert_uint_eq(len, 3);
	ck_assert_mem_eq(driver_ptr(&d, buf, 3), "ls\n", 3);
}
END_TEST

START_TEST(input_before_the_driver_waits_for_it)
{
	uint32_t id, len;

	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	ck_assert_int_eq(write(to_guest, "early\n", 6), 6);
	run_idle();
	ck_assert(driver_bring_up(&d, ~0ULL));
	run_idle();
	post(buf, 4);
	post(buf + 4, 4);
	ck_assert(driver_wait(&d, RX, &id, &len));
	ck_assert(driver_wait(&d, RX, &id, &len));
	ck_assert_mem_eq(driver_ptr(&d, buf, 6), "early\n", 6);
}
END_TEST

/* hostile-guests 22: no buffers, much input.  What we do not read stays in the pipe. */
START_TEST(input_without_buffers_is_left_where_it_is)
{
	static uint8_t chunk[65536];
	uint32_t id, len;
	size_t sent = 0;

	for (int i = 0; i < 1600; i++) {
		ssize_t n = write(to_guest, chunk, sizeof(chunk));

		sent += n > 0 ? (size_t)n : 0;
		driver_pump(&d);
	}
	ck_assert_uint_le(sent, 65536 + 4096);
	run_idle();
	for (size_t got = 0; got < sent; got += len) {
		post(buf, 4096);
		ck_assert(driver_wait(&d, RX, &id, &len));
	}
}
END_TEST

START_TEST(stuck_reader_holds_the_chain_and_loses_nothing)
{
	size_t size = 3 * MIB + 17;
	uint8_t *got = malloc(size);
	uint32_t id, len;

	fill(buf, size);
	say(buf, (uint32_t)size);
	run_idle();
	ck_assert_uint_eq(driver_used_idx(&d.ring[TX]), 0);
	ck_assert_uint_eq(hear(got, size), size);
	ck_assert_int_eq(memcmp(got, driver_ptr(&d, buf, size), size), 0);
	ck_assert(driver_wait(&d, TX, &id, &len));
	free(got);
}
END_TEST

START_TEST(reset_with_a_chain_held_forgets_it)
{
	uint8_t last[4] = {0};
	uint32_t id, len;
	size_t n = 0;

	fill(buf, 3 * MIB);
	say(buf, 3 * MIB);
	driver_run(&d, 20);
	ck_assert(driver_bring_up(&d, ~0ULL));
	memset(driver_ptr(&d, buf, 3 * MIB), '-', 3 * MIB);
	memcpy(driver_ptr(&d, buf, 4), "end\n", 4);
	say(buf, 4);
	while (memcmp(last, "end\n", 4)) { /* what was held comes out first */
		memmove(last, last + 1, 3);
		ck_assert_uint_eq(hear(&last[3], 1), 1);
		ck_assert_uint_lt(n++, 256 * KIB);
	}
	ck_assert(driver_wait(&d, TX, &id, &len));
}
END_TEST

/* A flood to a reader that takes all of it at once: other sources have their turn */
START_TEST(flood_is_cut_into_turns)
{
	unsigned int turns = 0;
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	uint32_t id, len;

	ck_assert_int_eq(dup3(null, out, O_CLOEXEC), out);
	tty_destroy(tty);
	driver_fini(&d);
	plug();
	say(buf, 4 * MIB);
	while (!driver_used(&d.ring[TX], &id, &len) && turns++ < 1000) {
		driver_pump(&d);
		usleep(10);
	}
	ck_assert_uint_ge(turns, 10);
	ck_assert_uint_lt(turns, 1000);
	close(null);
}
END_TEST

START_TEST(emergency_byte_comes_out_without_a_driver)
{
	unsigned int at = VIRTIO_MMIO_CONFIG;
	uint8_t got[2];

	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	driver_write(&d, at + offsetof(struct virtio_console_config, emerg_wr), '!');
	driver_write(&d, at + offsetof(struct virtio_console_config, emerg_wr), '\n');
	ck_assert_uint_eq(hear(got, 2), 2);
	ck_assert_mem_eq(got, "!\n", 2);
	driver_write(&d, at, 0x12345678); /* the size is not the driver's to set */
	ck_assert_uint_eq(driver_read(&d, at), 0);
	for (unsigned int off = 0; off < 16; off++) /* any width, anywhere */
		for (unsigned int size = 1; size <= 8; size *= 2)
			driver_write_n(&d, at + off, size, ~0ULL);
	ck_assert_uint_eq(driver_read(&d, at), 0);
}
END_TEST

START_TEST(readable_receive_buffer_costs_the_device)
{
	uint32_t id, len;

	driver_send(&d, RX, &(struct driver_buf){buf, 16, false}, 1);
	ck_assert_int_eq(write(to_guest, "x", 1), 1);
	driver_run(&d, 20);
	ck_assert(driver_broken(&d));
	ck_assert(driver_bring_up(&d, ~0ULL));
	post(buf, 16);
	ck_assert(driver_wait(&d, RX, &id, &len));
	ck_assert_uint_eq(len, 1);
}
END_TEST

START_TEST(window_size_is_told_and_changes_interrupt)
{
	struct winsize ws = {.ws_col = 132, .ws_row = 43};

	(void)driver_irqs(&d);
	ck_assert_int_eq(ioctl(to_guest, TIOCSWINSZ, &ws), 0);
	kill(getpid(), SIGWINCH); /* it is not our controlling terminal */
	driver_run(&d, 20);
	ck_assert_uint_eq(driver_read_n(&d, VIRTIO_MMIO_CONFIG, 2), 132);
	ck_assert_uint_eq(driver_read_n(&d, VIRTIO_MMIO_CONFIG + 2, 2), 43);
	ck_assert_uint_eq(driver_irqs(&d), 1);
	kill(getpid(), SIGWINCH); /* the same again */
	driver_run(&d, 20);
	ck_assert_uint_eq(driver_irqs(&d), 0);
}
END_TEST

/* Was there an interrupt for the configuration since we last looked? */
static bool config_interrupt(void)
{
	uint64_t status = driver_read(&d, VIRTIO_MMIO_INTERRUPT_STATUS);

	driver_write(&d, VIRTIO_MMIO_INTERRUPT_ACK, (uint32_t)status);
	return status & VIRTIO_MMIO_INT_CONFIG;
}

/* What Linux' driver hears before hvc0 is there it forgets */
START_TEST(a_guest_that_begins_to_print_hears_of_the_size)
{
	struct winsize ws = {.ws_col = 132, .ws_row = 43};
	uint32_t id, len;

	say(buf, 1);
	ck_assert(driver_wait(&d, TX, &id, &len));
	ck_assert(!config_interrupt()); /* there is no size to tell */
	ck_assert_int_eq(ioctl(to_guest, TIOCSWINSZ, &ws), 0);
	kill(getpid(), SIGWINCH);
	driver_run(&d, 20);
	ck_assert(driver_bring_up(&d, ~0ULL));
	(void)config_interrupt();
	for (int i = 1; i <= 8; i++) {
		say(buf, 1);
		ck_assert(driver_wait(&d, TX, &id, &len));
		ck_assert_int_eq(config_interrupt(),
				 i == 1 || i == 2 || i == 4 || i == 8);
	}
}
END_TEST

UNIT_MAIN("console", setup_pipes, teardown, t)
{
	TCase *term = unit_case(suite, "terminal", setup_terminal, teardown);

	tcase_add_test(t, what_the_guest_says_comes_out);
	tcase_add_test(t, what_is_typed_goes_in);
	tcase_add_test(t, input_before_the_driver_waits_for_it);
	tcase_add_test(t, input_without_buffers_is_left_where_it_is);
	tcase_add_test(t, stuck_reader_holds_the_chain_and_loses_nothing);
	tcase_add_test(t, reset_with_a_chain_held_forgets_it);
	tcase_add_test(t, flood_is_cut_into_turns);
	tcase_add_test(t, emergency_byte_comes_out_without_a_driver);
	tcase_add_test(t, readable_receive_buffer_costs_the_device);
	tcase_add_test(term, what_the_guest_says_comes_out);
	tcase_add_test(term, what_is_typed_goes_in);
	tcase_add_test(term, a_guest_that_begins_to_print_hears_of_the_size);
	tcase_add_test(term, window_size_is_told_and_changes_interrupt);
}
