/* SPDX-License-Identifier: Apache-2.0 */
/* test_net_control - pairs of queues and the control queue, on a real tap. */
#include "tests/unit/net_fixture.h"
#include "tests/unit/tap_fixture.h"

#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <linux/virtio_mmio.h>

#include "devices/virtio/devices.h"
#include "tests/lib/unit.h"

#define PAIRS   3
#define CONTROL (2 * PAIRS)
#define NO_MQ   (~(1ULL << VIRTIO_NET_F_MQ))
#define TSO     (1ULL << VIRTIO_NET_F_GUEST_CSUM | 1ULL << VIRTIO_NET_F_GUEST_TSO4)

static gpa_t cmd; /* a page: the command, and in its middle the answer */

static void setup_tap(void)
{
	struct config_net net = {.tap = (char[]){"mvtest0"}, .fd = -1};
	struct err e = {0};
	struct tap tap;

	log_threshold = LOG_ERROR;
	enter_namespace();
	driver_init(&d, RAM);
	d.cfg.nnet = 1;
	d.cfg.net[0] = net;
	ck_assert_msg(tap_open(&tap, &d.cfg, 0, PAIRS, &e) == 0, "%s", e.msg);
	ck_assert_uint_eq(tap.n, PAIRS);
	driver_plug(&d, net_create_on(&d.env, 0, &tap, &d.err));
	ck_assert(driver_bring_up(&d, ~0ULL));
	buf = driver_alloc(&d, MIB, 4096);
	cmd = driver_alloc(&d, 4096, 4096);
	memset(driver_ptr(&d, buf, FRAME), 0, FRAME);
	memset(driver_ptr(&d, buf + TAP_HDR_LEN, 12), 0x02, 12);
}

static void teardown_tap(void)
{
	driver_fini(&d);
}

static const struct net *device(void)
{
	return container_of(d.v, struct net, v);
}

/* @len bytes of a command, and room for @room of an answer, in queue @qi.
 * Return: the answer; -1: none, the device is broken; it is a byte whatever room there is
 */
static int command_in(unsigned int qi, const void *bytes, uint32_t len, uint32_t room)
{
	const gpa_t at = cmd + 2048;
	struct driver_buf b[] = {{cmd, len, false}, {at, room, true}};
	uint8_t *answer = driver_ptr(&d, at, 16);
	uint32_t id, used;

	memset(answer, 0xee, 16);
	if (len)
		memcpy(driver_ptr(&d, cmd, len), bytes, len);
	driver_send(&d, qi, len ? b : b + 1, len && room ? 2 : 1);
	driver_pump(&d);
	if (!driver_used(&d.ring[qi], &id, &used)) {
		ck_assert(driver_broken(&d));
		return -1;
	}
	ck_assert_uint_eq(used, 1);
	ck_assert_uint_eq(answer[1], 0xee);
	return answer[0];
}

struct pairs {
	struct virtio_net_ctrl_hdr h;
	uint16_t n;
} __attribute__((packed));

static int set_pairs(uint16_t n)
{
	struct pairs p = {{VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET}, n};

	return command_in(CONTROL, &p, sizeof(p), 1);
}

struct offloads {
	struct virtio_net_ctrl_hdr h;
	uint64_t bits;
} __attribute__((packed));

static int set_offloads(uint64_t bits)
{
	struct offloads o = {
		{VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET},
		bits};

	return command_in(CONTROL, &o, sizeof(o), 1);
}

/* One frame by pair @i.  Return: did it come out of the tap, and back to the driver? */
static bool send_by(unsigned int i)
{
	unsigned long before = interface_received("mvtest0");
	uint32_t id, len;

	driver_send(&d, 2 * i + NET_TX, &(struct driver_buf){buf, FRAME, false}, 1);
	driver_pump(&d);
	return driver_used(&d.ring[2 * i + NET_TX], &id, &len) &&
	       interface_received("mvtest0") == before + 1;
}

/* Each change of an interface is told to all of the host that listen, under the one lock of
 * its networks; a reset costs nothing of that.
 */
