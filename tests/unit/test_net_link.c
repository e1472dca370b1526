/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_net_link - a card's link follows its tap, and a guest that came back announces itself,
 * however odd its driver.
 */
#include "tests/unit/net_fixture.h"
#include "tests/unit/tap_fixture.h"

#include <linux/virtio_mmio.h>
#include <stdlib.h>

#include "devices/virtio/devices.h"
#include "tests/lib/link_message.h"
#include "tests/lib/unit.h"

#define PAIRS    2 /* so that there is a control queue */
#define CONTROL  (2 * PAIRS)
#define UP       VIRTIO_NET_S_LINK_UP
#define ANNOUNCE VIRTIO_NET_S_ANNOUNCE

static int kernel; /* what it says of the tap */
static int wires[PAIRS];
static gpa_t cmd;

static void plug_link(bool up)
{
	struct tap tap = {.n = PAIRS, .name = "tap0"};
	int sv[2];

	log_threshold = LOG_ERROR;
	for (unsigned int i = 0; i < PAIRS; i++) {
		ck_assert_int_eq(socketpair(AF_UNIX,
					    SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
					    0, sv),
				 0);
		tap.fd[i] = sv[0];
		wires[i] = sv[1];
	}
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv),
		0);
	tap.link = (struct tap_link){.index = LINK_INDEX, .fd = sv[0], .up = up};
	kernel = sv[1];
	driver_init(&d, RAM);
	d.cfg.nnet = 1;
	d.cfg.net[0].fd = -1;
	driver_plug(&d, net_create_on(&d.env, 0, &tap, &d.err));
}

static void bring_up(uint64_t features)
{
	ck_assert(driver_bring_up(&d, features));
	cmd = driver_alloc(&d, 64, 16);
	driver_settle(&d);
	(void)driver_irqs(&d);
}

static void setup_link(void)
{
	plug_link(true);
	bring_up(~0ULL);
}

static void teardown_link(void)
{
	driver_fini(&d);
	for (unsigned int i = 0; i < PAIRS; i++)
		close(wires[i]);
	close(kernel);
}

static struct net *device(void)
{
	return container_of(d.v, struct net, v);
}

static unsigned int status(void)
{
	unsigned int at = VIRTIO_MMIO_CONFIG + offsetof(struct virtio_net_config, status);

	return (unsigned int)driver_read_n(&d, at, 2);
}

static void say(bool up, uint32_t master)
{
	struct link_message m = link_message(up, master);

	ck_assert(link_say(kernel, &m));
}

static void say_and_settle(bool up, uint32_t master)
{
	say(up, master);
	driver_settle(&d);
}

static void say_deleted(void)
{
	struct link_message m = link_message(false, 0);

	m.h.nlmsg_type = RTM_DELLINK;
	ck_assert(link_say(kernel, &m));
	driver_settle(&d);
}

/* The answer to a command of @len bytes */
static int command(uint8_t class, uint8_t number, uint32_t len)
{
	const struct driver_buf b[] = {{cmd, len, false}, {cmd + 32, 1, true}};
	uint8_t *p = driver_ptr(&d, cmd, 64);
	uint32_t id, used;

	memset(p, 0, 64);
	p[0] = class;
	p[1] = number;
	p[32] = 0xee;
	driver_send(&d, CONTROL, b, 2);
	driver_pump(&d);
	ck_assert(driver_used(&d.ring[CONTROL], &id, &used));
	return p[32];
}

static int ack(void)
{
	return command(VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCE_ACK, 2);
}

static bool asked(void)
{
	return status() & ANNOUNCE;
}

/* ---- the link ---- */

