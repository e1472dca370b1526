/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_tap - taps: what is refused, and, where this user may have a network namespace of its
 * own, real ones.
 */
#include "tests/unit/net_fixture.h"
#include "tests/unit/tap_fixture.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/lib/unit.h"

/* ---- setting up: no permission needed to be refused ---- */

static void refused(const struct config *cfg, unsigned int i, const char *word)
{
	struct err e = {0};
	struct tap t;

	ck_assert_int_lt(tap_open(&t, cfg, i, 1, &e), 0);
	ck_assert_msg(strstr(e.msg, word) != NULL, "%s", e.msg);
	ck_assert_uint_eq(t.n, 0);
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
	enter_namespace();
}

START_TEST(missing_tap_is_made_and_up_and_exclusive)
{
	struct config by_fd = {.nnet = 1};
	struct err e = {0};
	struct tap t, second;

	ck_assert_msg(tap_open(&t, &real_cfg, 0, 1, &e) == 0, "%s", e.msg);
	ck_assert(interface_flags("mvtest0") & IFF_UP);
	ck_assert_uint_eq(t.offloads | TAP_USO, TAP_OFFLOADS);
	refused(&real_cfg, 0, "in use by another process");
	by_fd.net[0].fd = dup(t.fd[0]);
	ck_assert_msg(tap_open(&second, &by_fd, 0, 1, &e) == 0, "%s", e.msg);
	ck_assert_str_eq(second.name, "mvtest0");
	tap_close(&second);
	by_fd.net[0].fd = t.fd[0]; /* a number that was free when we were started */
	refused(&by_fd, 0, "was not open when microvm started");
	tap_close(&t);
}
END_TEST

static void *close_in_a_moment(void *tap)
{
	usleep(50000);
	tap_close(tap);
	return NULL;
}

/* A machine that was killed still has its tap for a moment, and one that it made goes with it */
START_TEST(tap_of_a_machine_that_is_ending_is_waited_for)
{
	for (unsigned int queues = 1; queues <= 2; queues++) {
		struct err e = {0};
		struct tap old, t;
		pthread_t thread;

		ck_assert_int_eq(tap_open(&old, &real_cfg, 0, queues, &e), 0);
		ck_assert_int_eq(pthread_create(&thread, NULL, close_in_a_moment, &old),
				 0);
		ck_assert_msg(tap_open(&t, &real_cfg, 0, queues, &e) == 0, "%s", e.msg);
		pthread_join(thread, NULL);
		ck_assert_uint_eq(t.n, queues);
		ck_assert(interface_flags("mvtest0") & IFF_UP);
		tap_close(&t);
	}
}
END_TEST

START_TEST(dry_run_makes_no_tap)
{
	struct config dry = real_cfg;
	struct err e = {0};
	struct tap t;

	dry.dry_run = true;
	ck_assert_msg(tap_open(&t, &dry, 0, 2, &e) == 0, "%s", e.msg);
	ck_assert_uint_eq(if_nametoindex("mvtest0"), 0);
	ck_assert_uint_eq(t.n, 1);
	tap_close(&t);
}
END_TEST

/* ---- several queues ---- */

static void make_tap(short flags)
{
	struct ifreq ifr = {.ifr_flags =
				    (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | flags),
			    .ifr_name = "mvtest0"};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	ck_assert_int_eq(ioctl(fd, TUNSETIFF, &ifr), 0);
	ck_assert_int_eq(ioctl(fd, TUNSETPERSIST, 1), 0);
	close(fd);
}

static void expect_queues(unsigned int wanted, unsigned int got)
{
	struct err e = {0};
	struct tap t;

	ck_assert_msg(tap_open(&t, &real_cfg, 0, wanted, &e) == 0, "%s", e.msg);
	ck_assert_uint_eq(t.n, got);
	ck_assert_int_eq(tap_use(&t, got), 0);
	ck_assert_int_eq(tap_use(&t, 1), 0);
	tap_close(&t);
}

START_TEST(tap_that_we_make_has_the_queues_wanted)
{
	expect_queues(4, 4);
	expect_queues(1, 1);
}
END_TEST

START_TEST(tap_with_one_queue_is_taken_as_it_is)
{
	make_tap(0);
	expect_queues(4, 1);
	expect_queues(1, 1);
}
END_TEST

START_TEST(tap_with_several_queues_is_taken_as_it_is)
{
	make_tap(IFF_MULTI_QUEUE);
	expect_queues(4, 4);
	expect_queues(1, 1);
}
END_TEST