START_TEST(resets_change_nothing_on_the_host)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
		       NETLINK_ROUTE);
	unsigned int told = 0;
	char msg[8192];

	ck_assert_int_eq(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
	for (unsigned int i = 0; i < 20; i++)
		ck_assert(driver_bring_up(&d, ~0ULL));
	while (recv(s, msg, sizeof(msg), 0) > 0)
		told++;
	ck_assert_uint_eq(told, 0);
	ck_assert(driver_bring_up(&d, ~TSO)); /* but it is as the next driver wants it */
	while (recv(s, msg, sizeof(msg), 0) > 0)
		told++;
	ck_assert_uint_ge(told, 1);
	close(s);
}
END_TEST

/* The host sends one frame by the tap */
static void host_sends(void)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_ifindex = (int)if_nametoindex("mvtest0")};
	int s = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	uint8_t bytes[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, [12] = 0x88, 0xb5};

	ck_assert_int_eq(
		sendto(s, bytes, sizeof(bytes), 0, (struct sockaddr *)&to, sizeof(to)),
		sizeof(bytes));
	close(s);
}

/* Nor does it help to want another thing each time: the burst, and then it is a matter of
 * time, in which nothing comes that the driver might not understand
 */
START_TEST(a_storm_of_resets_waits)
{
	uint64_t start = monotonic_ns(), end = start + 10000000000ULL;
	unsigned int told = 0;
	uint64_t last = 0;
	uint32_t id, len;

	for (unsigned int i = 0; i < 40; i++) {
		ck_assert(driver_bring_up(&d, i % 2 ? ~TSO : ~0ULL));
		told += device()->tap.told != last;
		last = device()->tap.told;
	}
	ck_assert_uint_ge(told, 15);
	ck_assert_uint_le(told, 18 + (monotonic_ns() - start) / 20000000);
	while (!device()->waits) { /* on a slow machine there were tokens again */
		ck_assert(monotonic_ns() < end);
		ck_assert(driver_bring_up(&d, told++ % 2 ? ~TSO : ~0ULL));
	}
	driver_send(&d, NET_RX, &(struct driver_buf){buf, 4096, true}, 1);
	host_sends();
	driver_pump(&d);
	ck_assert_uint_eq(driver_used_idx(&d.ring[NET_RX]), 0);
	ck_assert(send_by(0)); /* it can send */
	while (device()->waits) {
		ck_assert(monotonic_ns() < end);
		driver_run(&d, 1);
	}
	ck_assert_uint_eq(device()->tap.told, device()->offloads);
	host_sends();
	ck_assert(driver_wait(&d, NET_RX, &id, &len));
	ck_assert_uint_ge(len, TAP_HDR_LEN + ETH_HLEN);
}
END_TEST

START_TEST(a_pair_for_each_queue_of_the_tap)
{
	unsigned int at = VIRTIO_MMIO_CONFIG +
			  offsetof(struct virtio_net_config, max_virtqueue_pairs);

	ck_assert_uint_eq(driver_read_n(&d, at, 2), PAIRS);
	ck_assert_uint_eq(d.v->nvq, CONTROL + 1);
	ck_assert(send_by(0));
	ck_assert_int_eq(set_pairs(PAIRS), VIRTIO_NET_OK);
	for (unsigned int i = 0; i < PAIRS; i++)
		ck_assert(send_by(i));
}
END_TEST

START_TEST(a_pair_out_of_use_waits)
{
	uint32_t id, len;

	ck_assert(!send_by(1));
	driver_run(&d, 20);
	ck_assert(!driver_used(&d.ring[3], &id, &len));
	ck_assert_uint_eq(device()->pair[1].source.events, 0);
	ck_assert_int_eq(set_pairs(2), VIRTIO_NET_OK);
	ck_assert(driver_used(&d.ring[3], &id, &len));
	ck_assert_int_eq(set_pairs(1), VIRTIO_NET_OK);
	ck_assert(!send_by(1));
	ck_assert(send_by(0));
}
END_TEST