START_TEST(guest_sees_its_tap_go_down_and_come_back)
{
	ck_assert_uint_eq(status(), UP);
	say_and_settle(false, 0);
	ck_assert_uint_eq(status(), 0);
	ck_assert_uint_eq(driver_irqs(&d), 1);
	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_INTERRUPT_STATUS) &
				  VIRTIO_MMIO_INT_CONFIG,
			  VIRTIO_MMIO_INT_CONFIG);
	say_and_settle(true, 0);
	ck_assert_uint_eq(status(), UP);
	ck_assert_uint_eq(driver_irqs(&d), 1);
}
END_TEST

START_TEST(tap_that_is_down_at_start_is_a_link_down)
{
	teardown_link();
	plug_link(false);
	ck_assert_uint_eq(status(), 0);
	bring_up(~0ULL);
	ck_assert_uint_eq(status(), 0);
	say_and_settle(true, 0);
	ck_assert_uint_eq(status(), UP);
}
END_TEST

START_TEST(flapping_is_seen_as_what_it_ends_with)
{
	for (unsigned int i = 0; i < 61; i++)
		say(i % 2, 0);
	driver_settle(&d);
	ck_assert_uint_eq(status(), 0);
	ck_assert_uint_eq(driver_irqs(&d), 1);
}
END_TEST

START_TEST(what_changes_nothing_interrupts_nobody)
{
	for (unsigned int i = 0; i < 20; i++)
		say_and_settle(true, 0);
	ck_assert_uint_eq(driver_irqs(&d), 0);
	ck_assert(!device()->link.soon);
}
END_TEST

START_TEST(what_happened_without_a_driver_is_seen_by_the_next)
{
	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	say_and_settle(false, 0);
	bring_up(~0ULL);
	ck_assert_uint_eq(status(), 0);
	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	say_and_settle(true, 0);
	bring_up(~0ULL);
	ck_assert_uint_eq(status(), UP);
	ck_assert(driver_until(&d, asked()));
}
END_TEST

START_TEST(broken_device_does_not_spin_on_messages)
{
	driver_offer(&d.ring[NET_TX], UINT16_MAX);
	driver_kick(&d, NET_TX);
	driver_settle(&d);
	ck_assert(driver_broken(&d));
	say_and_settle(false, 0);
	ck_assert_uint_eq(device()->link.source.events, 0);
	bring_up(~0ULL);
	ck_assert_uint_eq(status(), 0);
}
END_TEST

START_TEST(deleted_tap_is_lost_once_whoever_says_it_first)
{
	say_deleted();
	ck_assert_uint_eq(status(), 0);
	ck_assert_uint_eq(driver_irqs(&d), 1);
	close(wires[0]);
	wires[0] = -1;
	driver_run(&d, 5);
	say_deleted();
	ck_assert_uint_eq(driver_irqs(&d), 0);
	bring_up(~0ULL);
	ck_assert_uint_eq(status(), 0);
	say_and_settle(true, 4);
	ck_assert_uint_eq(status(), 0);
}
END_TEST

/* ---- the announcement ---- */

START_TEST(guest_that_came_back_is_asked_after_its_link_is_up)
{
	say_and_settle(false, 0);
	say_and_settle(true, 0);
	ck_assert_uint_eq(status(), UP);
	ck_assert(device()->link.soon);
	(void)driver_irqs(&d);
	ck_assert(driver_until(&d, asked()));
	ck_assert_uint_eq(status(), UP | ANNOUNCE);
	ck_assert_uint_eq(driver_irqs(&d), 1);
	ck_assert_int_eq(ack(), VIRTIO_NET_OK);
	ck_assert_uint_eq(status(), UP);
	ck_assert_int_eq(ack(), VIRTIO_NET_ERR);
	ck_assert(!device()->link.soon);
}
END_TEST

START_TEST(guest_on_another_bridge_is_asked)
{
	say_and_settle(true, 3);
	ck_assert_uint_eq(driver_irqs(&d), 0);
	ck_assert(driver_until(&d, asked()));
	ck_assert_int_eq(ack(), VIRTIO_NET_OK);
}
END_TEST

