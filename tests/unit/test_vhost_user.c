/* SPDX-License-Identifier: Apache-2.0 */
/* test_vhost_user - the protocol, spoken with back ends that are honest, dead or lying. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/virtio_config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/backend/vhost_net.h"
#include "devices/backend/vhost_socket.h"
#include "devices/backend/vhost_user.h"
#include "tests/lib/unit.h"
#include "tests/lib/vhost_peer.h"
#include "vmm/core/util.h"

static struct peer peer;
static struct vhost_user u;
static struct gmem mem;
static struct err err;
static struct vhost_user_inflight in;
static struct vhost_ring ring[2];

static void setup(void)
{
	peer_init(&peer);
	gmem_init(&mem, false);
	gmem_share(&mem);
	ck_assert_int_eq(gmem_add(&mem, 0, MIB, &err), 0);
	ck_assert_int_eq(gmem_add(&mem, 4 * GIB, MIB, &err), 0);
	in = (struct vhost_user_inflight){.fd = -1, .nqueue = 2, .queue_size = 16};
	for (unsigned int i = 0; i < 2; i++)
		ring[i] = (struct vhost_ring){.index = i,
					      .size = 16,
					      .base = (uint16_t)(7 + i),
					      .desc = 0x1000 + 0x1000 * i,
					      .avail = 0x1400 + 0x1000 * i,
					      .used = 4 * GIB + 0x1000 * i,
					      .kick = eventfd(0, EFD_CLOEXEC),
					      .call = eventfd(0, EFD_CLOEXEC)};
}

static void teardown(void)
{
	const char *wrong = peer.wrong;

	ck_assert_msg(!wrong, "message %u: %s", peer.wrong_at, wrong);
	vhost_user_close(&u);
	cleanup_close_fd(&in.fd);
	for (unsigned int i = 0; i < 2; i++) {
		close(ring[i].kick);
		close(ring[i].call);
	}
	gmem_fini(&mem);
}

static unsigned int open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n;
}

static int all_of_it(void)
{
	uint8_t config[60];
	int rc = vhost_user_open(&u, peer_run(&peer), VHOST_USER_WAIT_MS);

	if (rc == 0)
		rc = vhost_user_config(&u, config, sizeof(config));
	if (rc == 0)
		rc = vhost_user_start(&u, u.features, &mem, ring, 2, &in);
	if (rc == 0)
		rc = vhost_user_stop(&u, ring, 2);
	return rc;
}

START_TEST(honest_one_is_told_everything)
{
	peer.protocol |= 1ULL << VHOST_USER_P_INFLIGHT | 1ULL << 5; /* 5: not for us */
	ck_assert_msg(all_of_it() == 0, "%s", u.why);
	ck_assert_uint_eq(u.protocol, peer.protocol & ~(1ULL << 5));
	ck_assert_uint_eq(u.queues, PEER_QUEUES);
	ck_assert_uint_eq(peer.acked, peer.features);
	ck_assert_uint_eq(peer.started, 2);
	ck_assert_uint_eq(peer.base[0], 7);
	ck_assert_uint_eq(peer.base[1], 8);
	ck_assert_int_ge(in.fd, 0);
	ck_assert_uint_eq(peer.inflight_set, 1);
	peer_stop(&peer);
	ck_assert_uint_eq(peer.ring[1].used, 0); /* its memory of us is gone with it */
}
END_TEST

START_TEST(one_without_protocol_features_is_enough)
{
	peer.features = 1ULL << VIRTIO_F_VERSION_1;
	ck_assert_int_eq(vhost_user_open(&u, peer_run(&peer), VHOST_USER_WAIT_MS), 0);
	ck_assert_uint_eq(u.queues, UINT_MAX);
	ck_assert_int_eq(vhost_user_start(&u, u.features, &mem, ring, 2, NULL), 0);
	ck_assert_int_eq(vhost_user_stop(&u, ring, 2), 0);
	ck_assert_uint_eq(peer.acked, peer.features);
	ck_assert_int_lt(vhost_user_config(&u, &in, 4), 0);
	peer_stop(&peer);
}
END_TEST

START_TEST(our_addresses_are_not_told)
{
	ck_assert_int_eq(vhost_user_open(&u, peer_run(&peer), VHOST_USER_WAIT_MS), 0);
	ck_assert_int_eq(vhost_user_start(&u, u.features, &mem, ring, 2, NULL), 0);
	peer_stop(&peer);
	ck_assert_uint_eq(peer.told_n, 2);
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert_uint_eq(peer.told_mem[i].user - peer.told_mem[0].user,
				  mem.region[i].gpa);
		ck_assert_uint_ne(peer.told_mem[i].user, (uintptr_t)mem.region[i].host);
	}
	ck_assert_uint_eq(peer.told_used - peer.told_mem[0].user, ring[1].used);
}
END_TEST

static const uint32_t answered[] = {
	VU_GET_FEATURES,     VU_GET_PROTOCOL_FEATURES, VU_GET_QUEUE_NUM,
	VU_GET_CONFIG,       VU_SET_MEM_TABLE,         VU_GET_INFLIGHT_FD,
	VU_SET_VRING_ENABLE, VU_GET_VRING_BASE,
};
static const enum peer_lie lies[] = {
	PEER_DIES,  PEER_OTHER, PEER_NO_REPLY_BIT, PEER_VERSION,
	PEER_SHORT, PEER_HUGE,  PEER_FDS,          PEER_HALF,
};