START_TEST(impossible_numbers_of_pairs_are_refused)
{
	ck_assert_int_eq(set_pairs(2), VIRTIO_NET_OK);
	ck_assert_int_eq(set_pairs(0), VIRTIO_NET_ERR);
	ck_assert_int_eq(set_pairs(PAIRS + 1), VIRTIO_NET_ERR);
	ck_assert_int_eq(set_pairs(UINT16_MAX), VIRTIO_NET_ERR);
	ck_assert_uint_eq(device()->used, 2);
}
END_TEST

START_TEST(commands_of_other_lengths_are_refused)
{
	static const uint8_t c[64] = {VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET,
				      2};

	for (uint32_t len = 0; len < sizeof(c); len++)
		ck_assert_int_eq(command_in(CONTROL, c, len, 1),
				 len == 4 ? VIRTIO_NET_OK : VIRTIO_NET_ERR);
	ck_assert_int_eq(command_in(CONTROL, c, 4, 2000), VIRTIO_NET_OK);
	ck_assert(!driver_broken(&d));
}
END_TEST

START_TEST(commands_that_nobody_knows_are_refused)
{
	for (unsigned int i = 0; i < 256; i++) {
		uint8_t c[] = {(uint8_t)i, 1, 1, 0};

		ck_assert_int_eq(command_in(CONTROL, c, sizeof(c), 1), VIRTIO_NET_ERR);
	}
}
END_TEST

/* Each change is half a millisecond of the host's, with all its networks locked: who asks for
 * many is answered, but later
 */
START_TEST(a_storm_of_changes_waits)
{
	unsigned int answered = 0;
	uint32_t id, len;

	for (uint16_t i = 0; i < 30; i++) {
		struct pairs p = {{VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET},
				  (uint16_t)(1 + i % 2)};
		gpa_t at = cmd + 8 * i;
		struct driver_buf b[] = {{at, sizeof(p), false},
					 {cmd + 2048 + i, 1, true}};

		memcpy(driver_ptr(&d, at, sizeof(p)), &p, sizeof(p));
		driver_add(&d.ring[CONTROL], b, 2);
	}
	(void)driver_publish(&d.ring[CONTROL]);
	driver_kick(&d, CONTROL);
	driver_pump(&d);
	while (driver_used(&d.ring[CONTROL], &id, &len))
		answered++;
	ck_assert_uint_ge(answered, 16); /* the burst, and what changed nothing */
	ck_assert_uint_le(answered, 20);
	ck_assert(send_by(0));
	for (; answered < 30; answered++)
		ck_assert(driver_wait(&d, CONTROL, &id, &len));
	ck_assert_uint_eq(*(uint8_t *)driver_ptr(&d, cmd + 2048 + 29, 1), VIRTIO_NET_OK);
	ck_assert_uint_eq(device()->used, 2);
}
END_TEST

START_TEST(command_without_room_for_an_answer_costs_the_device)
{
	ck_assert_int_eq(command_in(CONTROL, "\4\0\1\0", 4, 0), -1);
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert_int_eq(set_pairs(2), VIRTIO_NET_OK);
}
END_TEST

START_TEST(without_multiqueue_control_is_the_third_queue)
{
	struct pairs p = {{VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET}, 1};
	struct offloads o = {{VIRTIO_NET_CTRL_GUEST_OFFLOADS, 0}, TSO};

	ck_assert(driver_bring_up(&d, NO_MQ));
	ck_assert_int_eq(command_in(2, &p, sizeof(p), 1), VIRTIO_NET_ERR);
	ck_assert_int_eq(command_in(2, &o, sizeof(o), 1), VIRTIO_NET_OK);
	ck_assert(driver_bring_up(&d, NO_MQ & ~(1ULL << VIRTIO_NET_F_CTRL_VQ)));
	driver_send(&d, 2, &(struct driver_buf){cmd, 4, false}, 1);
	driver_pump(&d);
	ck_assert(!driver_broken(&d));
	ck_assert_uint_eq(driver_used_idx(&d.ring[2]), 0);
}
END_TEST

