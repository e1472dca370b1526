/* SPDX-License-Identifier: Apache-2.0 */
/* test_net - what a network device receives, and its link. */
#include "tests/unit/net_fixture.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>

#include "devices/virtio/devices.h"
#include "tests/lib/unit.h"

/* ---- receiving ---- */

START_TEST(frame_is_received_with_its_header)
{
	post(buf, 2048);
	wire_send(FRAME);
	expect_received(FRAME, buf, 2048);
	ck_assert_uint_eq(d.dev->io.read_bytes, 60);
}
END_TEST

START_TEST(big_frame_is_merged_over_buffers_and_the_rest_is_kept)
{
	for (unsigned int i = 0; i < 60; i++)
		post(buf + 1536 * i, 1536);
	wire_send(BIG);
	expect_received(BIG, buf, 1536);
	wire_send(FRAME);
	expect_received(FRAME, buf + 1536 * ((BIG + 1535) / 1536), 1536);
	ck_assert(!driver_broken(&d));
}
END_TEST

/* hostile-guests 12: chains of all sizes; num_buffers lies across two of them */
START_TEST(header_cut_over_tiny_buffers_is_right)
{
	uint32_t id, len;
	uint8_t *p = driver_ptr(&d, buf, 200);

	for (unsigned int i = 0; i < 100; i++)
		post(buf + i, 1);
	wire_send(FRAME);
	for (unsigned int i = 0; i < FRAME; i++) {
		ck_assert(driver_wait(&d, NET_RX, &id, &len));
		ck_assert_uint_eq(len, 1);
	}
	ck_assert_uint_eq(header(buf)->num_buffers, FRAME);
	ck_assert_mem_eq(p + TAP_HDR_LEN, frame + TAP_HDR_LEN, 60);
	expect_no_used(NET_RX);
}
END_TEST

START_TEST(frame_larger_than_the_ring_waits_for_buffers)
{
	for (unsigned int i = 0; i < 10; i++)
		post(buf + 1536 * i, 1536);
	wire_send(BIG);
	expect_no_used(NET_RX);
	for (unsigned int i = 10; i < 30; i++)
		post(buf + 1536 * i, 1536);
	expect_no_used(NET_RX);
	for (unsigned int i = 30; i < 43; i++)
		post(buf + 1536 * i, 1536);
	expect_received(BIG, buf, 1536);
}
END_TEST

START_TEST(frame_that_waits_dies_with_a_reset)
{
	post(buf, 1536);
	wire_send(BIG);
	expect_no_used(NET_RX);
	ck_assert(driver_bring_up(&d, ~0ULL));
	for (unsigned int i = 0; i < 60; i++)
		post(buf + 1536 * i, 1536);
	expect_no_used(NET_RX);
	wire_send(FRAME);
	expect_received(FRAME, buf, 1536);
}
END_TEST

START_TEST(full_ring_of_tiny_buffers_loses_the_big_frame_only)
{
	for (unsigned int i = 0; i < 256; i++)
		post(buf + 100 * i, 100);
	wire_send(BIG);
	expect_no_used(NET_RX);
	wire_send(FRAME);
	expect_received(FRAME, buf, 100);
}
END_TEST

START_TEST(without_mergeable_buffers_a_frame_is_in_one)
{
	struct driver_buf b[] = {{buf, 12, true}, {buf + 12, 1514, true}};

	ck_assert(driver_bring_up(&d, NO_MRG));
	driver_send(&d, NET_RX, b, 2);
	wire_send(BIG); /* cannot be received: lost, and the buffer stays */
	expect_no_used(NET_RX);
	wire_send(TAP_HDR_LEN + 1514);
	expect_received(TAP_HDR_LEN + 1514, buf, 1526);
}
END_TEST

START_TEST(without_mergeable_buffers_a_frame_is_never_in_two)
{
	ck_assert(driver_bring_up(&d, NO_MRG));
	post(buf, 800);
	post(buf + 2048, 800);
	wire_send(TAP_HDR_LEN + 1000); /* lost: no buffer is large enough */
	expect_no_used(NET_RX);
	wire_send(FRAME);
	expect_received(FRAME, buf, 800);
}
END_TEST

