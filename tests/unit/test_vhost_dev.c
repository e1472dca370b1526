/* SPDX-License-Identifier: Apache-2.0 */
/* test_vhost_dev - devices that another process serves: alive, dead, and come again. */
#include <check.h>
#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_fs.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/virtio/devices.h"
#include "devices/virtio/vhost_user_device.h"
#include "tests/lib/driver.h"
#include "tests/lib/unit.h"
#include "tests/lib/vhost_peer.h"
#include "vmm/core/util.h"

static struct driver d;
static struct peer peer;
static char dir[32], path[64], share0[] = "share0";

static void setup(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	driver_init_shared(&d, MIB);
	peer_init(&peer);
	(void)snprintf(dir, sizeof(dir), "/tmp/test-vhost-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/s", dir);
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	peer.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(peer.listener, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(peer.listener, 4), 0);
	d.cfg.ncpu = 4;
}

static void teardown(void)
{
	const char *wrong = peer.wrong;

	driver_fini(&d);
	peer_stop(&peer);
	close(peer.listener);
	unlink(path);
	rmdir(dir);
	ck_assert_msg(!wrong, "message %u: %s", peer.wrong_at, wrong);
}

static void plug_fs(void)
{
	(void)peer_run(&peer);
	d.cfg.share[0].socket = path;
	if (!d.cfg.share[0].tag)
		d.cfg.share[0].tag = share0;
	d.cfg.nshare = 1;
	driver_plug(&d, fs_create(&d.env, 0, &d.err));
}

static struct virtio_blk_config blk_config = {
	.capacity = 1000, .seg_max = 5000, .blk_size = 512, .num_queues = 3};

static void plug_blk(void)
{
	peer.features |= 1ULL << VIRTIO_BLK_F_SEG_MAX | 1ULL << VIRTIO_BLK_F_MQ |
			 1ULL << VIRTIO_BLK_F_CONFIG_WCE | 1ULL << VIRTIO_F_RING_PACKED |
			 1ULL << VIRTIO_BLK_F_RO;
	memcpy(peer.config, &blk_config, sizeof(blk_config));
	(void)peer_run(&peer);
	d.cfg.disk[0].vhost_user = path;
	d.cfg.ndisk = 1;
	driver_plug(&d, blk_vhost_create(&d.env, 0, &d.err));
}

/* A byte there and back through queue @qi */
static bool echoes(unsigned int qi)
{
	gpa_t at = driver_alloc(&d, 2, 1);
	uint8_t *p = driver_ptr(&d, at, 2);
	uint32_t id, len;

	p[0] = 0x5a;
	driver_send(&d, qi, (struct driver_buf[]){{at, 1, false}, {at + 1, 1, true}}, 2);
	return driver_wait(&d, qi, &id, &len) && len == 1 && p[1] == 0x5a;
}

START_TEST(requests_go_through_without_us)
{
	plug_fs();
	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_FS);
	ck_assert(driver_bring_up(&d, ~0ULL));
	for (unsigned int i = 0; i < 100; i++)
		ck_assert(echoes(i % 2));
	ck_assert_uint_eq(peer.echoed, 100);
	ck_assert_uint_ge(driver_irqs(&d), 1);
	/* negotiated with the driver and with the other side alike */
	ck_assert_uint_eq(peer.acked & ~(1ULL << 30), d.v->acked);
	ck_assert_uint_eq(d.v->acked & 1ULL << VIRTIO_RING_F_INDIRECT_DESC, 0);
}
END_TEST

START_TEST(kick_reaches_it_without_a_register_write)
{
	gpa_t at;
	uint32_t id, len;

	plug_fs();
	d.binds = true;
	ck_assert(driver_bring_up(&d, ~0ULL));
	at = driver_alloc(&d, 1, 1);
	driver_add(&d.ring[1], &(struct driver_buf){at, 1, true}, 1);
	driver_publish(&d.ring[1]);
	for (unsigned int i = 0; i < d.nbound; i++)
		if (d.bound[i].addr == DRIVER_BASE + VIRTIO_MMIO_QUEUE_NOTIFY &&
		    d.bound[i].value == 1)
			ck_assert_int_eq(!write(d.bound[i].fd, "\1\0\0\0\0\0\0", 8), 0);
	ck_assert(driver_wait(&d, 1, &id, &len));
}
END_TEST

