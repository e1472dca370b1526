/* SPDX-License-Identifier: Apache-2.0 */
/* test_vsock_limits - what there is only so much of: descriptors, credit, connections. */
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "tests/lib/unit.h"
#include "tests/unit/vsock_fixture.h"

START_TEST(no_descriptor_left)
{
	int s = serve(), waiting = client("CONNECT 5000\n"), first;
	struct rlimit l, few = {.rlim_cur = (rlim_t)waiting + 1};

	ck_assert(receive()); /* the client's, which has the next descriptor */
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &l), 0);
	few.rlim_cur++;
	few.rlim_max = l.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	say(VIRTIO_VSOCK_OP_REQUEST, GPORT, PORT);
	expect(VIRTIO_VSOCK_OP_RST, GPORT, PORT);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &l), 0);
	first = connected(s, GPORT);
	expect_alive(first, GPORT, PORT);
	close(first);
	close(waiting);
	close(s);
}
END_TEST

START_TEST(clients_wait_while_no_descriptor_is_left)
{
	int s = serve(), c = connected(s, GPORT), waiting = host_socket();
	struct sockaddr_un a = address(path);
	struct rlimit l, few = {.rlim_cur = (rlim_t)waiting + 1};

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &l), 0);
	few.rlim_max = l.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	ck_assert_int_eq(connect(waiting, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(write(waiting, "CONNECT 5001\n", 13), 13);
	expect_nothing();
	expect_alive(c, GPORT, PORT);
	say_shut(GPORT, PORT, VSOCK_SHUT_BOTH); /* its descriptor is the client's now */
	expect(VIRTIO_VSOCK_OP_RST, GPORT, PORT);
	ck_assert(receive());
	ck_assert_uint_eq(got.op, VIRTIO_VSOCK_OP_REQUEST);
	ck_assert_uint_eq(got.dst_port, 5001);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &l), 0);
	close(c);
	close(waiting);
	close(s);
}
END_TEST

/* ---- what the rest of the machine needs ---- */

/* A limit below which @n numbers are free.  Return: what it was */
static struct rlimit spare(unsigned int n)
{
	struct rlimit was, few;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
	few = (struct rlimit){0, was.rlim_max};
	for (; n; few.rlim_cur++)
		n -= fcntl((int)few.rlim_cur, F_GETFD) < 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	return was;
}

