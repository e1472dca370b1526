/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_tap_link - what is understood of the kernel's messages on an interface, whole and
 * broken, and what the kernel really says of one in a network namespace of our own.
 */
#include <check.h>
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "devices/backend/tap.h"
#include "tests/lib/link_message.h"
#include "tests/lib/unit.h"
#include "tests/unit/tap_fixture.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

/* ---- messages of our own ---- */

static struct tap_link l;
static int kernel; /* its end of @l.fd */

static void setup(void)
{
	int sv[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	l = (struct tap_link){.index = LINK_INDEX, .fd = sv[0], .up = true, .master = 3};
	kernel = sv[1];
}

static void teardown(void)
{
	tap_link_close(&l);
	close(kernel);
}

static void say(bool up, uint32_t master)
{
	struct link_message m = link_message(up, master);

	ck_assert(link_say(kernel, &m));
}

static void expect(bool up, uint32_t master)
{
	ck_assert_int_eq(l.up, up);
	ck_assert_uint_eq(l.master, master);
	ck_assert(!l.gone);
}

START_TEST(down_and_up_again_is_a_move_only_when_up)
{
	ck_assert(!tap_link_read(&l));
	say(false, 3);
	ck_assert(!tap_link_read(&l));
	expect(false, 3);
	say(true, 3);
	ck_assert(tap_link_read(&l));
	expect(true, 3);
	say(true, 3);
	ck_assert(!tap_link_read(&l));
}
END_TEST

START_TEST(down_and_up_before_we_look_is_a_move)
{
	say(false, 3);
	say(true, 3);
	say(true, 3);
	ck_assert(tap_link_read(&l));
	expect(true, 3);
}
END_TEST

START_TEST(carrier_off_is_down)
{
	struct link_message m = link_message(true, 3);

	m.i.ifi_flags = IFF_UP;
	ck_assert(link_say(kernel, &m));
	(void)tap_link_read(&l);
	expect(false, 3);
}
END_TEST

START_TEST(another_master_is_a_move)
{
	say(true, 4);
	ck_assert(tap_link_read(&l));
	expect(true, 4);
	say(true, 0);
	ck_assert(tap_link_read(&l));
	expect(true, 0);
	say(true, 4);
	say(true, 0);
	ck_assert(tap_link_read(&l));
	expect(true, 0);
}
END_TEST

START_TEST(deleted_is_gone_but_not_by_a_bridge)
{
	struct link_message m = link_message(true, 3);

	m.h.nlmsg_type = RTM_DELLINK;
	m.i.ifi_family = AF_BRIDGE;
	ck_assert(link_say(kernel, &m));
	(void)tap_link_read(&l);
	expect(true, 3);
	m.i.ifi_family = AF_UNSPEC;
	ck_assert(link_say(kernel, &m));
	ck_assert(!tap_link_read(&l));
	ck_assert(l.gone);
}
END_TEST

START_TEST(what_is_not_there_any_more_is_gone)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
	} m = {{.nlmsg_len = sizeof(m), .nlmsg_type = NLMSG_ERROR}, {.error = -EBUSY}};

	ck_assert_int_eq(send(kernel, &m, sizeof(m), 0), sizeof(m));
	(void)tap_link_read(&l);
	ck_assert(!l.gone);
	m.e.error = -ENODEV;
	ck_assert_int_eq(send(kernel, &m, sizeof(m), 0), sizeof(m));
	(void)tap_link_read(&l);
	ck_assert(l.gone);
}
END_TEST

START_TEST(what_is_said_of_others_is_nothing_to_us)
{
	struct link_message m = link_message(false, 9);

	m.i.ifi_index = LINK_INDEX + 1;
	ck_assert(link_say(kernel, &m));
	m.h.nlmsg_type = RTM_DELLINK;
	ck_assert(link_say(kernel, &m));
	m = link_message(false, 9);
	m.h.nlmsg_type = RTM_NEWADDR;
	ck_assert(link_say(kernel, &m));
	m.h.nlmsg_type = NLMSG_DONE;
	ck_assert(link_say(kernel, &m));
	ck_assert(!tap_link_read(&l));
	expect(true, 3);
}
END_TEST

/* What is cut anywhere: too short to say how the interface is, or just without its master */
START_TEST(short_messages_are_understood_as_far_as_they_go)
{
	for (uint32_t len = 1; len < sizeof(struct link_message); len++) {
		struct link_message m = link_message(false, 9);
		bool whole = len >= offsetof(struct link_message, name);

		l.up = true;
		l.master = 3;
		ck_assert_int_eq(send(kernel, &m, len, 0), (ssize_t)len);
		(void)tap_link_read(&l);
		expect(!whole, whole ? 0 : 3);
	}
}
END_TEST