START_TEST(driver_always_finds_the_used_buffers_bit)
{
	plug_fs();
	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_INTERRUPT_STATUS), 1);
	driver_write(&d, VIRTIO_MMIO_INTERRUPT_ACK, 1);
	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_INTERRUPT_STATUS), 1);
	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
}
END_TEST

START_TEST(driver_may_come_and_go)
{
	plug_fs();
	for (unsigned int i = 0; i < 5; i++) {
		ck_assert(driver_bring_up(&d, ~0ULL));
		ck_assert(echoes(1));
	}
	ck_assert_uint_eq(peer.connections, 1);
	ck_assert_uint_eq(peer.base[1], 0);
}
END_TEST

/* What was under way when the driver reset the device may not go on afterwards. */
START_TEST(reset_waits_for_what_is_under_way)
{
	gpa_t at = driver_alloc(&d, 2, 1);

	peer.lags = true;
	plug_fs();
	ck_assert(driver_bring_up(&d, ~0ULL));
	driver_send(&d, 1, (struct driver_buf[]){{at, 1, false}, {at + 1, 1, true}}, 2);
	driver_run(&d, 20);
	ck_assert_uint_eq(driver_used_idx(&d.ring[1]), 0);
	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	ck_assert_uint_eq(driver_used_idx(&d.ring[1]), 1);
}
END_TEST

START_TEST(tag_is_what_the_guest_reads)
{
	struct virtio_fs_config want = {.tag = "data", .num_request_queues = 1};
	char tag[] = "data";

	d.cfg.share[0].tag = tag;
	plug_fs();
	for (unsigned int i = 0; i < sizeof(want); i += 4)
		ck_assert_int_eq(
			memcmp((uint8_t *)&want + i, d.page + VIRTIO_MMIO_CONFIG + i, 4),
			0);
}
END_TEST

/* What passes through is what we know, and what cannot be is made possible. */
START_TEST(disk_is_as_its_process_says_within_reason)
{
	struct virtio_blk_config got;

	plug_blk();
	memcpy(&got, d.page + VIRTIO_MMIO_CONFIG, sizeof(got));
	ck_assert_uint_eq(got.capacity, 1000);
	ck_assert_uint_eq(got.num_queues, 3);
	ck_assert_uint_eq(got.seg_max, 254);
	ck_assert_uint_eq(d.v->nvq, 3);
	ck_assert_uint_eq(driver_offered(&d) &
				  (1ULL << VIRTIO_BLK_F_CONFIG_WCE |
				   1ULL << VIRTIO_F_RING_PACKED | 1ULL << 30),
			  0);
	ck_assert(driver_offered(&d) & 1ULL << VIRTIO_BLK_F_RO);
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert(echoes(2));
}
END_TEST

START_TEST(impossible_number_of_queues_is_one)
{
	blk_config.num_queues = 0;
	plug_blk();
	ck_assert_uint_eq(d.v->nvq, 1);
}
END_TEST

/* A program called virtiofsd that does @script */
static struct virtio_dev *share_by(const char *script)
{
	char file[64];
	FILE *f;

	(void)peer_run(&peer);
	(void)snprintf(file, sizeof(file), "%s/virtiofsd", dir);
	f = fopen(file, "we");
	ck_assert_ptr_nonnull(f);
	(void)fprintf(f, "#!/bin/sh\n%s\n", script);
	(void)fclose(f);
	ck_assert_int_eq(chmod(file, 0755), 0);
	setenv("PATH", dir, 1);
	d.cfg.share[0].path = dir;
	d.cfg.share[0].tag = share0;
	d.cfg.nshare = 1;
	return fs_create(&d.env, 0, &d.err);
}

static void share_failed(const char *why)
{
	char file[64];

	(void)snprintf(file, sizeof(file), "%s/virtiofsd", dir);
	unlink(file);
	ck_assert_msg(strstr(d.err.msg, why) != NULL, "%s", d.err.msg);
	ck_assert_msg(strstr(d.err.msg, dir) != NULL, "%s", d.err.msg);
}