START_TEST(flood_without_buffers_costs_nothing_and_ends_with_a_refill)
{
	uint64_t before;
	unsigned int n = 0;

	expect_no_used(NET_RX);
	while (write(wire, frame, FRAME) == FRAME)
		n++;
	ck_assert_uint_gt(n, 10);
	before = cpu_us();
	driver_run(&d, 100);
	ck_assert_uint_lt(cpu_us() - before, 50000);
	for (unsigned int i = 0; i < 100; i++)
		post(buf + 2048 * i, 2048);
	for (unsigned int i = 0; i < MIN(n, 100U); i++)
		expect_received(FRAME, buf + 2048 * i, 2048);
}
END_TEST

START_TEST(many_frames_come_in_order_through_a_small_ring)
{
	uint8_t *p = driver_ptr(&d, buf, 4 * 2048);
	unsigned int next = 0;
	uint32_t id, len;

	for (unsigned int i = 0; i < 4; i++)
		post(buf + 2048 * i, 2048);
	for (unsigned int sent = 0; next < 3000;) {
		while (sent < 3000 && sent - next < 50) {
			frame[TAP_HDR_LEN] = (uint8_t)sent++;
			wire_send(FRAME);
		}
		ck_assert(driver_wait(&d, NET_RX, &id, &len));
		ck_assert_uint_eq(p[2048 * (next % 4) + TAP_HDR_LEN], (uint8_t)next);
		post(buf + 2048 * (next++ % 4), 2048);
	}
}
END_TEST

/* One that comes alone is not kept until it is known that it was; the more come in a row,
 * the more the driver is shown together.
 */
static void expect_shown(uint16_t frames)
{
	uint16_t before = driver_used_idx(&d.ring[NET_RX]);

	(void)net_rx(&container_of(d.v, struct net, v)->pair[0]);
	ck_assert_uint_eq((uint16_t)(driver_used_idx(&d.ring[NET_RX]) - before), frames);
}

START_TEST(lone_frame_is_shown_at_once_and_a_flood_in_batches)
{
	for (unsigned int i = 0; i < 256; i++)
		post(buf + 2048 * i, 2048);
	driver_pump(&d);
	for (unsigned int i = 0; i < 150; i++)
		wire_send(FRAME);
	for (uint16_t n = 1; n <= NET_BATCH; n = (uint16_t)(2 * n))
		expect_shown(n);
	expect_shown(150 - 127);
	for (unsigned int i = 0; i < 3; i++) /* there was an end: from the beginning */
		wire_send(FRAME);
	expect_shown(1);
	expect_shown(2);
	expect_shown(0);
}
END_TEST

START_TEST(lone_large_frame_does_not_wait_for_the_next)
{
	uint16_t large = 4 * 1536;

	for (unsigned int i = 0; i < 6; i++)
		post(buf + 1536 * i, 1536);
	driver_pump(&d);
	wire_send(large);
	expect_shown(4);
	expect_received(large, buf, 1536);
	ck_assert(driver_bring_up(&d, ~0ULL)); /* nor does one that lacked buffers */
	post(buf, 1536);
	driver_pump(&d);
	wire_send(large);
	expect_shown(0);
	for (unsigned int i = 1; i < 4; i++)
		post(buf + 1536 * i, 1536);
	expect_received(large, buf, 1536);
}
END_TEST

START_TEST(frames_from_before_the_driver_are_dropped)
{
	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	wire_send(FRAME);
	wire_send(FRAME);
	ck_assert(driver_bring_up(&d, ~0ULL));
	post(buf, 2048);
	expect_no_used(NET_RX);
}
END_TEST

START_TEST(runts_are_dropped)
{
	post(buf, 2048);
	wire_send(TAP_HDR_LEN + 13);
	wire_send(3);
	wire_send(FRAME);
	expect_received(FRAME, buf, 2048);
}
END_TEST

START_TEST(readable_receive_buffer_costs_the_device)
{
	driver_send(&d, NET_RX, &(struct driver_buf){buf, 2048, false}, 1);
	wire_send(FRAME);
	driver_run(&d, 20);
	ck_assert(driver_broken(&d));
	ck_assert(driver_bring_up(&d, ~0ULL));
	post(buf, 2048);
	wire_send(FRAME);
	expect_received(FRAME, buf, 2048);
}
END_TEST

/* Frames that nobody takes are no reason to look at the tap again and again: it is not
 * even watched.  (CPU time would tell as well, but not on a busy machine.)
 */
