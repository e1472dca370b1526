/* SPDX-License-Identifier: Apache-2.0 */
/* test_vsock_lies - guests that break the rules lose a connection, or the device. */
#include "tests/lib/unit.h"
#include "tests/unit/vsock_fixture.h"

/* ---- a connection is lost, no more ---- */

static int server, fd, other;

static void setup_two(void)
{
	setup();
	server = serve();
	other = connected(server, GPORT + 1);
	fd = connected(server, GPORT);
}

static void teardown_two(void)
{
	close(fd);
	close(other);
	close(server);
	teardown();
}

static void expect_reset(void)
{
	char c;

	expect(VIRTIO_VSOCK_OP_RST, GPORT, PORT);
	ck_assert_int_eq(host_read(fd, &c, 1), 0);
	expect_alive(other, GPORT + 1, PORT);
}

START_TEST(data_beyond_the_credit)
{
	uint32_t credit = got.buf_alloc, sent = 0;

	while (sent < 4 * ROOM) {
		say_data(GPORT, PORT, bytes, 4096);
		sent += 4096;
		if (receive_ready() && got.op == VIRTIO_VSOCK_OP_RST)
			break;
	}
	ck_assert_uint_eq(got.op, VIRTIO_VSOCK_OP_RST);
	ck_assert_uint_gt(sent, credit);
	expect_alive(other, GPORT + 1, PORT);
}
END_TEST

START_TEST(one_packet_beyond_the_credit)
{
	say_data(GPORT, PORT, bytes, got.buf_alloc + 1);
	expect_reset();
}
END_TEST

START_TEST(credit_for_what_was_never_sent)
{
	struct virtio_vsock_hdr h = header(VIRTIO_VSOCK_OP_CREDIT_UPDATE, GPORT, PORT);

	h.fwd_cnt = 1;
	transmit(&h, NULL, 0);
	expect_reset();
}
END_TEST

START_TEST(data_after_its_end)
{
	say_shut(GPORT, PORT, VIRTIO_VSOCK_SHUTDOWN_SEND);
	say_data(GPORT, PORT, "x", 1);
	expect_reset();
}
END_TEST

static const uint16_t out_of_place[] = {VIRTIO_VSOCK_OP_INVALID, VIRTIO_VSOCK_OP_REQUEST,
					VIRTIO_VSOCK_OP_RESPONSE, 8, 0xffff};

START_TEST(packet_out_of_place)
{
	say(out_of_place[_i], GPORT, PORT);
	expect_reset();
}
END_TEST

START_TEST(shutdown_of_nothing_changes_nothing)
{
	say_shut(GPORT, PORT, 0);
	say_shut(GPORT, PORT, ~3U);
	expect_alive(fd, GPORT, PORT);
}
END_TEST

START_TEST(request_with_data_and_data_of_no_bytes)
{
	struct virtio_vsock_hdr h = header(VIRTIO_VSOCK_OP_CREDIT_UPDATE, GPORT, PORT);

	h.len = 100;
	transmit(&h, bytes, 100);
	say_data(GPORT, PORT, "", 0);
	h.op = VIRTIO_VSOCK_OP_RW;
	h.len = 4;
	transmit(&h, bytes, 100); /* 5.10.6: the buffer may be longer */
	host_expect(fd, bytes, 4);
	expect_alive(fd, GPORT, PORT);
}
END_TEST

START_TEST(window_shrinks_below_what_is_under_way)
{
	struct virtio_vsock_hdr h = header(VIRTIO_VSOCK_OP_CREDIT_UPDATE, GPORT, PORT);

	ck_assert_int_eq(write(fd, bytes, 1000), 1000);
	expect_data(GPORT, PORT, bytes, 1000);
	h.buf_alloc = 10;
	transmit(&h, NULL, 0);
	ck_assert_int_eq(write(fd, bytes, 1000), 1000);
	expect(VIRTIO_VSOCK_OP_CREDIT_REQUEST, GPORT, PORT);
	expect_nothing();
	h.buf_alloc = UINT32_MAX;
	h.fwd_cnt = 1000;
	transmit(&h, NULL, 0);
	expect_data(GPORT, PORT, bytes, 1000);
}
END_TEST

START_TEST(answer_to_what_the_client_did_not_ask_yet)
{
	int c = client("CONNECT 5000\n");
	uint32_t port;
	char byte;

	ck_assert(receive());
	port = got.src_port;
	say_data(GPORT, port, "early", 5);
	expect(VIRTIO_VSOCK_OP_RST, GPORT, port);
	ck_assert_int_eq(host_read(c, &byte, 1), 0);
	expect_alive(fd, GPORT, PORT);
	close(c);
}
END_TEST

