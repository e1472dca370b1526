/* SPDX-License-Identifier: Apache-2.0 */
/* test_net_tx - what a network device sends, one by one and by io_uring. */
#include "tests/unit/net_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/unit.h"

START_TEST(sent_frame_is_on_the_wire)
{
	uint32_t id, len;

	memcpy(driver_ptr(&d, buf, FRAME), frame, FRAME);
	driver_send(&d, NET_TX, &(struct driver_buf){buf, FRAME, false}, 1);
	ck_assert(driver_wait(&d, NET_TX, &id, &len));
	ck_assert_uint_eq(len, 0);
	wire_expect(FRAME);
	ck_assert_uint_eq(d.dev->io.written_bytes, 60);
}
END_TEST

START_TEST(sent_frame_may_be_cut_anywhere)
{
	struct driver_buf b[] = {
		{buf, 5, false}, {buf + 5, 8, false}, {buf + 13, BIG - 13, false}};
	uint32_t id, len;

	memcpy(driver_ptr(&d, buf, BIG), frame, BIG);
	driver_send(&d, NET_TX, b, 3);
	ck_assert(driver_wait(&d, NET_TX, &id, &len));
	wire_expect(BIG);
}
END_TEST

/* hostile-guests 14, 18: headers of 0-11 bytes, runts, frames of any size */
START_TEST(frames_that_are_none_are_dropped)
{
	static const uint32_t bad[] = {1, 11, 12, 13, 25, NET_READ_MAX + 1, 16 * MIB};
	uint32_t id, len;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		driver_send(&d, NET_TX, &(struct driver_buf){0x1000, bad[i], false}, 1);
		ck_assert(driver_wait(&d, NET_TX, &id, &len));
		no_frame_on_the_wire();
	}
	driver_send(&d, NET_TX, &(struct driver_buf){buf, FRAME, true},
		    1); /* not readable */
	ck_assert(driver_wait(&d, NET_TX, &id, &len));
	no_frame_on_the_wire();
	ck_assert(!driver_broken(&d));
}
END_TEST

START_TEST(full_wire_holds_frames_back_and_loses_none)
{
	unsigned int sent = 0, got = 0;
	uint8_t tmp[FRAME];
	uint64_t before;
	uint32_t id, len;

	memcpy(driver_ptr(&d, buf, FRAME), frame, FRAME);
	for (;;) {
		uint16_t used = driver_used_idx(&d.ring[NET_TX]);

		if (driver_send(&d, NET_TX, &(struct driver_buf){buf, FRAME, false}, 1) <
		    0)
			break;
		sent++;
		driver_pump(&d);
		if (driver_used_idx(&d.ring[NET_TX]) != used)
			ck_assert(driver_used(&d.ring[NET_TX], &id, &len));
	}
	before = cpu_us();
	driver_run(&d, 100);
	ck_assert_uint_lt(cpu_us() - before, 50000);
	while (read(wire, tmp, sizeof(tmp)) == (ssize_t)sizeof(tmp)) {
		got++;
		driver_pump(&d);
	}
	ck_assert_uint_eq(got, sent);
}
END_TEST

/* ---- several at once, by the loop's io_uring ---- */

static struct ring *ring;
static unsigned int nresult;
static int fail_with; /* of every third frame; 0: none fails */

static int count_result(const struct ring_op *op, int res)
{
	(void)op;
	return ++nresult % 3 || !fail_with ? res : -fail_with;
}

static unsigned int nsubmit;
static bool refuse; /* all submissions */

static int count_submit(struct io_uring *u)
{
	nsubmit++;
	return refuse ? -EAGAIN : io_uring_submit(u);
}

static const struct ring_sys counting = {.setup = io_uring_queue_init_params,
					 .submit = count_submit,
					 .result = count_result,
					 .patience_ms = 60000};

