/* SPDX-License-Identifier: Apache-2.0 */
/* test_vsock - connections both ways, credit and back-pressure. */
#include "tests/lib/unit.h"
#include "tests/unit/vsock_fixture.h"

START_TEST(guest_and_server_talk)
{
	int server = serve(), fd = connected(server, GPORT);

	ck_assert_uint_eq(got.src_cid, VSOCK_HOST_CID);
	ck_assert_uint_ge(got.buf_alloc, VSOCK_CREDIT_MIN);
	expect_alive(fd, GPORT, PORT);
	ck_assert_uint_eq(d.dev->io.written_bytes, 4);
	ck_assert_uint_eq(d.dev->io.read_bytes, 4);
	close(fd);
	close(server);
}
END_TEST

START_TEST(nobody_listens)
{
	say(VIRTIO_VSOCK_OP_REQUEST, GPORT, PORT);
	expect(VIRTIO_VSOCK_OP_RST, GPORT, PORT);
}
END_TEST

START_TEST(server_speaks_first)
{
	int server = serve(), fd;

	say(VIRTIO_VSOCK_OP_REQUEST, GPORT, PORT);
	fd = server_accept(server);
	ck_assert_int_eq(write(fd, "hello", 5), 5);
	expect(VIRTIO_VSOCK_OP_RESPONSE, GPORT, PORT);
	expect_data(GPORT, PORT, (const uint8_t *)"hello", 5);
	close(fd);
	close(server);
}
END_TEST

/* Return: the client's end of a connection to the guest's GPORT; its port is got.src_port */
static int client_connected(void)
{
	int fd = client("CONNECT 5000\n");
	char ok[32];

	ck_assert(receive());
	ck_assert_uint_eq(got.op, VIRTIO_VSOCK_OP_REQUEST);
	ck_assert_uint_eq(got.dst_port, GPORT);
	say(VIRTIO_VSOCK_OP_RESPONSE, GPORT, got.src_port);
	(void)snprintf(ok, sizeof(ok), "OK %u\n", got.src_port);
	host_expect(fd, ok, strlen(ok));
	return fd;
}

START_TEST(client_and_guest_talk)
{
	int a = client_connected();
	uint32_t port_a = got.src_port;
	int b = client_connected();

	ck_assert_uint_ne(port_a, got.src_port);
	expect_alive(b, GPORT, got.src_port);
	expect_alive(a, GPORT, port_a);
	close(a);
	close(b);
}
END_TEST

START_TEST(bytes_behind_the_greeting_are_the_guests)
{
	int fd = client("CONNECT 5000\nearly");
	char ok[32];
	ssize_t n;

	ck_assert(receive());
	say(VIRTIO_VSOCK_OP_RESPONSE, GPORT, got.src_port);
	expect_data(GPORT, got.src_port, (const uint8_t *)"early", 5);
	n = host_read(fd, ok, sizeof(ok));
	ck_assert_int_gt(n, 4);
	ck_assert_mem_eq(ok, "OK ", 3);
	close(fd);
}
END_TEST

START_TEST(greeting_comes_in_pieces)
{
	int fd = client("CONN");

	expect_nothing();
	ck_assert_int_eq(write(fd, "ECT 50", 6), 6);
	expect_nothing();
	ck_assert_int_eq(write(fd, "00\n", 3), 3);
	ck_assert(receive());
	ck_assert_uint_eq(got.op, VIRTIO_VSOCK_OP_REQUEST);
	ck_assert_uint_eq(got.dst_port, 5000);
	close(fd);
}
END_TEST

START_TEST(guest_refuses_the_client)
{
	int fd = client("CONNECT 5000\n");
	char c;

	ck_assert(receive());
	say(VIRTIO_VSOCK_OP_RST, GPORT, got.src_port);
	ck_assert_int_eq(host_read(fd, &c, 1), 0);
	close(fd);
}
END_TEST