/* What it sent for the first may have gone where it is not any more */
START_TEST(guest_that_moves_while_it_is_asked_is_asked_again)
{
	say_and_settle(true, 3);
	ck_assert(driver_until(&d, asked()));
	say_and_settle(true, 4);
	ck_assert(driver_until(&d, !device()->link.soon));
	ck_assert_int_eq(ack(), VIRTIO_NET_OK);
	ck_assert(!asked());
	ck_assert(driver_until(&d, asked()));
	ck_assert_int_eq(ack(), VIRTIO_NET_OK);
	ck_assert(!device()->link.soon);
}
END_TEST

START_TEST(link_that_went_again_is_not_announced)
{
	say_and_settle(true, 3);
	say_and_settle(false, 3);
	ck_assert(driver_until(&d, !device()->link.soon));
	ck_assert_uint_eq(status(), 0);
	say_and_settle(true, 3);
	ck_assert(driver_until(&d, asked()));
}
END_TEST

START_TEST(driver_that_does_not_announce_is_not_asked)
{
	static const unsigned int without[] = {VIRTIO_NET_F_GUEST_ANNOUNCE,
					       VIRTIO_NET_F_CTRL_VQ};

	for (size_t i = 0; i < ARRAY_SIZE(without); i++) {
		bring_up(~(1ULL << without[i]));
		say_and_settle(false, 0);
		say_and_settle(true, 0);
		ck_assert_uint_eq(status(), UP);
		ck_assert(!device()->link.soon);
	}
}
END_TEST

START_TEST(reset_forgets_the_announcement)
{
	say_and_settle(true, 3);
	ck_assert(driver_until(&d, asked()));
	say_and_settle(true, 4);
	ck_assert(device()->link.soon);
	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	ck_assert_uint_eq(status(), UP);
	ck_assert(!device()->link.soon);
	bring_up(~0ULL);
	driver_run(&d, 2 * NET_ANNOUNCE_MS);
	ck_assert_uint_eq(status(), UP);
	ck_assert_int_eq(ack(), VIRTIO_NET_ERR);
}
END_TEST

START_TEST(acks_that_nobody_asked_for_do_nothing)
{
	for (unsigned int i = 0; i < 1000; i++)
		ck_assert_int_eq(ack(), VIRTIO_NET_ERR);
	ck_assert_uint_eq(status(), UP);
	ck_assert(!device()->link.soon);
	ck_assert(!driver_broken(&d));
	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_INTERRUPT_STATUS) &
				  VIRTIO_MMIO_INT_CONFIG,
			  0);
}
END_TEST

START_TEST(odd_acks_are_refused)
{
	const uint8_t c = VIRTIO_NET_CTRL_ANNOUNCE, a = VIRTIO_NET_CTRL_ANNOUNCE_ACK;

	say_and_settle(true, 3);
	ck_assert(driver_until(&d, asked()));
	ck_assert_int_eq(command(c, a, 1), VIRTIO_NET_ERR);
	ck_assert_int_eq(command(c, a, 3), VIRTIO_NET_ERR);
	for (unsigned int i = 1; i < 256; i++)
		ck_assert_int_eq(command(c, (uint8_t)i, 2), VIRTIO_NET_ERR);
	ck_assert(asked());
	ck_assert_int_eq(ack(), VIRTIO_NET_OK);
}
END_TEST

/* ---- a real one ---- */

/* Interface "mvtest0" of this thread goes to where the process of @pid is */
static void send_away(pid_t pid)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
		struct rtattr a;
		uint32_t pid;
	} m = {.h = {.nlmsg_len = sizeof(m),
		     .nlmsg_type = RTM_NEWLINK,
		     .nlmsg_flags = NLM_F_REQUEST},
	       .i = {.ifi_index = (int)if_nametoindex("mvtest0")},
	       .a = {.rta_len = RTA_LENGTH(4), .rta_type = IFLA_NET_NS_PID},
	       .pid = (uint32_t)pid};
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	ck_assert_int_eq(send(s, &m, sizeof(m), 0), sizeof(m));
	close(s);
	ck_assert_uint_eq(if_nametoindex("mvtest0"), 0);
}