/* Return: how many more can be opened, @most at most; they are closed again */
static unsigned int can_open(unsigned int most)
{
	unsigned int n = 0;
	int fd[64];

	while (n < most && (fd[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		n++;
	for (unsigned int i = 0; i < n; i++)
		close(fd[i]);
	return n;
}

#define OTHERS 20 /* that the machine is to keep */
#define OURS   10

START_TEST(what_the_machine_needs_is_kept_from_the_guest)
{
	struct sockaddr_un a = address(server_path);
	unsigned int got_one = 0;
	struct rlimit was;
	int s = host_socket();

	ck_assert_int_eq(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(s, 100), 0);
	was = spare(OTHERS + OURS);
	ck_assert_int_eq(vsock_reserve(d.v, OTHERS, &d.err), 0);
	for (uint32_t i = 0; i < 2 * OURS; i++) {
		say(VIRTIO_VSOCK_OP_REQUEST, i, PORT);
		ck_assert(receive());
		got_one += got.op == VIRTIO_VSOCK_OP_RESPONSE;
	}
	ck_assert_uint_eq(got_one, OURS);
	ck_assert_uint_eq(can_open(OTHERS), OTHERS);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
	close(s);
}
END_TEST

START_TEST(what_the_machine_needs_is_kept_from_clients)
{
	struct sockaddr_un a = address(path);
	int c[2 * OURS], first = -1;
	struct rlimit was;
	char byte;

	/* theirs are this process's as well */
	for (unsigned int i = 0; i < 2 * OURS; i++)
		c[i] = host_socket();
	was = spare(OTHERS + OURS);
	ck_assert_int_eq(vsock_reserve(d.v, OTHERS, &d.err), 0);
	for (unsigned int i = 0; i < 2 * OURS; i++) {
		ck_assert_int_eq(connect(c[i], (struct sockaddr *)&a, sizeof(a)), 0);
		ck_assert_int_eq(write(c[i], "CONNECT 5000\n", 13), 13);
	}
	for (unsigned int i = 0; i < OURS; i++) {
		ck_assert(receive());
		ck_assert_uint_eq(got.op, VIRTIO_VSOCK_OP_REQUEST);
	}
	expect_nothing();
	ck_assert_uint_eq(can_open(OTHERS), OTHERS);
	for (unsigned int i = 0; i < 2 * OURS; i++) /* nobody is hung up on */
		ck_assert_int_eq(recv(c[i], &byte, 1, MSG_DONTWAIT), -1);
	first = (int)got.dst_port;
	say(VIRTIO_VSOCK_OP_RST, (uint32_t)first, got.src_port);
	ck_assert(receive()); /* the next has its turn */
	ck_assert_uint_eq(got.op, VIRTIO_VSOCK_OP_REQUEST);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
	for (unsigned int i = 0; i < 2 * OURS; i++)
		close(c[i]);
}
END_TEST

START_TEST(a_limit_that_leaves_no_connection_is_told)
{
	struct rlimit was = spare(OTHERS);

	ck_assert_int_eq(vsock_reserve(d.v, OTHERS, &d.err), -EMFILE);
	ck_assert_ptr_nonnull(strstr(d.err.msg, "ulimit -n"));
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
}
END_TEST

#define MANY 500

START_TEST(many_connections_share_a_bounded_credit)
{
	static int many[MANY];
	int s = serve();
	uint32_t first = 0;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < MANY; i++) {
		many[i] = connected(s, i);
		first = first ? first : got.buf_alloc;
		ck_assert_uint_ge(got.buf_alloc, VSOCK_CREDIT_MIN);
		sum += got.buf_alloc - VSOCK_CREDIT_MIN;
	}
	ck_assert_uint_le(sum, VSOCK_CREDIT_POOL);
	for (uint32_t i = 0; i < MANY; i++)
		expect_alive(many[i], i, PORT);
	for (uint32_t i = 0; i < MANY; i++) {
		say(VIRTIO_VSOCK_OP_RST, i, PORT);
		close(many[i]);
	}
	many[0] = connected(s, 0);
	ck_assert_uint_eq(got.buf_alloc, first); /* the pool is full again */
	close(many[0]);
	close(s);
}
END_TEST

START_TEST(one_connection_more_than_there_can_be)
{
	struct sockaddr_un a = address(server_path);
	int s = host_socket(), c;
	struct rlimit l;
	char byte;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &l), 0);
	if (l.rlim_cur <
	    VSOCK_CONNS_MAX + 64) /* the device has raised it as far as may be */
		return;
	ck_assert_int_eq(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(s, VSOCK_CONNS_MAX), 0); /* where they stay */
	for (uint32_t i = 0; i < VSOCK_CONNS_MAX; i++) {
		say(VIRTIO_VSOCK_OP_REQUEST, i, PORT);
		ck_assert(receive());
		if (got.op == VIRTIO_VSOCK_OP_RST) { /* net.core.somaxconn is smaller */
			close(s);
			return;
		}
		ck_assert_uint_eq(got.op, VIRTIO_VSOCK_OP_RESPONSE);
		ck_assert_uint_ge(got.buf_alloc, VSOCK_CREDIT_MIN);
	}
	say(VIRTIO_VSOCK_OP_REQUEST, VSOCK_CONNS_MAX, PORT);
	expect(VIRTIO_VSOCK_OP_RST, VSOCK_CONNS_MAX, PORT);
	c = client("CONNECT 5000\n");
	ck_assert_int_eq(host_read(c, &byte, 1), 0);
	close(c);
	say(VIRTIO_VSOCK_OP_RST, 17, PORT);
	c = client("CONNECT 5000\n");
	ck_assert(receive());
	ck_assert_uint_eq(got.op, VIRTIO_VSOCK_OP_REQUEST);
	close(c);
	close(s);
}
END_TEST

/* The socket stays readable, for the guest has no buffers left */
START_TEST(connection_that_the_guest_does_not_read_wakes_nobody)
{
	int s = serve(), c = connected(s, GPORT);
	struct vsock *v = container_of(d.v, struct vsock, v);
	struct epoll_event ev;

	do {
		while (write(c, bytes, sizeof(bytes)) > 0)
			;
		driver_settle(&d);
	} while (write(c, bytes, 1) > 0);
	driver_settle(&d);
	ck_assert_int_eq(epoll_wait(v->source.fd, &ev, 1, 20), 0);
	close(c);
	close(s);
}
END_TEST

START_TEST(idle_connections_wake_nobody)
{
	int s = serve(), c = connected(s, GPORT), w = client("");
	struct epoll_event ev;
	struct vsock *v = container_of(d.v, struct vsock, v);

	expect_alive(c, GPORT, PORT);
	ck_assert_int_eq(write(w, "CONNECT 5000\n", 13), 13);
	ck_assert(receive());
	say(VIRTIO_VSOCK_OP_RESPONSE, GPORT, got.src_port);
	driver_run(&d, 20);
	/* nothing to say for 300 ms: not to the loop, which sees this fd */
	ck_assert_int_eq(epoll_wait(v->source.fd, &ev, 1, 300), 0);
	close(w);
	close(c);
	close(s);
}
END_TEST

UNIT_MAIN("vsock_limits", setup, teardown, t)
{
	tcase_add_test(t, no_descriptor_left);
	tcase_add_test(t, what_the_machine_needs_is_kept_from_the_guest);
	tcase_add_test(t, what_the_machine_needs_is_kept_from_clients);
	tcase_add_test(t, a_limit_that_leaves_no_connection_is_told);
	tcase_add_test(t, clients_wait_while_no_descriptor_is_left);
	tcase_add_test(t, many_connections_share_a_bounded_credit);
	tcase_add_test(t, one_connection_more_than_there_can_be);
	tcase_add_test(t, idle_connections_wake_nobody);
	tcase_add_test(t, connection_that_the_guest_does_not_read_wakes_nobody);
}
