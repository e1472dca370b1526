/* SPDX-License-Identifier: Apache-2.0 */
/* test_vsock_ends - how connections end: by halves, at either side, with the guest, in time. */
#include "tests/lib/unit.h"
#include "tests/unit/vsock_fixture.h"

START_TEST(host_half_closes)
{
	int server = serve(), fd = connected(server, GPORT);
	char c;

	ck_assert_int_eq(write(fd, "last", 4), 4);
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	expect_data(GPORT, PORT, (const uint8_t *)"last", 4);
	expect(VIRTIO_VSOCK_OP_SHUTDOWN, GPORT, PORT);
	ck_assert_uint_eq(got.flags, VIRTIO_VSOCK_SHUTDOWN_SEND);
	say_data(GPORT, PORT, bytes, 1000);
	host_expect(fd, bytes, 1000);
	say_shut(GPORT, PORT, VSOCK_SHUT_BOTH);
	expect(VIRTIO_VSOCK_OP_RST, GPORT, PORT);
	ck_assert_int_eq(host_read(fd, &c, 1), 0);
	close(fd);
	close(server);
}
END_TEST

START_TEST(guest_half_closes)
{
	int server = serve(), fd = connected(server, GPORT);
	char c;

	say_data(GPORT, PORT, "last", 4);
	say_shut(GPORT, PORT, VIRTIO_VSOCK_SHUTDOWN_SEND);
	host_expect(fd, "last", 4);
	ck_assert_int_eq(host_read(fd, &c, 1), 0);
	ck_assert_int_eq(write(fd, bytes, 3000), 3000);
	expect_data(GPORT, PORT, bytes, 3000);
	close(fd);
	expect(VIRTIO_VSOCK_OP_SHUTDOWN, GPORT, PORT);
	if (got.flags != VSOCK_SHUT_BOTH)
		expect(VIRTIO_VSOCK_OP_SHUTDOWN, GPORT, PORT);
	ck_assert_uint_eq(got.flags, VSOCK_SHUT_BOTH);
	close(server);
}
END_TEST

START_TEST(guest_that_reads_no_more_stops_the_host)
{
	int server = serve(), fd = connected(server, GPORT);

	say_shut(GPORT, PORT, VIRTIO_VSOCK_SHUTDOWN_RCV);
	ck_assert_int_eq(send(fd, "x", 1, MSG_NOSIGNAL), -1);
	ck_assert_int_eq(errno, EPIPE);
	say_data(GPORT, PORT, "still", 5);
	host_expect(fd, "still", 5);
	close(fd);
	expect(VIRTIO_VSOCK_OP_SHUTDOWN, GPORT, PORT);
	ck_assert_uint_eq(got.flags, VSOCK_SHUT_BOTH);
	close(server);
}
END_TEST

START_TEST(host_closes_and_the_ports_are_free_after_the_guests_rst)
{
	int server = serve(), fd = connected(server, GPORT);

	ck_assert_int_eq(write(fd, "last", 4), 4);
	close(fd);
	for (got.flags = 0; got.flags != VSOCK_SHUT_BOTH;) {
		ck_assert(receive());
		ck_assert(got.op == VIRTIO_VSOCK_OP_RW ||
			  got.op == VIRTIO_VSOCK_OP_SHUTDOWN);
	}
	say_data(GPORT, PORT, "lost", 4); /* under way when the host left */
	say(VIRTIO_VSOCK_OP_RST, GPORT, PORT);
	expect_nothing();
	fd = connected(server, GPORT);
	expect_alive(fd, GPORT, PORT);
	close(fd);
	close(server);
}
END_TEST

/* Send until some of it stays in the device.  Return: how much was sent */
static uint32_t stuff(uint32_t credit)
{
	uint32_t sent = 0, fwd = 0;

	while (sent - fwd <= credit - 4096) {
		say_data(GPORT, PORT, bytes + sent % 4096, 4096);
		sent += 4096;
		while (receive_ready())
			fwd = got.fwd_cnt;
	}
	return sent;
}

START_TEST(slow_server_gets_all_that_a_guest_sent_before_it_closed)
{
	int server = serve(), fd = connected(server, GPORT), again;
	uint32_t sent = stuff(got.buf_alloc);
	char c;

	say_shut(GPORT, PORT, VSOCK_SHUT_BOTH);
	expect(VIRTIO_VSOCK_OP_RST, GPORT, PORT);
	again = connected(server, GPORT); /* the ports are free already */
	expect_alive(again, GPORT, PORT);
	for (uint32_t at = 0; at < sent; at += 4096)
		host_expect(fd, bytes + at % 4096, 4096);
	ck_assert_int_eq(host_read(fd, &c, 1), 0);
	close(again);
	close(fd);
	close(server);
}
END_TEST

START_TEST(server_dies_with_data_under_way)
{
	int server = serve(), fd = connected(server, GPORT);

	(void)stuff(got.buf_alloc);
	close(fd);
	do
		ck_assert(receive());
	while (got.op != VIRTIO_VSOCK_OP_SHUTDOWN || got.flags != VSOCK_SHUT_BOTH);
	say_shut(GPORT, PORT, VIRTIO_VSOCK_SHUTDOWN_SEND); /* no answer to this */
	expect_nothing();
	say_shut(GPORT, PORT, VSOCK_SHUT_BOTH);
	expect(VIRTIO_VSOCK_OP_RST, GPORT, PORT);
	say_data(GPORT, PORT, "x", 1);
	expect(VIRTIO_VSOCK_OP_RST, GPORT, PORT);
	close(server);
}
END_TEST

