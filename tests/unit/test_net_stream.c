/* SPDX-License-Identifier: Apache-2.0 */
/* A network card over a stream socket, through its registers; the test is the other end. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <linux/virtio_mmio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/virtio/net.h"
#include "tests/lib/driver.h"
#include "tests/lib/unit.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

#define RAM   (16 * MIB)
#define FRAME (TAP_HDR_LEN + 60)
#define MANY  200 /* more than a batch, less than the ring */

static struct driver d;
static int peer;
static gpa_t buf;

/* Card @i over a new pair of sockets */
static void plug(unsigned int i)
{
	int pair[2];

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
		0);
	peer = pair[1];
	driver_init(&d, RAM);
	d.cfg.nnet = i + 1;
	d.cfg.net[i].fd = -1;
	driver_plug(&d, net_create_stream(&d.env, i, pair[0], &d.err));
	ck_assert(driver_bring_up(&d, ~0ULL));
	buf = driver_alloc(&d, MIB, 4096);
}

static void setup(void)
{
	log_threshold = LOG_ERROR;
	plug(0);
}

static void teardown(void)
{
	driver_fini(&d);
	if (peer >= 0)
		close(peer);
}

static void say_frame(uint8_t fill)
{
	uint8_t frame[64] = {0, 0, 0, 60};

	memset(frame + 4, fill, 60);
	ck_assert_int_eq(write(peer, frame, sizeof(frame)), (ssize_t)sizeof(frame));
}

/* Return: there was one */
static bool hear_frame(void)
{
	uint8_t got[64];
	ssize_t n = read(peer, got, sizeof(got));

	if (n < 0 && errno == EAGAIN)
		return false;
	ck_assert_int_eq(n, sizeof(got));
	ck_assert(got[2] == 0 && got[3] == 60 && got[4] == 7 && got[63] == 7);
	return true;
}

static void post(unsigned int i)
{
	const struct driver_buf b = {buf + (gpa_t)(i * 128), 128, true};

	ck_assert_int_ge(driver_send(&d, NET_RX, &b, 1), 0);
}

START_TEST(what_needs_a_header_on_the_wire_is_not_offered)
{
	static const unsigned int needs[] = {
		VIRTIO_NET_F_CSUM,       VIRTIO_NET_F_HOST_TSO4,  VIRTIO_NET_F_HOST_TSO6,
		VIRTIO_NET_F_GUEST_CSUM, VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_F_GUEST_TSO6,
	};
	uint64_t offered = driver_offered(&d);

	ck_assert(offered & 1ULL << VIRTIO_NET_F_STATUS);
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++)
		ck_assert(!(offered & 1ULL << needs[i]));
}
END_TEST

START_TEST(every_frame_reaches_the_driver_however_late_its_buffer_is)
{
	uint32_t id, len;

	for (unsigned int i = 0; i < MANY; i++)
		say_frame((uint8_t)i);
	for (unsigned int i = 0; i < MANY; i++) {
		uint8_t *p = driver_ptr(&d, buf + (gpa_t)(i * 128), 128);

		post(i);
		ck_assert_msg(driver_wait(&d, NET_RX, &id, &len), "frame %u", i);
		ck_assert_uint_eq(len, FRAME);
		ck_assert(p[TAP_HDR_LEN] == (uint8_t)i && p[FRAME - 1] == (uint8_t)i);
		ck_assert_uint_eq(p[10], 1); /* num_buffers */
	}
}
END_TEST

/* The ring has buffers for all: what was read ahead may not wait for the socket */
START_TEST(frames_behind_a_batch_need_no_other_wake)
{
	uint32_t id, len;

	for (unsigned int i = 0; i < MANY; i++)
		post(i);
	for (unsigned int i = 0; i < MANY; i++)
		say_frame((uint8_t)i);
	for (unsigned int i = 0; i < MANY; i++)
		ck_assert_msg(driver_wait(&d, NET_RX, &id, &len), "frame %u", i);
}
END_TEST

START_TEST(slow_peer_holds_frames_back_and_loses_none)
{
	unsigned int sent = 0, done = 0, heard = 0;
	uint32_t id, len;

	memset(driver_ptr(&d, buf, FRAME), 7, FRAME);
	for (;;) {
		const struct driver_buf b = {buf, FRAME, false};

		if (driver_send(&d, NET_TX, &b, 1) < 0)
			break; /* the ring is full of what the socket does not take */
		sent++;
		driver_pump(&d);
		while (driver_used(&d.ring[NET_TX], &id, &len))
			done++;
	}
	ck_assert_uint_gt(done, 0);
	ck_assert_uint_lt(done, sent);
	for (unsigned int quiet = 0; quiet < 3; quiet++) {
		while (hear_frame()) {
			heard++;
			quiet = 0;
			driver_pump(&d);
		}
		driver_run(&d, 5);
	}
	while (driver_used(&d.ring[NET_TX], &id, &len))
		done++;
	ck_assert_uint_eq(heard, sent);
	ck_assert_uint_eq(done, sent);
}
END_TEST

START_TEST(peer_that_leaves_or_lies_costs_the_link_only)
{
	static const uint8_t lie[] = {0xff, 0xff, 0xff, 0xff};
	const struct driver_buf b = {buf, FRAME, false};
	uint32_t id, len;

	for (unsigned int lies = 0; lies < 2; lies++) {
		post(0);
		driver_run(&d, 5);
		ck_assert_uint_eq(driver_read_n(&d, VIRTIO_MMIO_CONFIG + 6, 2),
				  VIRTIO_NET_S_LINK_UP);
		if (lies) {
			ck_assert_int_eq(write(peer, lie, sizeof(lie)), sizeof(lie));
		} else {
			close(peer);
			peer = -1;
		}
		driver_run(&d, 20);
		ck_assert_uint_eq(driver_read_n(&d, VIRTIO_MMIO_CONFIG + 6, 2), 0);
		ck_assert(!driver_broken(&d));
		/* what is sent now is lost, and the driver gets its buffer back */
		driver_send(&d, NET_TX, &b, 1);
		ck_assert(driver_wait(&d, NET_TX, &id, &len));
		teardown();
		plug(0);
	}
}
END_TEST

START_TEST(two_cards_of_a_machine_have_two_addresses)
{
	uint64_t first = driver_read_n(&d, VIRTIO_MMIO_CONFIG, 4);

	teardown();
	plug(1);
	ck_assert_uint_ne(driver_read_n(&d, VIRTIO_MMIO_CONFIG, 4), first);
}
END_TEST

UNIT_MAIN("net_stream", setup, teardown, t)
{
	tcase_add_test(t, what_needs_a_header_on_the_wire_is_not_offered);
	tcase_add_test(t, every_frame_reaches_the_driver_however_late_its_buffer_is);
	tcase_add_test(t, frames_behind_a_batch_need_no_other_wake);
	tcase_add_test(t, slow_peer_holds_frames_back_and_loses_none);
	tcase_add_test(t, peer_that_leaves_or_lies_costs_the_link_only);
	tcase_add_test(t, two_cards_of_a_machine_have_two_addresses);
}