START_TEST(attributes_of_impossible_lengths_end_the_message)
{
	static const uint16_t lens[] = {0, 1, 3, 17, 100, UINT16_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		struct link_message m = link_message(true, 9);

		m.name.rta_len = lens[i];
		l.master = 3;
		ck_assert(link_say(kernel, &m));
		(void)tap_link_read(&l);
		expect(true, 0);
		m = link_message(true, 9);
		m.master.rta_len = lens[i];
		l.master = 3;
		ck_assert(link_say(kernel, &m));
		(void)tap_link_read(&l);
		expect(true, 0);
	}
}
END_TEST

START_TEST(message_that_claims_to_be_longer_or_shorter_is_read_within_itself)
{
	struct link_message m = link_message(true, 9);
	static uint8_t huge[16 * KIB];

	m.h.nlmsg_len = UINT32_MAX;
	ck_assert_int_eq(send(kernel, &m, sizeof(m), 0), sizeof(m));
	(void)tap_link_read(&l);
	expect(true, 9);
	m.h.nlmsg_len = 0;
	ck_assert_int_eq(send(kernel, &m, sizeof(m), 0), sizeof(m));
	(void)tap_link_read(&l);
	expect(true, 0);
	m = link_message(false, 9);
	memcpy(huge, &m, sizeof(m)); /* of which our buffer gets a part */
	ck_assert_int_eq(send(kernel, huge, sizeof(huge), 0), sizeof(huge));
	(void)tap_link_read(&l);
	expect(false, 9);
}
END_TEST

/* ---- the kernel's ---- */

static struct tap t;

static int request(unsigned long what, struct ifreq *ifr)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc = ioctl(s, what, ifr) < 0 ? -errno : 0;

	close(s);
	return rc;
}

static void set_up(const char *name, bool up)
{
	struct ifreq ifr = {0};

	strncpy(ifr.ifr_name, name, IFNAMSIZ - 1);
	ck_assert_int_eq(request(SIOCGIFFLAGS, &ifr), 0);
	ifr.ifr_flags = (short)(up ? ifr.ifr_flags | IFF_UP : ifr.ifr_flags & ~IFF_UP);
	ck_assert_int_eq(request(SIOCSIFFLAGS, &ifr), 0);
}

static void open_tap(struct tap *tap, const char *name)
{
	struct config cfg = {.nnet = 1,
			     .net[0] = {.tap = (char *)(uintptr_t)name, .fd = -1}};
	struct err e = {0};

	ck_assert_msg(tap_open(tap, &cfg, 0, 1, &e) == 0, "%s", e.msg);
}

static void setup_real(void)
{
	log_threshold = LOG_ERROR;
	enter_namespace();
	open_tap(&t, "mvtest0");
	(void)tap_link_read(&t.link); /* tap_open() itself was heard */
}