START_TEST(offloads_within_what_was_negotiated)
{
	uint64_t all = device()->tap.offloads;

	ck_assert_uint_eq(device()->offloads, all);
	ck_assert_int_eq(set_offloads(TSO), VIRTIO_NET_OK);
	ck_assert_uint_eq(device()->offloads, TSO);
	ck_assert_int_eq(set_offloads(0), VIRTIO_NET_OK);
	ck_assert_int_eq(set_offloads(all), VIRTIO_NET_OK);
	ck_assert_int_eq(set_offloads(all | 1ULL << VIRTIO_NET_F_MAC), VIRTIO_NET_ERR);
	ck_assert_int_eq(set_offloads(UINT64_MAX), VIRTIO_NET_ERR);
	ck_assert_uint_eq(device()->offloads, all);
	ck_assert(driver_bring_up(&d, ~(1ULL << VIRTIO_NET_F_GUEST_TSO4)));
	ck_assert_int_eq(set_offloads(TSO), VIRTIO_NET_ERR);
	ck_assert(driver_bring_up(&d, ~(1ULL << VIRTIO_NET_F_CTRL_GUEST_OFFLOADS)));
	ck_assert_int_eq(set_offloads(0), VIRTIO_NET_ERR);
}
END_TEST

START_TEST(reset_goes_back_to_one_pair_and_no_offloads)
{
	ck_assert_int_eq(set_pairs(PAIRS), VIRTIO_NET_OK);
	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	ck_assert_uint_eq(device()->used, 1);
	ck_assert_uint_eq(device()->offloads, 0);
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert(send_by(0));
	ck_assert(!send_by(2));
}
END_TEST

START_TEST(pairs_and_offloads_are_part_of_the_state)
{
	uint8_t image[2048];
	struct state s;

	ck_assert_int_eq(set_pairs(2), VIRTIO_NET_OK);
	ck_assert_int_eq(set_offloads(TSO), VIRTIO_NET_OK);
	state_saver(&s, image, sizeof(image));
	d.dev->ops->state(d.dev, &s);
	ck_assert_ptr_null(s.why);
	d.dev->ops->reset(d.dev);
	ck_assert_uint_eq(device()->used, 1);
	state_loader(&s, image, s.pos);
	d.dev->ops->state(d.dev, &s);
	ck_assert_ptr_null(s.why);
	ck_assert_uint_eq(device()->used, 2);
	ck_assert_uint_eq(device()->offloads, TSO);
	ck_assert(send_by(1));
	image[s.pos - 10] = PAIRS + 1; /* 2 bytes of pairs, 8 of offloads are the last */
	state_loader(&s, image, s.pos);
	d.dev->ops->state(d.dev, &s);
	ck_assert_ptr_nonnull(s.why);
}
END_TEST

static void add_tests(TCase *t)
{
	tcase_add_test(t, a_pair_for_each_queue_of_the_tap);
	tcase_add_test(t, resets_change_nothing_on_the_host);
	tcase_add_test(t, a_storm_of_resets_waits);
	tcase_add_test(t, a_pair_out_of_use_waits);
	tcase_add_test(t, impossible_numbers_of_pairs_are_refused);
	tcase_add_test(t, commands_of_other_lengths_are_refused);
	tcase_add_test(t, commands_that_nobody_knows_are_refused);
	tcase_add_test(t, a_storm_of_changes_waits);
	tcase_add_test(t, command_without_room_for_an_answer_costs_the_device);
	tcase_add_test(t, without_multiqueue_control_is_the_third_queue);
	tcase_add_test(t, offloads_within_what_was_negotiated);
	tcase_add_test(t, reset_goes_back_to_one_pair_and_no_offloads);
	tcase_add_test(t, pairs_and_offloads_are_part_of_the_state);
}

UNIT_MAIN("net_control", setup_tap, teardown_tap, t)
{
	if (have_namespace())
		add_tests(t);
	else
		puts("SKIPPED: real-tap (no network namespace or no /dev/net/tun here)");
}