START_TEST(server_dies_with_what_a_closed_guest_left)
{
	int server = serve(), fd = connected(server, GPORT);
	const struct vsock *s = container_of(d.v, struct vsock, v);

	(void)stuff(got.buf_alloc);
	say(VIRTIO_VSOCK_OP_RST, GPORT, PORT);
	ck_assert_uint_eq(s->nconn, 1);
	close(fd);
	expect_nothing();
	ck_assert_uint_eq(s->nconn, 0);
	ck_assert_uint_eq(s->pool, VSOCK_CREDIT_POOL);
	close(server);
}
END_TEST

START_TEST(server_that_reads_no_more_stops_the_guest)
{
	int server = serve(), fd = connected(server, GPORT);

	ck_assert_int_eq(shutdown(fd, SHUT_RD), 0);
	say_data(GPORT, PORT, "x", 1);
	expect(VIRTIO_VSOCK_OP_SHUTDOWN, GPORT, PORT);
	ck_assert_uint_eq(got.flags, VIRTIO_VSOCK_SHUTDOWN_RCV);
	say_data(GPORT, PORT, bytes,
		 4096); /* under way then: dropped, the credit is back */
	say(VIRTIO_VSOCK_OP_CREDIT_REQUEST, GPORT, PORT);
	expect(VIRTIO_VSOCK_OP_CREDIT_UPDATE, GPORT, PORT);
	ck_assert_uint_eq(got.fwd_cnt, 4097);
	ck_assert_int_eq(write(fd, "still", 5), 5);
	expect_data(GPORT, PORT, (const uint8_t *)"still", 5);
	close(fd);
	close(server);
}
END_TEST

START_TEST(client_leaves_before_the_guest_hears_of_it)
{
	int fd;

	bring_up(); /* without receive buffers */
	fd = client("CONNECT 5000\n");
	driver_run(&d, 5);
	close(fd);
	driver_run(&d, 5);
	post_all();
	expect_nothing();
}
END_TEST

START_TEST(reset_ends_all_connections_and_the_next_life_works)
{
	int server = serve(), a = connected(server, GPORT), b = client("CONNECT 5000\n"),
	    c;
	char byte;

	ck_assert(receive());
	bring_up();
	post_all();
	ck_assert_int_eq(host_read(a, &byte, 1), 0);
	ck_assert_int_eq(host_read(b, &byte, 1), 0);
	c = connected(server, GPORT);
	expect_alive(c, GPORT, PORT);
	close(a);
	close(b);
	close(c);
	close(server);
}
END_TEST

START_TEST(client_waits_for_the_guests_driver)
{
	int fd;

	driver_negotiate(&d, ~0ULL);
	fd = client("CONNECT 5000\n");
	driver_run(&d, 20);
	bring_up();
	post_all();
	ck_assert(receive());
	ck_assert_uint_eq(got.op, VIRTIO_VSOCK_OP_REQUEST);
	close(fd);
}
END_TEST

START_TEST(restored_guest_is_told_that_its_connections_are_gone)
{
	static uint8_t image[4096];
	gpa_t at = driver_alloc(&d, 16, 4);
	struct state s;
	uint32_t id, len;

	driver_send(&d, VSOCK_EVENT, &(struct driver_buf){at, 4, true}, 1);
	driver_run(&d, 5);
	ck_assert(!driver_used(&d.ring[VSOCK_EVENT], &id, &len));
	state_saver(&s, image, sizeof(image));
	d.dev->ops->state(d.dev, &s);
	ck_assert_ptr_null(s.why);
	state_loader(&s, image, s.pos);
	d.dev->ops->state(d.dev, &s);
	ck_assert_ptr_null(s.why);
	*(uint32_t *)driver_ptr(&d, at, 4) = 99;
	ck_assert(driver_wait(&d, VSOCK_EVENT, &id, &len));
	ck_assert_uint_eq(len, 4);
	ck_assert_uint_eq(*(uint32_t *)driver_ptr(&d, at, 4), 0);
}
END_TEST

START_TEST(who_owes_an_answer_is_given_up)
{
	int mute = client(""), waiting = client("CONNECT 5000\n"), server = serve(), fd;
	uint32_t port;
	char c;

	ck_assert(receive());
	port = got.src_port;
	fd = connected(server, GPORT);
	driver_run(&d, (unsigned int)(VSOCK_TIMEOUT_NS / 1000000) + 100);
	ck_assert_int_eq(host_read(mute, &c, 1), 0);
	ck_assert_int_eq(host_read(waiting, &c, 1), 0);
	expect(VIRTIO_VSOCK_OP_RST, GPORT, port);
	expect_alive(fd, GPORT, PORT);
	close(mute);
	close(waiting);
	close(fd);
	close(server);
}
END_TEST

UNIT_MAIN("vsock_ends", setup, teardown, t)
{
	tcase_add_test(t, host_half_closes);
	tcase_add_test(t, guest_half_closes);
	tcase_add_test(t, guest_that_reads_no_more_stops_the_host);
	tcase_add_test(t, host_closes_and_the_ports_are_free_after_the_guests_rst);
	tcase_add_test(t, slow_server_gets_all_that_a_guest_sent_before_it_closed);
	tcase_add_test(t, server_dies_with_data_under_way);
	tcase_add_test(t, server_dies_with_what_a_closed_guest_left);
	tcase_add_test(t, server_that_reads_no_more_stops_the_guest);
	tcase_add_test(t, client_leaves_before_the_guest_hears_of_it);
	tcase_add_test(t, reset_ends_all_connections_and_the_next_life_works);
	tcase_add_test(t, client_waits_for_the_guests_driver);
	tcase_add_test(t, restored_guest_is_told_that_its_connections_are_gone);
	tcase_add_test(t, who_owes_an_answer_is_given_up);
}
