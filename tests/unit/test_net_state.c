/* SPDX-License-Identifier: Apache-2.0 */
/* test_net_state - a network card is saved, and loaded on another tap, or refused there. */
#include "tests/unit/net_fixture.h"

#include <linux/virtio_mmio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/rest.h"
#include "tests/lib/unit.h"

#define LENGTH_AT (STATE_NAME_SIZE + 4) /* of the section, in its header */

static uint8_t image[8192], mac[6];
static size_t len;

/* A loop forgets no device that it looks at */
static void new_loop(void)
{
	loop_del(d.loop, &d.timer);
	loop_destroy(d.loop);
	d.env.loop = d.loop = loop_create();
	ck_assert_ptr_nonnull(d.loop);
	d.timer.events = EPOLLIN;
	ck_assert_int_eq(loop_add(d.loop, &d.timer), 0);
}

/* Another card: @given is its configuration, @name its tap's */
static void replug(const struct config_net *given, const char *name, unsigned int queues)
{
	struct tap tap = {.n = queues};
	int sv[2];

	(void)snprintf(tap.name, sizeof(tap.name), "%s", name);
	for (unsigned int i = 0; i < queues; i++) {
		ck_assert_int_eq(socketpair(AF_UNIX,
					    SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
					    0, sv),
				 0);
		tap.fd[i] = sv[0];
		if (i) {
			close(sv[1]);
			continue;
		}
		close(wire);
		wire = sv[1];
	}
	driver_unplug(&d);
	new_loop();
	d.cfg.net[0] = *given;
	d.cfg.net[0].fd = -1;
	driver_plug(&d, net_create_on(&d.env, 0, &tap, &d.err));
}

static void read_mac(uint8_t to[6])
{
	for (unsigned int i = 0; i < 6; i++)
		to[i] = (uint8_t)driver_read_n(&d, VIRTIO_MMIO_CONFIG + i, 1);
}

static void save(void)
{
	const char *why;

	read_mac(mac);
	ck_assert(rest_reached(&d));
	len = rest_save(&d, image, sizeof(image), &why);
	ck_assert_msg(len, "%s", why);
}

static void expect_refused(const char *word)
{
	const char *why = rest_load(&d, image, len);
	uint8_t now[6];

	ck_assert_ptr_nonnull(why);
	ck_assert_msg(strstr(why, word), "%s", why);
	ck_assert_uint_eq(driver_status(&d), 0);
	read_mac(now);
	ck_assert_int_ne(memcmp(now, mac, sizeof(mac)), 0);
	d.heap = DRIVER_HEAP; /* and it is as good as new */
	ck_assert(driver_bring_up(&d, ~0ULL));
	buf = driver_alloc(&d, MIB, 4096);
	post(buf, 2048);
	wire_send(FRAME);
	expect_received(FRAME, buf, 2048);
}

START_TEST(loaded_card_goes_on_with_its_address)
{
	uint8_t now[6];
	uint32_t id, used;

	post(buf, 2048);
	post(buf + 2048, 2048);
	wire_send(FRAME);
	expect_received(FRAME, buf, 2048);
	save();
	replug(&(struct config_net){0}, "other1", 1);
	read_mac(now);
	ck_assert_int_ne(memcmp(now, mac, sizeof(mac)), 0);
	ck_assert_ptr_null(rest_load(&d, image, len));
	read_mac(now);
	ck_assert_mem_eq(now, mac, sizeof(mac));
	wire_send(FRAME);
	expect_received(FRAME, buf + 2048, 2048);
	memcpy(driver_ptr(&d, buf, FRAME), frame, FRAME);
	driver_send(&d, NET_TX, &(struct driver_buf){buf, FRAME, false}, 1);
	ck_assert(driver_wait(&d, NET_TX, &id, &used));
	wire_expect(FRAME);
}
END_TEST

START_TEST(loaded_at_rest_it_goes_on_afterwards)
{
	post(buf, 2048);
	save();
	replug(&(struct config_net){0}, "other1", 1);
	ck_assert(driver_rest(&d));
	ck_assert_ptr_null(rest_load(&d, image, len));
	wire_send(FRAME);
	expect_no_used(NET_RX);
	ck_assert(rest_reached(&d));
	driver_wake(&d);
	expect_received(FRAME, buf, 2048);
}
END_TEST

START_TEST(what_cannot_be_the_same_card_is_refused)
{
	const struct config_net other = {.has_mac = true, .mac = {2, 0, 0, 0, 0, 9}};

	save();
	replug(&(struct config_net){.mtu = 1400}, "other1", 1);
	expect_refused("MTU");
	replug(&other, "other1", 1);
	expect_refused("mac=");
	replug(&(struct config_net){0}, "other1", 2);
	expect_refused("queues");
}
END_TEST

/* Only its end shows that it is wrong: all fields were read by then */
static void make_too_long(void)
{
	image[len++] = 0;
	image[LENGTH_AT]++;
	ck_assert_uint_ne(image[LENGTH_AT], 0);
}

START_TEST(refused_at_its_end_it_leaves_the_address)
{
	save();
	make_too_long();
	replug(&(struct config_net){0}, "other1", 1);
	expect_refused("left over");
	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	save();
	make_too_long();
	replug(&(struct config_net){0}, "other2", 1);
	expect_refused("left over");
}
END_TEST

START_TEST(card_without_a_driver_is_saved_as_well)
{
	uint8_t now[6];

	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	save();
	replug(&(struct config_net){0}, "other1", 1);
	ck_assert_ptr_null(rest_load(&d, image, len));
	read_mac(now);
	ck_assert_mem_eq(now, mac, sizeof(mac));
}
END_TEST

START_TEST(image_cut_short_or_with_any_bit_wrong_is_survived)
{
	static uint8_t bad[sizeof(image)];

	save();
	for (size_t cut = 0; cut < len; cut++) {
		ck_assert_ptr_nonnull(rest_load(&d, image, cut));
		ck_assert_uint_eq(driver_status(&d), 0);
	}
	for (size_t i = 0; i < len * 8; i += 3) {
		memcpy(bad, image, len);
		bad[i / 8] ^= (uint8_t)(1 << i % 8);
		(void)rest_load(&d, bad, len);
		for (unsigned int qi = 0; qi < d.v->nvq; qi++)
			driver_kick(&d, qi);
		driver_pump(&d);
	}
}
END_TEST

UNIT_MAIN("net_state", setup, teardown, t)
{
	tcase_add_test(t, loaded_card_goes_on_with_its_address);
	tcase_add_test(t, loaded_at_rest_it_goes_on_afterwards);
	tcase_add_test(t, what_cannot_be_the_same_card_is_refused);
	tcase_add_test(t, refused_at_its_end_it_leaves_the_address);
	tcase_add_test(t, card_without_a_driver_is_saved_as_well);
	tcase_add_test(t, image_cut_short_or_with_any_bit_wrong_is_survived);
}