START_TEST(daemon_that_dies_at_the_start_is_quoted)
{
	ck_assert_ptr_null(share_by("echo no luck today >&2; exit 3"));
	share_failed("virtiofsd ended with status 3: no luck today");
}
END_TEST

START_TEST(daemon_that_dies_without_a_word_or_of_ours_has_a_cure)
{
	ck_assert_ptr_null(share_by("exit 3"));
	share_failed(
		"virtiofsd ended with status 3; try it by itself: virtiofsd --version");
	peer_stop(&peer); /* share_by() runs one each time */
	ck_assert_ptr_null(share_by("echo invalid option: --fd >&2; exit 1"));
	share_failed("--fd; it may be too old, or another program of that name");
}
END_TEST

START_TEST(daemon_that_hangs_at_the_start_is_given_up)
{
	vu_begin_ms = 200;
	ck_assert_ptr_null(share_by("exec /bin/sleep 100"));
	share_failed(
		"virtiofsd runs and has not answered in time; is the host overloaded");
}
END_TEST

START_TEST(memory_that_is_not_shared_is_refused)
{
	struct driver other;

	(void)peer_run(&peer);
	driver_init(&other, MIB);
	other.cfg.share[0].socket = path;
	ck_assert_ptr_null(fs_create(&other.env, 0, &other.err));
	ck_assert_ptr_nonnull(strstr(other.err.msg, "not shared"));
	driver_fini(&other);
}
END_TEST

static bool breaks(void)
{
	return driver_until(&d, driver_broken(&d));
}

START_TEST(death_costs_the_device)
{
	plug_fs();
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert(echoes(1));
	peer.dies_kicked = true;
	driver_kick(&d, 1);
	ck_assert(breaks());
	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_INTERRUPT_STATUS), 3);
	(void)driver_bring_up(&d, ~0ULL); /* nobody is there to serve it */
	ck_assert(driver_broken(&d));
	ck_assert_uint_eq(peer.connections, 1);
}
END_TEST

START_TEST(words_that_nobody_asked_for_cost_the_device)
{
	plug_fs();
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert(echoes(1));
	peer.says_kicked = true;
	driver_kick(&d, 1);
	ck_assert(breaks());
}
END_TEST

START_TEST(refusal_at_the_start_costs_the_device)
{
	peer.at = VU_SET_VRING_ENABLE;
	peer.lie = PEER_NACKS;
	plug_fs();
	(void)driver_bring_up(&d, ~0ULL);
	ck_assert(driver_broken(&d));
}
END_TEST

START_TEST(death_during_a_reset_does_not_hinder_it)
{
	peer.at = VU_GET_VRING_BASE;
	peer.lie = PEER_DIES;
	plug_fs();
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert(echoes(1));
	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	ck_assert_uint_eq(driver_status(&d), 0);
	driver_run(&d, 20);
}
END_TEST

/* Its notes on what is in flight are for its successor, which begins after the last used
 * element; the request that was there meanwhile is served.
 */
START_TEST(disk_with_notes_comes_again)
{
	peer.protocol |= 1ULL << VHOST_USER_P_INFLIGHT;
	plug_blk();
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert(echoes(0));
	ck_assert(echoes(0));
	ck_assert_uint_eq(peer.inflight_set, 1);
	peer.dies_kicked = true;
	ck_assert(echoes(0)); /* in less than the two seconds that it is given */
	ck_assert_uint_eq(peer.connections, 2);
	ck_assert_uint_eq(peer.base[0], 2);
	ck_assert_uint_eq(peer.inflight_set, 2);
	ck_assert(!driver_broken(&d));
	ck_assert(echoes(1));
}
END_TEST

/* Queues of which the driver makes ready what it likes, at the size that it likes: a back end
 * has notes for all of them, or it writes past their end.
 */