/* Clients whose lines end as those of other protocols; data that follows is the guest's */
START_TEST(greeting_with_a_carriage_return)
{
	int fd = client("CONNECT 5000\r");
	char ok[32];

	expect_nothing();
	ck_assert_int_eq(write(fd, "\n\rx\n", 4), 4);
	ck_assert(receive());
	ck_assert_uint_eq(got.op, VIRTIO_VSOCK_OP_REQUEST);
	ck_assert_uint_eq(got.dst_port, 5000);
	say(VIRTIO_VSOCK_OP_RESPONSE, GPORT, got.src_port);
	expect_data(GPORT, got.src_port, (const uint8_t *)"\rx\n", 3);
	(void)snprintf(ok, sizeof(ok), "OK %u\n", got.src_port);
	host_expect(fd, ok, strlen(ok));
	close(fd);
}
END_TEST

static const char *const bad_greeting[] = {
	"\n",
	"\r\n",
	"CONNECT\r\n",
	"CONNECT \r\n",
	"CONNECT 12\r\r\n",
	"CONNECT 12\r \n",
	"CONNECT \r12\n",
	"CONNECT\n",
	"CONNECT \n",
	"CONNECT x\n",
	"CONNECT -1\n",
	"CONNECT 12 \n",
	"CONNECT 4294967295\n",
	"CONNECT 99999999999999999999\n",
	"GET / HTTP/1.1\n",
	"CONNECT 000000000000000000000000000000001\n",
};

START_TEST(wrong_greeting_is_hung_up_on)
{
	int fd = client(bad_greeting[_i]);
	char c;

	driver_settle(&d); /* at once, not after VSOCK_TIMEOUT_NS */
	errno = 0;
	ck_assert_int_le(read(fd, &c, 1), 0);
	ck_assert_int_ne(errno, EAGAIN);
	expect_nothing();
	close(fd);
}
END_TEST

START_TEST(client_leaves_before_the_guest_answers)
{
	int fd = client("CONNECT 5000\n");
	uint32_t port;

	ck_assert(receive());
	port = got.src_port;
	close(fd);
	expect(VIRTIO_VSOCK_OP_RST, GPORT, port);
}
END_TEST