static bool heard(void)
{
	struct pollfd p = {.fd = t.link.fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

START_TEST(real_tap_goes_down_and_comes_back)
{
	ck_assert(t.link.up);
	ck_assert(!heard());
	set_up("mvtest0", false);
	ck_assert(heard());
	ck_assert(!tap_link_read(&t.link));
	ck_assert(!t.link.up && !t.link.gone);
	set_up("mvtest0", true);
	ck_assert(tap_link_read(&t.link));
	ck_assert(t.link.up);
}
END_TEST

START_TEST(other_interfaces_do_not_wake_us)
{
	struct tap other;

	open_tap(&other, "mvtest1");
	for (unsigned int i = 0; i < 300; i++)
		set_up("mvtest1", i % 2);
	tap_close(&other);
	set_up("lo", true);
	ck_assert(!heard());
}
END_TEST

START_TEST(another_process_is_not_the_kernel)
{
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct link_message m = link_message(false, 9);
	struct sockaddr_nl to = {0};
	socklen_t len = sizeof(to);

	m.i.ifi_index = (int)t.link.index;
	ck_assert_int_eq(getsockname(t.link.fd, (struct sockaddr *)&to, &len), 0);
	to.nl_groups = 0;
	ck_assert_int_eq(sendto(s, &m, sizeof(m), 0, (struct sockaddr *)&to, len),
			 sizeof(m));
	ck_assert(heard());
	ck_assert(!tap_link_read(&t.link));
	ck_assert(t.link.up && t.link.master == 0);
	close(s);
}
END_TEST

/* More than the socket can hold: what it is at the end is known all the same */
START_TEST(flapping_that_nobody_listens_to_ends_right)
{
	for (unsigned int n = 1000; n < 1002; n++) {
		bool moved = false;

		for (unsigned int i = 0; i < n; i++)
			set_up("mvtest0", i % 2);
		while (heard())
			moved |= tap_link_read(&t.link);
		ck_assert(moved);
		ck_assert_int_eq(t.link.up, n % 2 == 0);
		ck_assert(!t.link.lost && !t.link.gone);
	}
}
END_TEST

START_TEST(deleted_while_nobody_listens_is_gone)
{
	for (unsigned int i = 0; i < 1000; i++)
		set_up("mvtest0", i % 2);
	close(t.fd[0]);
	t.n = 0;
	while (heard() && !t.link.gone)
		(void)tap_link_read(&t.link);
	ck_assert(t.link.gone);
}
END_TEST

static bool add_bridge(const char *name)
{
	char arg[IFNAMSIZ];
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc;

	snprintf(arg, sizeof(arg), "%s", name);
	rc = ioctl(s, SIOCBRADDBR, arg);
	close(s);
	return rc == 0;
}

static void port(unsigned long what, const char *bridge)
{
	struct ifreq ifr = {.ifr_ifindex = (int)if_nametoindex("mvtest0")};

	strncpy(ifr.ifr_name, bridge, IFNAMSIZ - 1);
	ck_assert_int_eq(request(what, &ifr), 0);
}

START_TEST(from_bridge_to_bridge_is_a_move)
{
	if (!add_bridge("mvbr0") || !add_bridge("mvbr1")) {
		puts("SKIPPED: from_bridge_to_bridge_is_a_move (no bridges here)");
		return;
	}
	port(SIOCBRADDIF, "mvbr0");
	ck_assert(tap_link_read(&t.link));
	ck_assert_uint_eq(t.link.master, if_nametoindex("mvbr0"));
	port(SIOCBRDELIF, "mvbr0");
	port(SIOCBRADDIF, "mvbr1");
	ck_assert(tap_link_read(&t.link));
	ck_assert_uint_eq(t.link.master, if_nametoindex("mvbr1"));
	port(SIOCBRDELIF, "mvbr1");
	(void)tap_link_read(&t.link);
	ck_assert_uint_eq(t.link.master, 0);
	ck_assert(t.link.up && !t.link.gone);
}
END_TEST

START_TEST(tap_that_is_down_at_first_is_known_to_be)
{
	struct tap_link again;

	set_up("mvtest0", false);
	ck_assert_int_eq(tap_link_open(&again, "mvtest0"), 0);
	ck_assert(!again.up && !again.gone);
	tap_link_close(&again);
	ck_assert_int_eq(tap_link_open(&again, "mvtest9"), -ENODEV);
	ck_assert_uint_eq(again.index, 0);
}
END_TEST

/* By its descriptor: followed when it is the interface that we see, not when that only has
 * the same name
 */
START_TEST(descriptor_of_another_namespace_is_not_taken_for_ours)
{
	struct config by_fd = {.nnet = 1};
	struct err e = {0};
	struct tap here, there, ours;

	by_fd.net[0].fd = dup(t.fd[0]);
	ck_assert_int_eq(tap_open(&here, &by_fd, 0, 1, &e), 0);
	ck_assert_uint_eq(here.link.index, if_nametoindex("mvtest0"));
	tap_close(&here);
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	open_tap(&ours, "mvtest0");
	by_fd.net[0].fd = dup(t.fd[0]);
	ck_assert_int_eq(tap_open(&there, &by_fd, 0, 1, &e), 0);
	ck_assert_uint_eq(there.link.index, 0);
	ck_assert_uint_ne(ours.link.index, 0);
}
END_TEST

static void add_real_tests(TCase *real)
{
	tcase_add_test(real, real_tap_goes_down_and_comes_back);
	tcase_add_test(real, other_interfaces_do_not_wake_us);
	tcase_add_test(real, another_process_is_not_the_kernel);
	tcase_add_test(real, flapping_that_nobody_listens_to_ends_right);
	tcase_add_test(real, deleted_while_nobody_listens_is_gone);
	tcase_add_test(real, from_bridge_to_bridge_is_a_move);
	tcase_add_test(real, tap_that_is_down_at_first_is_known_to_be);
	tcase_add_test(real, descriptor_of_another_namespace_is_not_taken_for_ours);
}

UNIT_MAIN("tap_link", setup, teardown, tc)
{
	TCase *real = unit_case(suite, "real-tap", setup_real, NULL);

	tcase_add_test(tc, down_and_up_again_is_a_move_only_when_up);
	tcase_add_test(tc, down_and_up_before_we_look_is_a_move);
	tcase_add_test(tc, carrier_off_is_down);
	tcase_add_test(tc, another_master_is_a_move);
	tcase_add_test(tc, deleted_is_gone_but_not_by_a_bridge);
	tcase_add_test(tc, what_is_not_there_any_more_is_gone);
	tcase_add_test(tc, what_is_said_of_others_is_nothing_to_us);
	tcase_add_test(tc, short_messages_are_understood_as_far_as_they_go);
	tcase_add_test(tc, attributes_of_impossible_lengths_end_the_message);
	tcase_add_test(tc,
		       message_that_claims_to_be_longer_or_shorter_is_read_within_itself);
	if (have_namespace())
		add_real_tests(real);
	else
		puts("SKIPPED: real-tap (no network namespace or no /dev/net/tun here)");
}
