/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_fixture - a network device through its registers.  Its tap is one end of a socket pair
 * that keeps frames apart, the test is the wire at the other end.
 */
#ifndef MICROVM_NET_FIXTURE_H
#define MICROVM_NET_FIXTURE_H

#include <check.h>
#include <errno.h>
#include <linux/virtio_ids.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/backend/ring.h"
#include "devices/virtio/net.h"
#include "tests/lib/driver.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

#define RAM    (32 * MIB)
#define NO_MRG (~(1ULL << VIRTIO_NET_F_MRG_RXBUF))
#define FRAME  (TAP_HDR_LEN + 60) /* the smallest that Ethernet has */
#define BIG    (TAP_HDR_LEN + 65000)

static struct driver d;
static int wire;
static gpa_t buf; /* 1 MiB */
static uint8_t frame[NET_READ_MAX];
static struct config_net fixture_limits; /* .rx and .tx: none, or the test's */

static inline void plug(int fd)
{
	struct tap tap = {.n = 1, .fd = {fd}, .name = "tap0"};

	driver_init(&d, RAM);
	d.cfg.nnet = 1;
	d.cfg.net[0] = fixture_limits;
	d.cfg.net[0].fd = -1;
	driver_plug(&d, net_create_on(&d.env, 0, &tap, &d.err));
	ck_assert(driver_bring_up(&d, ~0ULL));
	buf = driver_alloc(&d, MIB, 4096);
	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = i < TAP_HDR_LEN ? 0 : (uint8_t)(i * 13 + i / 256);
}

static inline void setup(void)
{
	int sv[2], size = 4 * MIB;

	log_threshold = LOG_ERROR;
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv),
		0);
	setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(sv[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	wire = sv[1];
	plug(sv[0]);
}

static inline void teardown(void)
{
	driver_fini(&d);
	if (wire >= 0)
		close(wire);
}

static inline struct virtio_net_hdr_v1 *header(gpa_t at)
{
	return driver_ptr(&d, at, TAP_HDR_LEN);
}

static inline void post(gpa_t at, uint32_t len)
{
	ck_assert_int_ge(driver_send(&d, NET_RX, &(struct driver_buf){at, len, true}, 1),
			 0);
}

static inline void wire_send(size_t len)
{
	ck_assert_int_eq(write(wire, frame, len), (ssize_t)len);
}

static inline void wire_expect(size_t len)
{
	static uint8_t got[NET_READ_MAX];
	ssize_t n = read(wire, got, sizeof(got));

	ck_assert_int_eq(n, (ssize_t)len);
	ck_assert_mem_eq(got, frame, len);
}

static inline void no_frame_on_the_wire(void)
{
	uint8_t c;

	ck_assert_int_eq(read(wire, &c, 1), -1);
	ck_assert_int_eq(errno, EAGAIN);
}

/* The next frame, which lies in buffers of @each bytes in a row from @at on */
static inline void expect_received(size_t len, gpa_t at, size_t each)
{
	size_t n = (len + each - 1) / each;
	uint32_t id, used;
	uint8_t *p = driver_ptr(&d, at, n * each);

	for (size_t i = 0; i < n; i++) {
		ck_assert_msg(driver_wait(&d, NET_RX, &id, &used), "buffer %zu of %zu", i,
			      n);
		ck_assert_uint_eq(used, MIN(each, len - i * each));
	}
	ck_assert_uint_eq(header(at)->num_buffers, n);
	ck_assert_int_eq(memcmp(p + TAP_HDR_LEN, frame + TAP_HDR_LEN, len - TAP_HDR_LEN),
			 0);
}

static inline void expect_no_used(unsigned int qi)
{
	uint32_t id, len;

	driver_run(&d, 20);
	ck_assert(!driver_used(&d.ring[qi], &id, &len));
}

static inline uint64_t cpu_us(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (uint64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000 +
	       (uint64_t)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

#endif
