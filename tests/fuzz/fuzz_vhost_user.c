/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_vhost_user - any bytes from a vhost-user back end.  The first says how many of
 * the rest come with descriptors, and where they are cut in two.
 */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/backend/vhost_user_msg.h"
#include "vmm/core/util.h"

#define FUZZ_MAX  4096
#define FUZZ_RING 0x1000

static struct gmem mem;
static int null = -1;

/* @n bytes, with @nfd descriptors if there are any */
static void fuzz_say(int fd, const uint8_t *p, size_t n, unsigned int nfd)
{
	char control[CMSG_SPACE(sizeof(int) * 2 * VU_FDS_MAX)] = {0};
	struct iovec v = {(void *)(uintptr_t)p, n};
	struct msghdr mh = {.msg_iov = &v, .msg_iovlen = 1};
	struct cmsghdr *c;

	if (nfd) {
		mh.msg_control = control;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * nfd);
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * nfd);
		for (unsigned int i = 0; i < nfd; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &null, sizeof(int));
	}
	if (n)
		(void)sendmsg(fd, &mh, MSG_NOSIGNAL);
}

static void fuzz_listen(struct vhost_user *u, int fd)
{
	struct vhost_user_inflight in = {.fd = -1};
	struct vhost_ring ring[] = {{.index = 0, .size = 16, .desc = FUZZ_RING}};
	uint8_t config[60];

	ring[0].kick = ring[0].call = null;
	if (vhost_user_open(u, fd, VHOST_USER_WAIT_MS) == 0) {
		(void)vhost_user_config(u, config, sizeof(config));
		if (vhost_user_start(u, u->features, &mem, ring, 1, &in) == 0)
			(void)vhost_user_stop(u, ring, 1);
		else
			fuzz_check(u->why != NULL);
	} else {
		fuzz_check(u->why != NULL);
	}
	vhost_user_close(u);
	cleanup_close_fd(&in.fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, MIN(size, FUZZ_MAX)};
	uint8_t how = fuzz_u8(&in);
	size_t cut = MIN(in.n, (size_t)(how >> 4) * 4);
	struct vhost_user u;
	struct err e;
	int ends[2];

	if (null < 0) {
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		gmem_init(&mem, false);
		gmem_share(&mem);
		fuzz_check(gmem_add(&mem, 0, MIB, &e) == 0);
	}
	fuzz_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	fuzz_say(ends[1], in.p, cut, how & 15);
	fuzz_say(ends[1], in.p + cut, in.n - cut, 0);
	(void)shutdown(ends[1], SHUT_WR); /* it will not say more: nothing to wait for */
	fuzz_listen(&u, ends[0]);
	close(ends[1]);
	/* whatever came along is closed again */
	close(null);
	fuzz_check(open("/dev/null", O_RDWR | O_CLOEXEC) == null);
	return 0;
}