static void setup_ring(void)
{
	nresult = 0;
	nsubmit = 0;
	fail_with = 0;
	refuse = false;
	ring_sys = &counting;
	setup();
	ring = d.env.ring = ring_create(d.loop);
}

static void teardown_ring(void)
{
	driver_unplug(&d);
	ring_destroy(ring);
	teardown();
	ring_sys = &ring_sys_host;
}

static const struct net_tx *tx(void)
{
	return &container_of(d.v, struct net, v)->pair[0].tx;
}

/* @count frames, each with its number after the header; in two pieces if @cut */
static void add_numbered(unsigned int first, unsigned int count, bool cut)
{
	for (unsigned int i = first; i < first + count; i++) {
		gpa_t at = buf + 128 * i;
		struct driver_buf b[] = {{at, TAP_HDR_LEN, false},
					 {at + TAP_HDR_LEN, FRAME - TAP_HDR_LEN, false}};
		struct driver_buf whole = {at, FRAME, false};

		memcpy(driver_ptr(&d, at, FRAME), frame, FRAME);
		memcpy(driver_ptr(&d, at + TAP_HDR_LEN, sizeof(i)), &i, sizeof(i));
		ck_assert_int_ge(
			driver_add(&d.ring[NET_TX], cut ? b : &whole, cut ? 2 : 1), 0);
	}
}

static void send_added(void)
{
	(void)driver_publish(&d.ring[NET_TX]);
	driver_kick(&d, NET_TX);
	driver_pump(&d);
}

static void send_numbered(unsigned int first, unsigned int count, bool cut)
{
	add_numbered(first, count, cut);
	send_added();
}

static void expect_used(unsigned int count)
{
	uint32_t id, len;

	for (unsigned int i = 0; i < count; i++)
		ck_assert(driver_used(&d.ring[NET_TX], &id, &len));
	ck_assert(!driver_used(&d.ring[NET_TX], &id, &len));
}

/* Return: the number of the next frame on the wire; -1: there is none */
static int wire_number(void)
{
	uint8_t got[FRAME];
	int i;

	if (read(wire, got, sizeof(got)) != FRAME)
		return -1;
	memcpy(&i, got + TAP_HDR_LEN, sizeof(i));
	return i;
}

START_TEST(frames_sent_together_stay_in_order)
{
	add_numbered(0, 50, false);
	add_numbered(50, 10, true); /* not by the ring, and after the others */
	add_numbered(60, 50, false);
	send_added();
	expect_used(110);
	for (int i = 0; i < 110; i++)
		ck_assert_int_eq(wire_number(), i);
	ck_assert_int_eq(wire_number(), -1);
	ck_assert_uint_eq(nresult, 100);
	ck_assert_uint_eq(d.dev->io.requests, 110);
	ck_assert_uint_eq(d.dev->io.written_bytes, 110 * 60);
}
END_TEST

START_TEST(few_frames_open_no_ring)
{
	for (unsigned int i = 0; i < 10; i++)
		send_numbered(i, 2, false);
	expect_used(20);
	ck_assert_uint_eq(nresult, 0);
	ck_assert_int_eq(tx()->ring, NET_RING_UNUSED);
}
END_TEST

START_TEST(frame_that_the_host_refuses_is_lost_alone)
{
	fail_with = ENOMEM;
	send_numbered(0, 30, false);
	expect_used(30);
	ck_assert_uint_eq(d.dev->io.requests, 20);
	ck_assert_int_eq(tx()->ring, NET_RING_USED);
	ck_assert(!driver_broken(&d));
}
END_TEST

/* The kernel said that there is no room: such a frame is written again, and the ring is
 * for taps that always have room.
 */