/* ---- no connection at all ---- */

START_TEST(packets_for_nobody_are_refused)
{
	struct virtio_vsock_hdr h = header(VIRTIO_VSOCK_OP_REQUEST, GPORT, PORT);

	say(VIRTIO_VSOCK_OP_RW, 99, 98);
	expect(VIRTIO_VSOCK_OP_RST, 99, 98);
	say(VIRTIO_VSOCK_OP_RST, 99, 98); /* which is no reason for another */
	h.type = VIRTIO_VSOCK_TYPE_SEQPACKET;
	transmit(&h, NULL, 0);
	expect(VIRTIO_VSOCK_OP_RST, GPORT, PORT);
	ck_assert_uint_eq(got.type, VIRTIO_VSOCK_TYPE_SEQPACKET);
	h.type = VIRTIO_VSOCK_TYPE_STREAM;
	h.dst_cid = 9;
	transmit(&h, NULL, 0);
	expect(VIRTIO_VSOCK_OP_RST, GPORT, PORT);
	ck_assert_uint_eq(got.src_cid, 9);
	h.dst_cid = VSOCK_HOST_CID;
	h.src_cid = CID + 1;
	transmit(&h, NULL, 0);
	expect_nothing();
}
END_TEST

/* Return: how many of @n packets for nobody were taken, with nobody to take the answers */
static unsigned int flood(unsigned int n)
{
	struct virtio_vsock_hdr h = header(VIRTIO_VSOCK_OP_RW, 99, 98);
	unsigned int taken = 0;
	uint32_t id, used;

	while (n--) {
		ck_assert_int_ge(transmit_raw(&h, NULL, 0), 0);
		driver_run(&d, 0);
		while (driver_used(&d.ring[VSOCK_TX], &id, &used))
			taken++;
	}
	return taken;
}

START_TEST(guest_that_does_not_listen_is_not_listened_to)
{
	uint32_t id, used;

	ck_assert_uint_eq(flood(VSOCK_REFUSALS_MAX + 100), VSOCK_REFUSALS_MAX);
	post_all();
	for (unsigned int i = 0; i < VSOCK_REFUSALS_MAX + 100; i++)
		expect(VIRTIO_VSOCK_OP_RST, 99, 98);
	for (unsigned int i = 0; i < 100; i++)
		ck_assert(driver_wait(&d, VSOCK_TX, &id, &used));
	expect_nothing();
}
END_TEST

/* ---- the device is lost, and a reset brings it back ---- */

static void expect_broken_and_revived(void)
{
	int s, c;

	driver_run(&d, 5);
	ck_assert(driver_broken(&d));
	bring_up();
	post_all();
	s = serve();
	c = connected(s, GPORT);
	expect_alive(c, GPORT, PORT);
	close(c);
	close(s);
}

START_TEST(packet_longer_than_its_buffer)
{
	struct virtio_vsock_hdr h = header(VIRTIO_VSOCK_OP_RW, 99, 98);

	h.len = 101;
	transmit_raw(&h, bytes, 100);
	expect_broken_and_revived();
}
END_TEST

START_TEST(packet_without_a_whole_header)
{
	driver_send(&d, VSOCK_TX, &(struct driver_buf){tx_at, 43, false}, 1);
	expect_broken_and_revived();
}
END_TEST

START_TEST(packet_with_room_for_an_answer)
{
	driver_send(&d, VSOCK_TX,
		    (struct driver_buf[]){{tx_at, 44, false}, {tx_at + 64, 44, true}}, 2);
	expect_broken_and_revived();
}
END_TEST

static const struct {
	uint32_t len;
	bool write;
} bad_rx[] = {{43, true}, {4096, false}};

START_TEST(receive_buffer_that_is_none)
{
	struct virtio_vsock_hdr h = header(VIRTIO_VSOCK_OP_RW, 99, 98);

	driver_send(&d, VSOCK_RX,
		    &(struct driver_buf){rx_at, bad_rx[_i].len, bad_rx[_i].write}, 1);
	transmit_raw(&h, NULL, 0);
	expect_broken_and_revived();
}
END_TEST