static void expect_idle_with_frames(void)
{
	wire_send(FRAME);
	driver_run(&d, 20);
	ck_assert_uint_eq(container_of(d.v, struct net, v)->pair[0].source.events, 0);
}

START_TEST(broken_device_does_not_spin_on_frames)
{
	driver_send(&d, NET_RX, &(struct driver_buf){buf, 2048, false}, 1);
	wire_send(FRAME);
	driver_run(&d, 20);
	ck_assert(driver_broken(&d));
	expect_idle_with_frames();
}
END_TEST

START_TEST(driver_that_gave_up_does_not_leave_us_spinning)
{
	post(buf, 2048);
	driver_pump(&d);
	driver_write(&d, VIRTIO_MMIO_STATUS, driver_status(&d) | VIRTIO_CONFIG_S_FAILED);
	expect_idle_with_frames();
}
END_TEST

/* ---- the link ---- */

START_TEST(lost_tap_is_a_link_down_and_no_spinning)
{
	unsigned int at = VIRTIO_MMIO_CONFIG + offsetof(struct virtio_net_config, status);
	uint32_t id, len;
	uint64_t before;

	ck_assert_uint_eq(driver_read_n(&d, at, 2), VIRTIO_NET_S_LINK_UP);
	post(buf, 2048);
	close(wire);
	wire = -1;
	before = cpu_us();
	driver_run(&d, 100);
	ck_assert_uint_lt(cpu_us() - before, 50000);
	ck_assert_uint_eq(driver_read_n(&d, at, 2), 0);
	driver_send(&d, NET_TX, &(struct driver_buf){buf, FRAME, false}, 1);
	ck_assert(driver_wait(&d, NET_TX, &id, &len));
}
END_TEST

START_TEST(mac_is_stable_local_and_differs_by_name)
{
	uint64_t a, b;

	a = driver_read_n(&d, VIRTIO_MMIO_CONFIG, 4);
	ck_assert_uint_eq(a & 3, 2); /* locally administered, not a group */
	teardown();
	setup();
	ck_assert_uint_eq(driver_read_n(&d, VIRTIO_MMIO_CONFIG, 4), a);
	driver_fini(&d);
	struct tap tap = {.n = 1, .fd = {dup(wire)}, .name = "tap1"};

	driver_init(&d, RAM);
	d.cfg.nnet = 1;
	driver_plug(&d, net_create_on(&d.env, 0, &tap, &d.err));
	b = driver_read_n(&d, VIRTIO_MMIO_CONFIG, 4);
	ck_assert_uint_ne(a, b);
}
END_TEST

UNIT_MAIN("net", setup, teardown, t)
{
	tcase_add_test(t, frame_is_received_with_its_header);
	tcase_add_test(t, big_frame_is_merged_over_buffers_and_the_rest_is_kept);
	tcase_add_test(t, header_cut_over_tiny_buffers_is_right);
	tcase_add_test(t, frame_larger_than_the_ring_waits_for_buffers);
	tcase_add_test(t, frame_that_waits_dies_with_a_reset);
	tcase_add_test(t, full_ring_of_tiny_buffers_loses_the_big_frame_only);
	tcase_add_test(t, without_mergeable_buffers_a_frame_is_in_one);
	tcase_add_test(t, without_mergeable_buffers_a_frame_is_never_in_two);
	tcase_add_test(t, flood_without_buffers_costs_nothing_and_ends_with_a_refill);
	tcase_add_test(t, many_frames_come_in_order_through_a_small_ring);
	tcase_add_test(t, lone_frame_is_shown_at_once_and_a_flood_in_batches);
	tcase_add_test(t, lone_large_frame_does_not_wait_for_the_next);
	tcase_add_test(t, frames_from_before_the_driver_are_dropped);
	tcase_add_test(t, runts_are_dropped);
	tcase_add_test(t, readable_receive_buffer_costs_the_device);
	tcase_add_test(t, broken_device_does_not_spin_on_frames);
	tcase_add_test(t, driver_that_gave_up_does_not_leave_us_spinning);
	tcase_add_test(t, lost_tap_is_a_link_down_and_no_spinning);
	tcase_add_test(t, mac_is_stable_local_and_differs_by_name);
}