START_TEST(tap_with_several_queues_is_ours_alone)
{
	struct err e = {0};
	struct tap t;

	make_tap(IFF_MULTI_QUEUE);
	ck_assert_msg(tap_open(&t, &real_cfg, 0, 2, &e) == 0, "%s", e.msg);
	refused(&real_cfg, 0, "in use by another process");
	tap_close(&t);
	expect_queues(2, 2);
}
END_TEST

/* Any process may take any abstract name, whatever it may do with taps */
START_TEST(name_that_another_process_took_keeps_nobody_out)
{
	const struct sockaddr_un a = {AF_UNIX, "\0microvm/tap/mvtest0"};
	cleanup_close int squats = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(squats, (const struct sockaddr *)&a,
			      offsetof(struct sockaddr_un, sun_path) +
				      sizeof("\0microvm/tap/mvtest0") - 1),
			 0);
	expect_queues(2, 2);
}
END_TEST

/* Not one of ours: it has no claim but the queue itself */
START_TEST(queue_of_any_process_is_in_our_way)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR |
					 IFF_MULTI_QUEUE,
			    .ifr_name = "mvtest0"};
	cleanup_close int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	make_tap(IFF_MULTI_QUEUE);
	ck_assert_int_eq(ioctl(fd, TUNSETIFF, &ifr), 0);
	refused(&real_cfg, 0, "in use by another process");
}
END_TEST

/* ---- another network namespace ---- */

START_TEST(tap_is_opened_in_the_namespace_that_is_named)
{
	struct config cfg = real_cfg;
	struct err e = {0};
	struct tap t;
	char path[64];
	int go[2], stop[2];
	pid_t pid;

	ck_assert(pipe(go) == 0 && pipe(stop) == 0);
	pid = fork();
	if (pid == 0) {
		char c = 0;

		enter_namespace();
		(void)!write(go[1], "x", 1);
		(void)!read(stop[0], &c, 1);
		_exit(if_nametoindex("mvtest0") == 0);
	}
	ck_assert_int_eq(read(go[0], path, 1), 1);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	cfg.net[0].netns = path;
	ck_assert_msg(tap_open(&t, &cfg, 0, 2, &e) == 0, "%s", e.msg);
	ck_assert_uint_eq(if_nametoindex("mvtest0"), 0);
	ck_assert_int_eq(write(stop[1], "x", 1), 1);
	ck_assert_int_eq(waitpid(pid, go, 0), pid);
	ck_assert_int_eq(go[0], 0);
	tap_close(&t);
}
END_TEST

START_TEST(what_is_no_namespace_is_refused)
{
	struct config cfg = real_cfg;

	cfg.net[0].netns = (char[]){"/nowhere/at/all"};
	refused(&cfg, 0, "ip netns add");
	cfg.net[0].netns = (char[]){"/proc/self/ns/uts"};
	refused(&cfg, 0, "is no network namespace");
	cfg.net[0].netns = (char[]){"/dev/null"};
	refused(&cfg, 0, "is no network namespace");
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

	ck_assert_msg(tap_open(&t, &real_cfg, 0, 1, &e) == 0, "%s", e.msg);
	plug(t.fd[0]);
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

UNIT_MAIN("tap", setup, teardown, t)
{
	TCase *real = unit_case(suite, "real-tap", setup_real, NULL);

	tcase_add_test(t, impossible_names_are_refused);
	tcase_add_test(t, fd_that_is_no_tap_is_refused);
	if (have_namespace()) {
		tcase_add_test(real, missing_tap_is_made_and_up_and_exclusive);
		tcase_add_test(real, tap_of_a_machine_that_is_ending_is_waited_for);
		tcase_add_test(real, dry_run_makes_no_tap);
		tcase_add_test(real, tap_that_we_make_has_the_queues_wanted);
		tcase_add_test(real, tap_with_one_queue_is_taken_as_it_is);
		tcase_add_test(real, tap_with_several_queues_is_taken_as_it_is);
		tcase_add_test(real, tap_with_several_queues_is_ours_alone);
		tcase_add_test(real, name_that_another_process_took_keeps_nobody_out);
		tcase_add_test(real, queue_of_any_process_is_in_our_way);
		tcase_add_test(real, tap_is_opened_in_the_namespace_that_is_named);
		tcase_add_test(real, what_is_no_namespace_is_refused);
		tcase_add_test(real, interface_that_is_no_tap_is_refused);
		tcase_add_test(real, fd_without_headers_is_refused);
		tcase_add_test(real, frames_pass_through_a_real_tap_until_it_is_deleted);
	} else {
		puts("SKIPPED: real-tap (no network namespace or no /dev/net/tun here)");
	}
}