START_TEST(receive_buffer_without_room_for_data)
{
	int s = serve(), c;

	for (unsigned int i = 0; i < 2; i++)
		post(rx_at + (gpa_t)i * RX_LEN, VSOCK_HDR_LEN);
	say(VIRTIO_VSOCK_OP_REQUEST, GPORT, PORT);
	c = server_accept(s);
	driver_run(&d, 5);
	ck_assert(!driver_broken(&d)); /* a response needs none */
	ck_assert_int_eq(write(c, "x", 1), 1);
	driver_run(&d, 5);
	close(c);
	close(s);
	ck_assert_int_eq(unlink(server_path), 0);
	expect_broken_and_revived();
}
END_TEST

START_TEST(event_buffer_that_is_none)
{
	static uint8_t image[4096];
	struct state s;

	driver_send(&d, VSOCK_EVENT, &(struct driver_buf){rx_at, 3, true}, 1);
	driver_run(&d, 5);
	ck_assert(!driver_broken(&d));
	state_saver(&s, image, sizeof(image));
	d.dev->ops->state(d.dev, &s);
	state_loader(&s, image, s.pos);
	d.dev->ops->state(d.dev, &s);
	ck_assert_ptr_null(s.why);
	expect_broken_and_revived();
}
END_TEST

START_TEST(clients_of_a_broken_device_are_let_go)
{
	int c = client("CONNECT 5000\n");
	char byte;

	post_all();
	ck_assert(receive());
	driver_send(&d, VSOCK_TX, &(struct driver_buf){tx_at, 43, false}, 1);
	driver_run(&d, 5);
	ck_assert(driver_broken(&d));
	ck_assert_int_eq(host_read(c, &byte, 1), 0);
	close(c);
}
END_TEST

START_TEST(header_in_pieces_of_one_byte)
{
	struct driver_buf b[VSOCK_HDR_LEN + 2];
	int s = serve(), c;

	for (unsigned int i = 0; i < ARRAY_SIZE(b); i++)
		b[i] = (struct driver_buf){rx_at + i, 1, true};
	b[ARRAY_SIZE(b) - 1].len = RX_DATA - 1;
	for (unsigned int i = 0; i < 2; i++) {
		int head = driver_send(&d, VSOCK_RX, b, ARRAY_SIZE(b));

		ck_assert_int_ge(head, 0);
		rx_of[head] = rx_at;
	}
	say(VIRTIO_VSOCK_OP_REQUEST, GPORT, PORT);
	c = server_accept(s);
	ck_assert_int_eq(write(c, "hello", 5), 5);
	driver_run(&d, 5);
	memcpy(&got, driver_ptr(&d, rx_at, RX_LEN), VSOCK_HDR_LEN);
	ck_assert_uint_eq(got.op, VIRTIO_VSOCK_OP_RW);
	ck_assert_uint_eq(got.len, 5);
	ck_assert_mem_eq(driver_ptr(&d, rx_at + VSOCK_HDR_LEN, 5), "hello", 5);
	close(c);
	close(s);
}
END_TEST

UNIT_MAIN("vsock_lies", setup_two, teardown_two, t)
{
	TCase *one = unit_case(suite, "the device", setup_bare, teardown);

	tcase_add_test(t, data_beyond_the_credit);
	tcase_add_test(t, one_packet_beyond_the_credit);
	tcase_add_test(t, credit_for_what_was_never_sent);
	tcase_add_test(t, data_after_its_end);
	tcase_add_loop_test(t, packet_out_of_place, 0, (int)ARRAY_SIZE(out_of_place));
	tcase_add_test(t, shutdown_of_nothing_changes_nothing);
	tcase_add_test(t, request_with_data_and_data_of_no_bytes);
	tcase_add_test(t, window_shrinks_below_what_is_under_way);
	tcase_add_test(t, answer_to_what_the_client_did_not_ask_yet);
	tcase_add_test(t, packets_for_nobody_are_refused);
	tcase_add_test(one, guest_that_does_not_listen_is_not_listened_to);
	tcase_add_test(one, packet_longer_than_its_buffer);
	tcase_add_test(one, packet_without_a_whole_header);
	tcase_add_test(one, packet_with_room_for_an_answer);
	tcase_add_loop_test(one, receive_buffer_that_is_none, 0, (int)ARRAY_SIZE(bad_rx));
	tcase_add_test(one, receive_buffer_without_room_for_data);
	tcase_add_test(one, event_buffer_that_is_none);
	tcase_add_test(one, clients_of_a_broken_device_are_let_go);
	tcase_add_test(one, header_in_pieces_of_one_byte);
}