START_TEST(notes_have_room_for_whatever_the_driver_chooses)
{
	static const struct {
		unsigned int qi;
		uint16_t size;
	} made[][2] = {
		{{0, 2}, {2, 256}},
		{{0, 256}, {1, 1}},
		{{1, 1}, {2, 16}},
	};

	peer.protocol |= 1ULL << VHOST_USER_P_INFLIGHT;
	plug_blk();
	for (unsigned int i = 0; i < ARRAY_SIZE(made); i++) {
		ck_assert(driver_negotiate(&d, ~0ULL));
		for (unsigned int k = 0; k < 2; k++)
			driver_queue(&d, made[i][k].qi, made[i][k].size);
		driver_write(&d, VIRTIO_MMIO_STATUS,
			     driver_status(&d) | VIRTIO_CONFIG_S_DRIVER_OK);
		ck_assert(!driver_broken(&d));
		ck_assert_uint_eq(peer.started, 2 * (i + 1));
		ck_assert_uint_eq(peer.asked_nqueue, 3);
		ck_assert_uint_eq(peer.asked_size, 256);
	}
}
END_TEST

/* The driver's indices are any: its back end is told 16 bits of them */
START_TEST(used_index_that_the_driver_made_up)
{
	peer.protocol |= 1ULL << VHOST_USER_P_INFLIGHT;
	plug_blk();
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert(echoes(0));
	memset(driver_ptr(&d, d.ring[1].used, 4), 0xff, 4);
	peer.dies_kicked = true;
	driver_kick(&d, 0);
	ck_assert(driver_until(&d, peer.connections == 2 && peer.inflight_set == 2));
	ck_assert(driver_until(&d, peer.base[1] == 0xffff));
}
END_TEST

/* One that cannot read the notes would do again what is done */
START_TEST(successor_without_notes_or_with_fewer_queues_is_refused)
{
	peer.protocol |= 1ULL << VHOST_USER_P_INFLIGHT;
	plug_blk();
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert(echoes(0));
	if (_i)
		peer.queues = 2;
	else
		peer.protocol &= ~(1ULL << VHOST_USER_P_INFLIGHT);
	peer.dies_kicked = true;
	driver_kick(&d, 0);
	ck_assert(driver_until(&d, peer.connections == 3));
	ck_assert_uint_eq(peer.started, 3);
	ck_assert(!driver_broken(&d));
}
END_TEST

START_TEST(who_has_one_queue_serves_no_share)
{
	peer.queues = 1;
	(void)peer_run(&peer);
	d.cfg.share[0].socket = path;
	d.cfg.share[0].tag = share0;
	d.cfg.nshare = 1;
	ck_assert_ptr_null(fs_create(&d.env, 0, &d.err));
	ck_assert_ptr_nonnull(strstr(d.err.msg, "1 queue"));
}
END_TEST

/* The driver would go on using a feature that the new back end lacks */
START_TEST(successor_with_fewer_features_is_refused)
{
	peer.protocol |= 1ULL << VHOST_USER_P_INFLIGHT;
	plug_blk();
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert(echoes(0));
	peer.features &= ~(1ULL << VIRTIO_BLK_F_RO);
	peer.dies_kicked = true;
	driver_kick(&d, 0);
	ck_assert(
		driver_until(&d, peer.connections == 3)); /* the second was hung up on */
	ck_assert_uint_eq(peer.inflight_set, 1);
	ck_assert(!driver_broken(&d));
}
END_TEST

START_TEST(reset_while_nobody_is_there)
{
	peer.protocol |= 1ULL << VHOST_USER_P_INFLIGHT;
	plug_blk();
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert(echoes(0));
	peer.dies_kicked = true;
	driver_kick(&d, 0);
	ck_assert(driver_until(&d, !peer.dies_kicked && peer.fd < 0));
	driver_run(&d, 20);
	ck_assert(!driver_broken(&d));
	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	driver_run(&d, 700); /* long enough for a try, of which there may be none */
	ck_assert_uint_eq(peer.connections, 1);
	ck_assert(driver_bring_up(&d, ~0ULL)); /* the driver waits for somebody to come */
	ck_assert(echoes(0));
	ck_assert_uint_eq(peer.base[0], 0);
}
END_TEST

static void plug_net(void)
{
	peer.features |= 1ULL << VIRTIO_NET_F_CSUM | 1ULL << VIRTIO_NET_F_MQ |
			 1ULL << VIRTIO_NET_F_CTRL_VQ;
	(void)peer_run(&peer);
	d.cfg.net[0] = (struct config_net){.fd = -1, .vhost_user = path, .mtu = 1400};
	d.cfg.nnet = 1;
	driver_plug(&d, net_vhost_create(&d.env, 0, &d.err));
}

