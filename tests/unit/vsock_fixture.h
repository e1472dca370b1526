/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vsock_fixture - a guest with a socket device, and a directory of the host's for its
 * sockets.  The guest posts receive buffers of 4 KiB as Linux does, each again as soon as it
 * was looked at.
 */
#ifndef MICROVM_TESTS_VSOCK_FIXTURE_H
#define MICROVM_TESTS_VSOCK_FIXTURE_H

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/virtio/devices.h"
#include "devices/virtio/vsock.h"
#include "tests/lib/driver.h"
#include "vmm/core/log.h"

#define CID      7U
#define PORT     1234U /* of the host's server */
#define GPORT    5000U /* of the guest */
#define RX_DATA  4096U
#define RX_LEN   (VSOCK_HDR_LEN + RX_DATA)
#define RX_COUNT 64U
#define ROOM     (1U << 20) /* what the guest says it has for a connection */

static struct driver d;
static char dir[64], path[96], server_path[112];
static gpa_t tx_at, rx_at;
static gpa_t rx_of[VSOCK_QUEUE]; /* by head */
static struct virtio_vsock_hdr got;
static uint8_t got_data[RX_DATA];
static uint8_t bytes[ROOM]; /* any */

static inline void post(gpa_t at, uint32_t len)
{
	int head = driver_send(&d, VSOCK_RX, &(struct driver_buf){at, len, true}, 1);

	ck_assert_int_ge(head, 0);
	rx_of[head] = at;
}

static inline void post_all(void)
{
	for (unsigned int i = 0; i < RX_COUNT; i++)
		post(rx_at + (gpa_t)i * RX_LEN, RX_LEN);
}

/* Up, but without receive buffers */
static inline void bring_up(void)
{
	d.heap = DRIVER_HEAP;
	ck_assert(driver_bring_up(&d, ~0ULL));
	tx_at = driver_alloc(&d, MIB, 16);
	rx_at = driver_alloc(&d, (size_t)RX_COUNT * RX_LEN, 16);
}

static inline void setup_bare(void)
{
	log_threshold = LOG_ERROR;
	(void)snprintf(dir, sizeof(dir), "/tmp/vsock-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/v", dir);
	(void)snprintf(server_path, sizeof(server_path), "%s_%u", path, PORT);
	driver_init(&d, 16 * MIB);
	d.cfg.vsock = (struct config_vsock){path, CID};
	driver_plug(&d, vsock_create(&d.env, 0, &d.err));
	bring_up();
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + i / 251);
}

static inline void setup(void)
{
	setup_bare();
	post_all();
}

static inline void teardown(void)
{
	driver_fini(&d);
	(void)unlink(server_path);
	ck_assert_int_eq(access(path, F_OK), -1); /* the device removes its socket */
	ck_assert_int_eq(rmdir(dir), 0);
}

/* ---- the host ---- */

static inline struct sockaddr_un address(const char *p)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	ck_assert_uint_lt(strlen(p), sizeof(a.sun_path));
	memcpy(a.sun_path, p, strlen(p));
	return a;
}

static inline int host_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ck_assert_int_ge(fd, 0);
	return fd;
}

/* A server at PATH_PORT */
static inline int serve(void)
{
	struct sockaddr_un a = address(server_path);
	int fd = host_socket();

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(fd, 600), 0);
	return fd;
}

