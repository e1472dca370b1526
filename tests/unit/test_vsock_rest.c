/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_vsock_rest - a socket device comes to rest and goes on while bytes come and go, and what
 * the host does meanwhile is noticed afterwards.
 */
#include "tests/unit/vsock_fixture.h"

#include "tests/lib/rest.h"
#include "tests/lib/unit.h"

#define CYCLES 1500

static uint32_t said, heard, written, received; /* bytes, by the guest and by the host */

static uint8_t byte_at(uint32_t i)
{
	return (uint8_t)(i * 7 + i / 251);
}

static void expect_bytes(const uint8_t *p, size_t n, uint32_t *at)
{
	bool right = true;

	for (size_t i = 0; i < n; i++)
		right &= p[i] == byte_at((*at)++);
	ck_assert(right);
}

static void guest_says(uint32_t len)
{
	struct virtio_vsock_hdr h = header(VIRTIO_VSOCK_OP_RW, GPORT, PORT);
	static uint8_t p[4096];

	if (said - heard + len > 60000) /* what the socket and a little credit hold */
		return;
	for (uint32_t i = 0; i < len; i++)
		p[i] = byte_at(said + i);
	said += len;
	h.len = len;
	h.fwd_cnt = received;
	transmit(&h, p, len);
}

static void host_writes(int fd, size_t len)
{
	uint8_t p[4096];
	ssize_t n;

	for (size_t i = 0; i < len; i++)
		p[i] = byte_at(written + (uint32_t)i);
	n = write(fd, p, len);
	written += n > 0 ? (uint32_t)n : 0;
}

static void host_hears(int fd)
{
	uint8_t p[8192];
	ssize_t n = read(fd, p, sizeof(p));

	if (n > 0)
		expect_bytes(p, (size_t)n, &heard);
}

static void guest_hears(void)
{
	while (receive_ready())
		if (got.op == VIRTIO_VSOCK_OP_RW)
			expect_bytes(got_data, got.len, &received);
}

static void expect_still(void)
{
	uint16_t rx = driver_used_idx(&d.ring[VSOCK_RX]);

	driver_pump(&d);
	ck_assert_uint_eq(driver_used_idx(&d.ring[VSOCK_RX]), rx);
}

START_TEST(no_byte_is_lost_or_doubled_however_often)
{
	int server = serve(), fd = connected(server, GPORT);

	said = heard = written = received = 0;
	for (unsigned int i = 0; i < CYCLES; i++) {
		host_writes(fd, (size_t)rand() % 3000);
		if (rand() % 2)
			driver_pump(&d);
		ck_assert(rest_reached(&d));
		host_writes(fd, 100);
		expect_still();
		driver_wake(&d);
		guest_says(1 + (uint32_t)rand() % 3000);
		guest_hears();
		host_hears(fd);
	}
	ck_assert(driver_until(&d, (guest_hears(), host_hears(fd),
				    heard == said && received == written)));
	ck_assert_uint_gt(said, CYCLES * 100);
	ck_assert_uint_gt(written, CYCLES * 100);
	close(fd);
	close(server);
}
END_TEST

START_TEST(host_that_comes_or_goes_at_rest_is_noticed_afterwards)
{
	int server = serve(), fd = connected(server, GPORT), other;

	ck_assert(rest_reached(&d));
	close(fd);
	other = client("CONNECT 77\n");
	expect_still();
	driver_wake(&d);
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert(receive());
		if (got.op == VIRTIO_VSOCK_OP_REQUEST)
			ck_assert_uint_eq(got.dst_port, 77);
		else
			ck_assert_uint_eq(got.op, VIRTIO_VSOCK_OP_SHUTDOWN);
	}
	close(other);
	close(server);
}
END_TEST

/* A guest that is stopped cannot answer in time */
START_TEST(time_at_rest_is_nobodys_fault)
{
	const struct vsock *s = container_of(d.v, struct vsock, v);
	int fd = client("CONNECT 77\n");
	uint64_t deadline;

	expect(VIRTIO_VSOCK_OP_REQUEST, 77, 1U << 30);
	deadline = TAILQ_FIRST(&s->timed)->deadline;
	ck_assert(rest_reached(&d));
	driver_run(&d, 50);
	ck_assert(rest_reached(&d)); /* asked again: the same rest */
	driver_wake(&d);
	ck_assert_uint_ge(TAILQ_FIRST(&s->timed)->deadline, deadline + 50000000);
	ck_assert_uint_lt(TAILQ_FIRST(&s->timed)->deadline,
			  monotonic_ns() + VSOCK_TIMEOUT_NS);
	close(fd);
}
END_TEST

START_TEST(reset_at_rest_ends_all_connections)
{
	int server = serve();

	for (unsigned int i = 0; i < 20; i++) {
		int fd = connected(server, GPORT);

		ck_assert(rest_reached(&d));
		bring_up();
		post_all();
		ck_assert_int_eq(read(fd, (char[1]){0}, 1), 0);
		close(fd);
		expect_still();
		driver_wake(&d);
		fd = connected(server, GPORT);
		expect_alive(fd, GPORT, PORT);
		say(VIRTIO_VSOCK_OP_RST, GPORT, PORT);
		close(fd);
	}
	close(server);
}
END_TEST

START_TEST(broken_device_rests)
{
	driver_send(&d, VSOCK_TX, &(struct driver_buf){tx_at, 4, false}, 1);
	driver_settle(&d);
	ck_assert(driver_broken(&d));
	ck_assert(rest_reached(&d));
	driver_wake(&d);
	driver_settle(&d);
	ck_assert(driver_broken(&d));
}
END_TEST

/* Connections are not saved: the guest is told that all are gone */
START_TEST(loaded_device_says_that_all_is_reset)
{
	static uint8_t image[4096];
	int server = serve(), fd = connected(server, GPORT);
	gpa_t at = driver_alloc(&d, 8, 8);
	uint32_t id, len, event = 77;
	const char *why;
	size_t n;

	ck_assert(rest_reached(&d));
	n = rest_save(&d, image, sizeof(image), &why);
	ck_assert_msg(n, "%s", why);
	driver_unplug(&d);
	driver_plug(&d, vsock_create(&d.env, 0, &d.err));
	ck_assert_ptr_null(rest_load(&d, image, n));
	driver_send(&d, VSOCK_EVENT, &(struct driver_buf){at, 8, true}, 1);
	ck_assert(driver_wait(&d, VSOCK_EVENT, &id, &len));
	memcpy(&event, driver_ptr(&d, at, 4), 4);
	ck_assert_uint_eq(event, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
	close(fd);
	fd = connected(server, GPORT + 1);
	expect_alive(fd, GPORT + 1, PORT);
	close(fd);
	close(server);
}
END_TEST

UNIT_MAIN("vsock_rest", setup, teardown, t)
{
	tcase_add_test(t, no_byte_is_lost_or_doubled_however_often);
	tcase_add_test(t, host_that_comes_or_goes_at_rest_is_noticed_afterwards);
	tcase_add_test(t, time_at_rest_is_nobodys_fault);
	tcase_add_test(t, reset_at_rest_ends_all_connections);
	tcase_add_test(t, broken_device_rests);
	tcase_add_test(t, loaded_device_says_that_all_is_reset);
}