static void setup_real(void)
{
	struct config_net net = {.tap = (char[]){"mvtest0"}, .fd = -1};
	struct tap tap;

	log_threshold = LOG_ERROR;
	enter_namespace();
	driver_init(&d, RAM);
	d.cfg.nnet = 1;
	d.cfg.net[0] = net;
	ck_assert_int_eq(tap_open(&tap, &d.cfg, 0, PAIRS, &d.err), 0);
	driver_plug(&d, net_create_on(&d.env, 0, &tap, &d.err));
	bring_up(~0ULL);
	ck_assert_uint_eq(status(), UP);
}

static void teardown_real(void)
{
	driver_fini(&d);
}

START_TEST(tap_that_leaves_its_namespace_is_not_lost)
{
	int hold[2], ready[2];
	char c = 0;
	pid_t pid;

	ck_assert(pipe(hold) == 0 && pipe(ready) == 0);
	pid = fork();
	if (pid == 0) {
		close(hold[1]);
		c = unshare(CLONE_NEWNET) < 0;
		(void)!write(ready[1], &c, 1);
		_exit((int)read(hold[0], &c, 1));
	}
	ck_assert(read(ready[0], &c, 1) == 1 && c == 0);
	send_away(pid);
	driver_settle(&d);
	ck_assert_uint_eq(status(), UP);
	ck_assert_uint_eq(device()->tap.link.index, 0);
	ck_assert(!device()->dead);
	close(hold[1]);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

START_TEST(restored_guest_is_asked)
{
	uint8_t image[4096];
	struct state s;

	state_saver(&s, image, sizeof(image));
	d.dev->ops->state(d.dev, &s);
	ck_assert_ptr_null(s.why);
	state_loader(&s, image, s.pos);
	d.dev->ops->state(d.dev, &s);
	ck_assert_ptr_null(s.why);
	ck_assert(driver_until(&d, asked()));
	ck_assert_uint_eq(status(), UP | ANNOUNCE);
}
END_TEST

UNIT_MAIN("net_link", setup_link, teardown_link, t)
{
	TCase *real = unit_case(suite, "real-tap", setup_real, teardown_real);

	tcase_set_timeout(t, 60);
	tcase_add_test(t, guest_sees_its_tap_go_down_and_come_back);
	tcase_add_test(t, tap_that_is_down_at_start_is_a_link_down);
	tcase_add_test(t, flapping_is_seen_as_what_it_ends_with);
	tcase_add_test(t, what_changes_nothing_interrupts_nobody);
	tcase_add_test(t, what_happened_without_a_driver_is_seen_by_the_next);
	tcase_add_test(t, broken_device_does_not_spin_on_messages);
	tcase_add_test(t, deleted_tap_is_lost_once_whoever_says_it_first);
	tcase_add_test(t, guest_that_came_back_is_asked_after_its_link_is_up);
	tcase_add_test(t, guest_on_another_bridge_is_asked);
	tcase_add_test(t, guest_that_moves_while_it_is_asked_is_asked_again);
	tcase_add_test(t, link_that_went_again_is_not_announced);
	tcase_add_test(t, driver_that_does_not_announce_is_not_asked);
	tcase_add_test(t, reset_forgets_the_announcement);
	tcase_add_test(t, acks_that_nobody_asked_for_do_nothing);
	tcase_add_test(t, odd_acks_are_refused);
	if (have_namespace()) {
		tcase_add_test(real, tap_that_leaves_its_namespace_is_not_lost);
		tcase_add_test(real, restored_guest_is_asked);
	} else {
		puts("SKIPPED: real-tap (no network namespace or no /dev/net/tun here)");
	}
}