START_TEST(frame_without_room_is_kept_and_ends_the_ring)
{
	bool seen[30] = {false};

	fail_with = EAGAIN;
	send_numbered(0, 30, false);
	expect_used(30);
	for (int i; (i = wire_number()) >= 0;)
		seen[i] = true;
	for (unsigned int i = 0; i < 30; i++)
		ck_assert(seen[i]);
	ck_assert_int_eq(tx()->ring, NET_RING_OFF);
	send_numbered(30, 30, false);
	expect_used(30);
	ck_assert_uint_eq(nresult, 30);
}
END_TEST

/* A disk has patience with such a kernel; the loop, which is here, has none */
START_TEST(kernel_that_takes_nothing_holds_nobody_up)
{
	refuse = true;
	send_numbered(0, 30, false);
	expect_used(30);
	for (int i = 0; i < 30; i++)
		ck_assert_int_eq(wire_number(), i);
	ck_assert_uint_le(nsubmit, 2);
	ck_assert_int_eq(tx()->ring, NET_RING_OFF);
}
END_TEST

START_TEST(full_wire_keeps_frames_for_later_and_loses_none)
{
	unsigned int sent = 0, got = 0;
	uint32_t id, len;

	while (driver_used_idx(&d.ring[NET_TX]) == (uint16_t)sent) {
		send_numbered(sent % 256, 8, false);
		sent += 8;
		while (driver_used(&d.ring[NET_TX], &id, &len))
			;
	}
	for (int i; (i = wire_number()) >= 0; driver_pump(&d))
		ck_assert_int_eq(i, (int)(got++ % 256));
	ck_assert_uint_eq(got, sent);
}
END_TEST

START_TEST(frames_that_are_kept_die_with_a_reset)
{
	uint32_t id, len;

	while (!tx()->n) {
		send_numbered(0, 8, false);
		while (driver_used(&d.ring[NET_TX], &id, &len))
			;
	}
	ck_assert(driver_bring_up(&d, ~0ULL));
	while (wire_number() >= 0)
		;
	driver_pump(&d);
	ck_assert_int_eq(wire_number(), -1);
	send_numbered(7, 1, false);
	expect_used(1);
	ck_assert_int_eq(wire_number(), 7);
}
END_TEST

/* A lying chain after good ones costs the device; the good ones were sent */
START_TEST(frames_before_a_lie_are_sent)
{
	driver_add(&d.ring[NET_TX], &(struct driver_buf){buf, FRAME, false}, 1);
	driver_add(&d.ring[NET_TX], &(struct driver_buf){buf, 0, false}, 1);
	memcpy(driver_ptr(&d, buf, FRAME), frame, FRAME);
	(void)driver_publish(&d.ring[NET_TX]);
	driver_kick(&d, NET_TX);
	driver_pump(&d);
	ck_assert(driver_broken(&d));
	wire_expect(FRAME);
}
END_TEST

static void add_ring_tests(TCase *t)
{
	tcase_add_test(t, frames_sent_together_stay_in_order);
	tcase_add_test(t, few_frames_open_no_ring);
	tcase_add_test(t, frame_that_the_host_refuses_is_lost_alone);
	tcase_add_test(t, frame_without_room_is_kept_and_ends_the_ring);
	tcase_add_test(t, kernel_that_takes_nothing_holds_nobody_up);
	tcase_add_test(t, full_wire_keeps_frames_for_later_and_loses_none);
	tcase_add_test(t, frames_that_are_kept_die_with_a_reset);
	tcase_add_test(t, frames_before_a_lie_are_sent);
}

UNIT_MAIN("net_tx", setup, teardown, t)
{
	TCase *by_ring = unit_case(suite, "by-ring", setup_ring, teardown_ring);

	tcase_add_test(t, sent_frame_is_on_the_wire);
	tcase_add_test(t, sent_frame_may_be_cut_anywhere);
	tcase_add_test(t, frames_that_are_none_are_dropped);
	tcase_add_test(t, full_wire_holds_frames_back_and_loses_none);
	if (ring_probe() == 0)
		add_ring_tests(by_ring);
	else
		puts("SKIPPED: by-ring (no io_uring here)");
}