/* What needs more than two queues stays here; address and MTU are ours to say. */
START_TEST(card_has_two_queues_and_our_address)
{
	struct virtio_net_config got;

	plug_net();
	memcpy(&got, d.page + VIRTIO_MMIO_CONFIG, sizeof(got));
	ck_assert_uint_eq(got.mac[0] & 3, 2);
	ck_assert_uint_eq(got.mtu, 1400);
	ck_assert_uint_eq(driver_offered(&d) & (1ULL << VIRTIO_NET_F_MQ |
						1ULL << VIRTIO_NET_F_CTRL_VQ |
						1ULL << VIRTIO_NET_F_HOST_TSO4),
			  0);
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert(d.v->acked & 1ULL << VIRTIO_NET_F_CSUM);
	ck_assert_uint_eq(peer.acked & (1ULL << VIRTIO_NET_F_MAC), 0); /* not its own */
	ck_assert(echoes(0) && echoes(1));
}
END_TEST

START_TEST(card_comes_again)
{
	plug_net();
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert(echoes(1));
	peer.dies_kicked = true;
	ck_assert(echoes(1));
	ck_assert_uint_eq(peer.connections, 2);
	ck_assert_uint_eq(peer.base[1], 1);
	ck_assert(!driver_broken(&d));
}
END_TEST

START_TEST(who_has_one_queue_is_no_card)
{
	peer.queues = 1;
	(void)peer_run(&peer);
	d.cfg.net[0] = (struct config_net){.fd = -1, .vhost_user = path};
	ck_assert_ptr_null(net_vhost_create(&d.env, 0, &d.err));
	ck_assert_ptr_nonnull(strstr(d.err.msg, "no network card"));
}
END_TEST

START_TEST(disk_without_notes_is_lost)
{
	plug_blk();
	ck_assert(driver_bring_up(&d, ~0ULL));
	peer.dies_kicked = true;
	driver_kick(&d, 0);
	ck_assert(breaks());
}
END_TEST

UNIT_MAIN("vhost_dev", setup, teardown, t)
{
	tcase_add_test(t, requests_go_through_without_us);
	tcase_add_test(t, kick_reaches_it_without_a_register_write);
	tcase_add_test(t, driver_always_finds_the_used_buffers_bit);
	tcase_add_test(t, driver_may_come_and_go);
	tcase_add_test(t, reset_waits_for_what_is_under_way);
	tcase_add_test(t, tag_is_what_the_guest_reads);
	tcase_add_test(t, disk_is_as_its_process_says_within_reason);
	tcase_add_test(t, impossible_number_of_queues_is_one);
	tcase_add_test(t, daemon_that_dies_at_the_start_is_quoted);
	tcase_add_test(t, daemon_that_dies_without_a_word_or_of_ours_has_a_cure);
	tcase_add_test(t, daemon_that_hangs_at_the_start_is_given_up);
	tcase_add_test(t, memory_that_is_not_shared_is_refused);
	tcase_add_test(t, death_costs_the_device);
	tcase_add_test(t, words_that_nobody_asked_for_cost_the_device);
	tcase_add_test(t, refusal_at_the_start_costs_the_device);
	tcase_add_test(t, death_during_a_reset_does_not_hinder_it);
	tcase_add_test(t, disk_with_notes_comes_again);
	tcase_add_test(t, notes_have_room_for_whatever_the_driver_chooses);
	tcase_add_test(t, used_index_that_the_driver_made_up);
	tcase_add_loop_test(t, successor_without_notes_or_with_fewer_queues_is_refused, 0,
			    2);
	tcase_add_test(t, who_has_one_queue_serves_no_share);
	tcase_add_test(t, successor_with_fewer_features_is_refused);
	tcase_add_test(t, reset_while_nobody_is_there);
	tcase_add_test(t, disk_without_notes_is_lost);
	tcase_add_test(t, card_has_two_queues_and_our_address);
	tcase_add_test(t, card_comes_again);
	tcase_add_test(t, who_has_one_queue_is_no_card);
}
