// SPDX-License-Identifier: Apache-2.0
/*
 * test_net - the network device through its registers.  Its tap is one end of a socket
 * pair that keeps frames apart, the test is the wire at the other end; and where this user
 * may have a network namespace of its own, a real tap as well.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/virtio/devices.h"
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

static void plug(int fd)
{
	struct tap tap = {.fd = fd, .name = "tap0"};

	driver_init(&d, RAM);
	d.cfg.nnet = 1;
	d.cfg.net[0].fd = -1;
	driver_plug(&d, net_create_on(&d.env, 0, &tap, &d.err));
	ck_assert(driver_bring_up(&d, ~0ULL));
	buf = driver_alloc(&d, MIB, 4096);
	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = i < TAP_HDR_LEN ? 0 : (uint8_t)(i * 13 + i / 256);
}

static void setup(void)
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

static void teardown(void)
{
	driver_fini(&d);
	if (wire >= 0)
		close(wire);
}

static struct virtio_net_hdr_v1 *header(gpa_t at)
{
	return driver_ptr(&d, at, TAP_HDR_LEN);
}

static void post(gpa_t at, uint32_t len)
{
	ck_assert_int_ge(driver_send(&d, NET_RX, &(struct driver_buf){at, len, true}, 1),
			 0);
}

static void wire_send(size_t len)
{
	ck_assert_int_eq(write(wire, frame, len), (ssize_t)len);
}

static void wire_expect(size_t len)
{
	static uint8_t got[NET_READ_MAX];
	ssize_t n = read(wire, got, sizeof(got));

	ck_assert_int_eq(n, (ssize_t)len);
	ck_assert_mem_eq(got, frame, len);
}

static void no_frame_on_the_wire(void)
{
	uint8_t c;

	ck_assert_int_eq(read(wire, &c, 1), -1);
	ck_assert_int_eq(errno, EAGAIN);
}

/* The next frame, which lies in buffers of @each bytes in a row from @at on */
static void expect_received(size_t len, gpa_t at, size_t each)
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

static void expect_no_used(unsigned int qi)
{
	uint32_t id, len;

	driver_run(&d, 20);
	ck_assert(!driver_used(&d.ring[qi], &id, &len));
}

static uint64_t cpu_us(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (uint64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000 +
	       (uint64_t)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

/* ---- sending ---- */

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
	ck_assert_uint_eq(container_of(d.v, struct net, v)->source.events, 0);
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
	struct tap tap = {.fd = dup(wire), .name = "tap1"};

	driver_init(&d, RAM);
	d.cfg.nnet = 1;
	driver_plug(&d, net_create_on(&d.env, 0, &tap, &d.err));
	b = driver_read_n(&d, VIRTIO_MMIO_CONFIG, 4);
	ck_assert_uint_ne(a, b);
}
END_TEST

/* ---- setting up: no permission needed to be refused ---- */

static void refused(const struct config *cfg, unsigned int i, const char *word)
{
	struct err e = {0};
	struct tap t;

	ck_assert_int_lt(tap_open(&t, cfg, i, &e), 0);
	ck_assert_msg(strstr(e.msg, word) != NULL, "%s", e.msg);
	ck_assert_int_eq(t.fd, -1);
}

START_TEST(impossible_names_are_refused)
{
	static const char *const bad[] = {
		"", "tap 0", "a/b", "tap%d", ".", "sixteen-letters-", "a\nb"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct config cfg = {.nnet = 1,
				     .net[0] = {.tap = (char *)(uintptr_t)bad[i]}};

		refused(&cfg, 0, "no name for an interface");
	}
}
END_TEST

START_TEST(fd_that_is_no_tap_is_refused)
{
	struct config cfg = {.nnet = 2, .net[0].fd = wire, .net[1].fd = wire};

	refused(&cfg, 0, "is not a tap");
	refused(&cfg, 1, "given twice");
	cfg.net[0].fd = 1023;
	refused(&cfg, 0, "is not open");
	cfg.net[0].tap = cfg.net[1].tap = (char[]){"tap7"};
	refused(&cfg, 1, "given twice");
}
END_TEST

/* ---- a real tap, in a network namespace of our own ---- */

static bool have_namespace(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int fd = -1;

		if (unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 ||
		    unshare(CLONE_NEWNET) == 0)
			fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
		_exit(fd < 0);
	}
	return waitpid(pid, &status, 0) == pid && status == 0;
}

static short interface_flags(const char *name)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {0};

	strncpy(ifr.ifr_name, name, IFNAMSIZ - 1);
	ck_assert_int_eq(ioctl(s, SIOCGIFFLAGS, &ifr), 0);
	close(s);
	return ifr.ifr_flags;
}

static struct config real_cfg = {.nnet = 1,
				 .net[0] = {.tap = (char[]){"mvtest0"}, .fd = -1}};

static void setup_real(void)
{
	log_threshold = LOG_ERROR;
	ck_assert(unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 ||
		  unshare(CLONE_NEWNET) == 0);
}

START_TEST(missing_tap_is_made_and_up_and_exclusive)
{
	struct config by_fd = {.nnet = 1};
	struct err e = {0};
	struct tap t, second;

	ck_assert_msg(tap_open(&t, &real_cfg, 0, &e) == 0, "%s", e.msg);
	ck_assert(interface_flags("mvtest0") & IFF_UP);
	ck_assert(t.offloads);
	refused(&real_cfg, 0, "in use by another process");
	by_fd.net[0].fd = dup(t.fd);
	ck_assert_msg(tap_open(&second, &by_fd, 0, &e) == 0, "%s", e.msg);
	ck_assert_str_eq(second.name, "mvtest0");
	tap_close(&second);
	by_fd.net[0].fd = t.fd; /* a number that was free when we were started */
	refused(&by_fd, 0, "was not open when microvm started");
	tap_close(&t);
}
END_TEST