/* Each lie about each answer: an error that says so, soon, and no descriptor left */
START_TEST(lies_are_seen)
{
	unsigned int before;

	peer.protocol |= 1ULL << VHOST_USER_P_INFLIGHT;
	peer.at = answered[(unsigned int)_i / ARRAY_SIZE(lies)];
	peer.lie = lies[(unsigned int)_i % ARRAY_SIZE(lies)];
	before = open_fds();
	ck_assert_msg(all_of_it() < 0, "request %u, lie %d", peer.at, peer.lie);
	ck_assert_ptr_nonnull(u.why);
	vhost_user_close(&u);
	peer_stop(&peer);
	cleanup_close_fd(&in.fd);
	in.fd = -1;
	ck_assert_uint_eq(open_fds(), before);
}
END_TEST

START_TEST(refusals_are_errors)
{
	peer.at = VU_SET_MEM_TABLE;
	peer.lie = PEER_NACKS;
	ck_assert_int_lt(all_of_it(), 0);
	ck_assert_str_eq(u.why, "it refuses what it offered");
	peer_stop(&peer);
}
END_TEST

START_TEST(senseless_answers_are_errors)
{
	static const uint32_t at[] = {VU_GET_CONFIG, VU_GET_VRING_BASE};

	peer.at = at[_i];
	peer.lie = PEER_BAD_DATA;
	ck_assert_int_lt(all_of_it(), 0);
	peer_stop(&peer);
}
END_TEST

/* All of a call's answers together */
START_TEST(slow_one_costs_a_bounded_time)
{
	uint64_t start = monotonic_ns();

	peer.lie = PEER_SLOW;
	ck_assert_int_eq(all_of_it(), -ETIMEDOUT);
	ck_assert_uint_ge(monotonic_ns() - start, VHOST_USER_WAIT_MS * 1000000ULL);
	ck_assert_uint_lt(monotonic_ns() - start, 6 * VHOST_USER_WAIT_MS * 1000000ULL);
	ck_assert_str_eq(u.why, "it does not answer");
	peer_stop(&peer);
}
END_TEST

/* ---- sockets ---- */

static char dir[] = "/tmp/test-vhost-XXXXXX";

static void refused(const char *path, int code, const char *why)
{
	ck_assert_int_eq(vhost_socket_connect(path, &err), -code);
	ck_assert_msg(strstr(err.msg, why) != NULL, "%s", err.msg);
}

START_TEST(bad_sockets_are_explained)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char path[64], lengthy[200];
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/s", dir);
	refused(path, ENOENT, "no such socket");
	memcpy(a.sun_path, path, sizeof(path));
	ck_assert_int_eq(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
	refused(path, ECONNREFUSED, "nobody listens there");
	memset(lengthy, 'x', sizeof(lengthy));
	lengthy[sizeof(lengthy) - 1] = '\0';
	refused(lengthy, ENAMETOOLONG, "at most 107 bytes");
	unlink(path);
	rmdir(dir);
	close(s);
}
END_TEST

/* The process that accepts has us, and no other can come. */
START_TEST(pair_is_connected_and_nameless)
{
	int listener, connected, accepted;
	struct sockaddr_un a;
	socklen_t len = sizeof(a);
	char c = 0;

	ck_assert_int_eq(vhost_socket_pair(&listener, &connected, &err), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&a, &len), 0);
	ck_assert_int_lt(access(a.sun_path, F_OK), 0);
	accepted = accept(listener, NULL, NULL);
	ck_assert_int_ge(accepted, 0);
	ck_assert_int_eq(write(connected, "x", 1), 1);
	ck_assert_int_eq(read(accepted, &c, 1), 1);
	close(listener);
	close(connected);
	close(accepted);
	setenv("TMPDIR", "/nowhere/at/all", 1);
	ck_assert_int_lt(vhost_socket_pair(&listener, &connected, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.msg, "TMPDIR"));
}
END_TEST

/* ---- the kernel's ---- */

START_TEST(missing_vhost_net_is_explained)
{
	struct vhost_net h;

	if (access("/dev/vhost-net", F_OK) == 0) /* the Linux cases use it */
		return;
	ck_assert_int_lt(vhost_net_open(&h, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.msg, "modprobe vhost_net"));
	ck_assert_int_eq(h.fd, -1);
}
END_TEST

UNIT_MAIN("vhost_user", setup, teardown, t)
{
	tcase_add_test(t, honest_one_is_told_everything);
	tcase_add_test(t, one_without_protocol_features_is_enough);
	tcase_add_test(t, our_addresses_are_not_told);
	tcase_add_loop_test(t, lies_are_seen, 0,
			    (int)(ARRAY_SIZE(answered) * ARRAY_SIZE(lies)));
	tcase_add_test(t, refusals_are_errors);
	tcase_add_loop_test(t, senseless_answers_are_errors, 0, 2);
	tcase_add_test(t, slow_one_costs_a_bounded_time);
	tcase_add_test(t, bad_sockets_are_explained);
	tcase_add_test(t, pair_is_connected_and_nameless);
	tcase_add_test(t, missing_vhost_net_is_explained);
}