static inline int server_accept(int server)
{
	int fd = accept4(server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static inline int client(const char *says)
{
	struct sockaddr_un a = address(path);
	int fd = host_socket();

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(write(fd, says, strlen(says)), (ssize_t)strlen(says));
	return fd;
}

/* What comes from @fd: bytes, 0 at the end, -1 nothing */
static inline ssize_t host_read(int fd, void *buf, size_t len)
{
	ssize_t n = -1;

	(void)driver_until(&d, (n = read(fd, buf, len)) >= 0 || errno == ECONNRESET);
	return n < 0 && errno == ECONNRESET ? 0 : n;
}

static inline void host_expect(int fd, const void *p, size_t len)
{
	uint8_t buf[4096];

	while (len) {
		ssize_t n = host_read(fd, buf, MIN(len, sizeof(buf)));

		ck_assert_msg(n > 0, "%zd, %zu bytes missing", n, len);
		ck_assert_mem_eq(buf, p, (size_t)n);
		p = (const uint8_t *)p + n;
		len -= (size_t)n;
	}
}

/* ---- the guest ---- */

static inline struct virtio_vsock_hdr header(uint16_t op, uint32_t gport, uint32_t port)
{
	return (struct virtio_vsock_hdr){
		.src_cid = CID,
		.dst_cid = VSOCK_HOST_CID,
		.src_port = gport,
		.dst_port = port,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = op,
		.buf_alloc = ROOM,
	};
}

static inline int transmit_raw(const struct virtio_vsock_hdr *h, const void *p,
			       size_t len)
{
	memcpy(driver_ptr(&d, tx_at, VSOCK_HDR_LEN), h, VSOCK_HDR_LEN);
	if (len)
		memcpy(driver_ptr(&d, tx_at + 64, len), p, len);
	return driver_send(&d, VSOCK_TX,
			   (struct driver_buf[]){{tx_at, VSOCK_HDR_LEN, false},
						 {tx_at + 64, (uint32_t)len, false}},
			   len ? 2 : 1);
}

/* Send a packet, and see its buffer come back */
static inline void transmit(const struct virtio_vsock_hdr *h, const void *p, size_t len)
{
	uint32_t id, used;
	int head = transmit_raw(h, p, len);

	ck_assert_int_ge(head, 0);
	ck_assert(driver_wait(&d, VSOCK_TX, &id, &used));
	ck_assert_int_eq((int)id, head);
	ck_assert_uint_eq(used, 0);
}

static inline void say(uint16_t op, uint32_t gport, uint32_t port)
{
	struct virtio_vsock_hdr h = header(op, gport, port);

	transmit(&h, NULL, 0);
}

static inline void say_shut(uint32_t gport, uint32_t port, uint32_t flags)
{
	struct virtio_vsock_hdr h = header(VIRTIO_VSOCK_OP_SHUTDOWN, gport, port);

	h.flags = flags;
	transmit(&h, NULL, 0);
}

static inline void say_data(uint32_t gport, uint32_t port, const void *p, size_t len)
{
	struct virtio_vsock_hdr h = header(VIRTIO_VSOCK_OP_RW, gport, port);

	h.len = (uint32_t)len;
	transmit(&h, p, len);
}

/* The packet in buffer @id into got and got_data */
static inline void take(uint32_t id, uint32_t len)
{
	gpa_t at = rx_of[id];
	const uint8_t *p;

	p = driver_ptr(&d, at, RX_LEN);
	memcpy(&got, p, VSOCK_HDR_LEN);
	ck_assert_uint_eq(len, VSOCK_HDR_LEN + got.len);
	memcpy(got_data, p + VSOCK_HDR_LEN, got.len);
	post(at, RX_LEN);
}

/* The next packet into got and got_data.  Return: was there one? */
static inline bool receive(void)
{
	uint32_t id, len;

	if (!driver_until(&d, driver_used(&d.ring[VSOCK_RX], &id, &len)))
		return false;
	take(id, len);
	return true;
}

/* The same, of what is to come by itself */
static inline bool receive_ready(void)
{
	uint32_t id, len;

	if (!driver_used(&d.ring[VSOCK_RX], &id, &len)) {
		driver_settle(&d);
		if (!driver_used(&d.ring[VSOCK_RX], &id, &len))
			return false;
	}
	take(id, len);
	return true;
}

static inline void expect(uint16_t op, uint32_t gport, uint32_t port)
{
	ck_assert_msg(receive(), "no packet, but %u was to come", op);
	ck_assert_msg(got.op == op, "packet %u instead of %u", got.op, op);
	ck_assert_uint_eq(got.dst_cid, CID);
	ck_assert_uint_eq(got.dst_port, gport);
	ck_assert_uint_eq(got.src_port, port);
}

static inline void expect_nothing(void)
{
	driver_run(&d, 20);
	ck_assert_msg(!receive_ready(), "packet %u", got.op);
	ck_assert(!driver_broken(&d));
}

static inline void expect_data(uint32_t gport, uint32_t port, const uint8_t *p,
			       size_t len)
{
	for (size_t at = 0; at < len; at += got.len) {
		expect(VIRTIO_VSOCK_OP_RW, gport, port);
		ck_assert_uint_le(at + got.len, len);
		ck_assert_mem_eq(got_data, p + at, got.len);
	}
}

/* A connection from the guest's @gport to the server.  Return: the server's end */
static inline int connected(int server, uint32_t gport)
{
	say(VIRTIO_VSOCK_OP_REQUEST, gport, PORT);
	expect(VIRTIO_VSOCK_OP_RESPONSE, gport, PORT);
	return server_accept(server);
}

/* One that works: bytes go both ways */
static inline void expect_alive(int fd, uint32_t gport, uint32_t port)
{
	say_data(gport, port, "ping", 4);
	host_expect(fd, "ping", 4);
	ck_assert_int_eq(write(fd, "pong", 4), 4);
	expect_data(gport, port, (const uint8_t *)"pong", 4);
}

#endif