START_TEST(interface_that_is_no_tap_is_refused)
{
	struct config lo = {.nnet = 1, .net[0] = {.tap = (char[]){"lo"}, .fd = -1}};

	refused(&lo, 0, "not a tap");
}
END_TEST

START_TEST(fd_without_headers_is_refused)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI, .ifr_name = "mvtest1"};
	struct config by_fd = {.nnet = 1};

	by_fd.net[0].fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	refused(&by_fd, 0, "not a tap"); /* not attached yet */
	ck_assert_int_eq(ioctl(by_fd.net[0].fd, TUNSETIFF, &ifr), 0);
	refused(&by_fd, 0, "IFF_VNET_HDR");
}
END_TEST

/* How many frames came from us, as the host counts them */
static unsigned long interface_received(const char *name)
{
	FILE *f = fopen("/proc/thread-self/net/dev", "re");
	unsigned long n = 0;
	char line[512], *p;

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f)) {
		p = strstr(line, name);
		if (p && sscanf(p + strlen(name), ": %*u %lu", &n) == 1)
			break;
	}
	fclose(f);
	return n;
}

static void interface_delete(const char *name)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
	} msg = {.h = {.nlmsg_len = sizeof(msg),
		       .nlmsg_type = RTM_DELLINK,
		       .nlmsg_flags = NLM_F_REQUEST},
		 .i = {.ifi_index = (int)if_nametoindex(name)}};
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	ck_assert_int_eq(send(s, &msg, sizeof(msg), 0), (ssize_t)sizeof(msg));
	close(s);
	ck_assert_uint_eq(if_nametoindex(name), 0);
}

/* The kernel's IPv6 speaks first on an interface that comes up: a frame to receive. */
START_TEST(frames_pass_through_a_real_tap_until_it_is_deleted)
{
	struct err e = {0};
	struct tap t;
	uint32_t id, len;
	uint64_t before;

	ck_assert_msg(tap_open(&t, &real_cfg, 0, &e) == 0, "%s", e.msg);
	plug(t.fd);
	for (unsigned int i = 0; i < 64; i++)
		post(buf + 2048 * i, 2048);
	memcpy(driver_ptr(&d, buf + 512 * KIB, FRAME), frame, FRAME);
	for (int i = 0; i < 5; i++) {
		driver_send(&d, NET_TX,
			    &(struct driver_buf){buf + 512 * KIB, FRAME, false}, 1);
		ck_assert(driver_wait(&d, NET_TX, &id, &len));
	}
	ck_assert_uint_eq(interface_received("mvtest0"), 5);
	if (access("/proc/sys/net/ipv6", F_OK) == 0) {
		ck_assert(driver_wait(&d, NET_RX, &id, &len));
		ck_assert_uint_ge(len, TAP_HDR_LEN + 60);
		ck_assert_uint_eq(header(buf)->num_buffers, 1);
	}
	interface_delete("mvtest0");
	before = cpu_us();
	driver_run(&d, 100);
	ck_assert_uint_lt(cpu_us() - before, 50000);
	ck_assert_uint_eq(((struct virtio_net_config *)d.v->config)->status, 0);
	driver_fini(&d);
}
END_TEST

static void add_tests(TCase *t)
{
	tcase_add_test(t, sent_frame_is_on_the_wire);
	tcase_add_test(t, sent_frame_may_be_cut_anywhere);
	tcase_add_test(t, frames_that_are_none_are_dropped);
	tcase_add_test(t, full_wire_holds_frames_back_and_loses_none);
	tcase_add_test(t, frame_is_received_with_its_header);
	tcase_add_test(t, big_frame_is_merged_over_buffers_and_the_rest_is_kept);
	tcase_add_test(t, header_cut_over_tiny_buffers_is_right);
	tcase_add_test(t, frame_larger_than_the_ring_waits_for_buffers);
	tcase_add_test(t, frame_that_waits_dies_with_a_reset);
	tcase_add_test(t, full_ring_of_tiny_buffers_loses_the_big_frame_only);
	tcase_add_test(t, without_mergeable_buffers_a_frame_is_in_one);
	tcase_add_test(t, flood_without_buffers_costs_nothing_and_ends_with_a_refill);
	tcase_add_test(t, many_frames_come_in_order_through_a_small_ring);
	tcase_add_test(t, frames_from_before_the_driver_are_dropped);
	tcase_add_test(t, runts_are_dropped);
	tcase_add_test(t, readable_receive_buffer_costs_the_device);
	tcase_add_test(t, broken_device_does_not_spin_on_frames);
	tcase_add_test(t, driver_that_gave_up_does_not_leave_us_spinning);
	tcase_add_test(t, lost_tap_is_a_link_down_and_no_spinning);
	tcase_add_test(t, mac_is_stable_local_and_differs_by_name);
	tcase_add_test(t, impossible_names_are_refused);
	tcase_add_test(t, fd_that_is_no_tap_is_refused);
}

int main(void)
{
	Suite *s = suite_create("net");
	TCase *t = tcase_create("net"), *real = tcase_create("real-tap");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 20);
	add_tests(t);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(real, setup_real, NULL);
	if (have_namespace()) {
		tcase_add_test(real, missing_tap_is_made_and_up_and_exclusive);
		tcase_add_test(real, interface_that_is_no_tap_is_refused);
		tcase_add_test(real, fd_without_headers_is_refused);
		tcase_add_test(real, frames_pass_through_a_real_tap_until_it_is_deleted);
	} else {
		puts("SKIPPED: real-tap (no network namespace or no /dev/net/tun here)");
	}
	suite_add_tcase(s, real);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