START_TEST(stuck_server_stops_its_own_connection_only)
{
	int server = serve(), stuck = connected(server, GPORT), fd;
	uint32_t credit = got.buf_alloc, sent = 0, taken = 0, more = 0;

	/* until a whole credit stays in us, beside what the kernel holds */
	for (;;) {
		if (sent - taken == credit)
			break;
		say_data(GPORT, PORT, bytes + sent % 4096, 4096);
		sent += 4096;
		while (receive_ready()) {
			ck_assert_uint_eq(got.op, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
			taken = got.fwd_cnt;
		}
		ck_assert_uint_lt(sent, 4 * ROOM);
	}
	fd = connected(server, GPORT + 1);
	expect_alive(fd, GPORT + 1, PORT);
	for (; more < sent; more += 4096)
		host_expect(stuck, bytes + more % 4096, 4096);
	while (taken != sent) {
		say(VIRTIO_VSOCK_OP_CREDIT_REQUEST, GPORT, PORT);
		expect(VIRTIO_VSOCK_OP_CREDIT_UPDATE, GPORT, PORT);
		taken = got.fwd_cnt;
	}
	while (receive_ready()) /* updates that crossed with the answer */
		ck_assert_uint_eq(got.op, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	expect_alive(stuck, GPORT, PORT);
	close(stuck);
	close(fd);
	close(server);
}
END_TEST

START_TEST(guest_without_room_is_asked_once_and_gets_the_rest_later)
{
	struct virtio_vsock_hdr h = header(VIRTIO_VSOCK_OP_REQUEST, GPORT, PORT);
	int server = serve(), fd;

	h.buf_alloc = 100;
	transmit(&h, NULL, 0);
	expect(VIRTIO_VSOCK_OP_RESPONSE, GPORT, PORT);
	fd = server_accept(server);
	ck_assert_int_eq(write(fd, bytes, 150), 150);
	expect_data(GPORT, PORT, bytes, 100);
	expect(VIRTIO_VSOCK_OP_CREDIT_REQUEST, GPORT, PORT);
	h.op = VIRTIO_VSOCK_OP_CREDIT_UPDATE;
	transmit(&h, NULL, 0);
	ck_assert_int_eq(write(fd, bytes + 150, 50), 50);
	expect_nothing();
	h.fwd_cnt = 70;
	transmit(&h, NULL, 0);
	expect_data(GPORT, PORT, bytes + 100, 70);
	expect(VIRTIO_VSOCK_OP_CREDIT_REQUEST, GPORT, PORT);
	h.fwd_cnt = 60; /* queued earlier: no news, and no lie */
	transmit(&h, NULL, 0);
	expect_nothing();
	h.fwd_cnt = 170;
	transmit(&h, NULL, 0);
	expect_data(GPORT, PORT, bytes + 170, 30);
	close(fd);
	close(server);
}
END_TEST

START_TEST(guest_that_keeps_to_its_credit_is_never_stuck)
{
	int server = serve(), fd = connected(server, GPORT);
	uint32_t credit = got.buf_alloc, sent = 0, taken = 0;

	while (sent < 3 * credit) {
		if (sent - taken + 4096 > credit) {
			ck_assert_msg(receive_ready(), "no update after %u bytes", sent);
			ck_assert_uint_eq(got.op, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
			taken = got.fwd_cnt;
			continue;
		}
		say_data(GPORT, PORT, bytes + sent % 4096, 4096);
		host_expect(fd, bytes + sent % 4096, 4096);
		sent += 4096;
	}
	close(fd);
	close(server);
}
END_TEST

START_TEST(end_is_told_to_a_guest_without_room)
{
	struct virtio_vsock_hdr h = header(VIRTIO_VSOCK_OP_REQUEST, GPORT, PORT);
	int server = serve(), fd;

	h.buf_alloc = 10;
	transmit(&h, NULL, 0);
	expect(VIRTIO_VSOCK_OP_RESPONSE, GPORT, PORT);
	fd = server_accept(server);
	ck_assert_int_eq(write(fd, bytes, 10), 10);
	expect_data(GPORT, PORT, bytes, 10);
	close(fd);
	expect(VIRTIO_VSOCK_OP_SHUTDOWN, GPORT, PORT);
	close(server);
}
END_TEST

START_TEST(much_data_fills_many_buffers)
{
	int server = serve(), fd = connected(server, GPORT);
	size_t len = 150000, sent = 0;

	for (size_t at = 0; at < len; at += got.len) {
		ssize_t n = write(fd, bytes + sent, len - sent);

		sent += n > 0 ? (size_t)n : 0;
		expect(VIRTIO_VSOCK_OP_RW, GPORT, PORT);
		ck_assert_mem_eq(got_data, bytes + at, got.len);
	}
	ck_assert_uint_eq(sent, len);
	expect_nothing();
	close(fd);
	close(server);
}
END_TEST

START_TEST(talker_does_not_keep_others_from_the_guest)
{
	int server = serve(), loud = connected(server, GPORT);
	int quiet = connected(server, GPORT + 1);
	bool heard = false;

	while (write(loud, bytes, 65536) > 0)
		;
	ck_assert(receive());
	ck_assert_int_eq(write(quiet, "me", 2), 2);
	/* one turn of the loud, of 64 KiB, and what was under way */
	for (int i = 0; i < 64 && !heard; i++) {
		ck_assert(receive());
		heard = got.dst_port == GPORT + 1;
	}
	ck_assert(heard);
	close(loud);
	close(quiet);
	close(server);
}
END_TEST

UNIT_MAIN("vsock", setup, teardown, t)
{
	tcase_add_test(t, guest_and_server_talk);
	tcase_add_test(t, nobody_listens);
	tcase_add_test(t, server_speaks_first);
	tcase_add_test(t, client_and_guest_talk);
	tcase_add_test(t, bytes_behind_the_greeting_are_the_guests);
	tcase_add_test(t, greeting_comes_in_pieces);
	tcase_add_test(t, greeting_with_a_carriage_return);
	tcase_add_test(t, guest_refuses_the_client);
	tcase_add_loop_test(t, wrong_greeting_is_hung_up_on, 0,
			    (int)ARRAY_SIZE(bad_greeting));
	tcase_add_test(t, client_leaves_before_the_guest_answers);
	tcase_add_test(t, stuck_server_stops_its_own_connection_only);
	tcase_add_test(t, guest_without_room_is_asked_once_and_gets_the_rest_later);
	tcase_add_test(t, guest_that_keeps_to_its_credit_is_never_stuck);
	tcase_add_test(t, end_is_told_to_a_guest_without_room);
	tcase_add_test(t, much_data_fills_many_buffers);
	tcase_add_test(t, talker_does_not_keep_others_from_the_guest);
}
