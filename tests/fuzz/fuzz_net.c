/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_net - any frames, receive buffers and commands, on a wire that always has frames of all
 * sizes for the driver, and from which only whole frames come; its tap changes hands meanwhile.
 */
#include "tests/fuzz/fuzz_virtio.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/virtio/net.h"
#include "tests/lib/link_message.h"

static struct driver d;
static int wire = -1;
static int kernel;        /* what it says of the tap */
static unsigned int turn; /* what it says next */
static uint8_t frame[NET_READ_MAX];

/* Two pairs, so that there is a control queue; the second is never in use, because its
 * descriptor is no tap's
 */
static void fuzz_make(void)
{
	struct tap tap = {.n = 2, .name = "tap0"};
	int sv[2], size = MIB;

	log_threshold = LOG_ERROR;
	for (unsigned int i = 0; i < tap.n; i++) {
		BUG_ON(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
				  0, sv));
		tap.fd[i] = sv[0];
		if (i == 0)
			wire = sv[1];
	}
	BUG_ON(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv));
	tap.link = (struct tap_link){.index = LINK_INDEX, .fd = sv[0], .up = true};
	kernel = sv[1];
	(void)setsockopt(wire, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	driver_init(&d, FUZZ_RAM);
	d.cfg.nnet = 1;
	driver_plug(&d, net_create_on(&d.env, 0, &tap, &d.err));
}

/* The tap goes down, comes back, and belongs to another; the guest is asked to say so at once,
 * for an input is not as long as what it would wait
 */
static void fuzz_link(void)
{
	struct net *n = container_of(d.v, struct net, v);
	struct link_message m = link_message(turn % 3 != 1, turn % 5);

	turn++;
	(void)link_say(kernel, &m);
	pthread_mutex_lock(&d.dev->lock);
	if (n->link.soon)
		n->link.timer.fn(&n->link.timer, EPOLLIN);
	pthread_mutex_unlock(&d.dev->lock);
}

static void fuzz_frames(void)
{
	static const size_t lens[] = {3, 30, 72, 1526, 9014, 65000};

	for (size_t i = 0; i < ARRAY_SIZE(lens); i++)
		(void)!write(wire, frame, lens[i]);
	fuzz_link();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ssize_t n;

	if (wire < 0)
		fuzz_make();
	turn = 0;
	fuzz_run(&d, (struct fuzz_input){data, size}, fuzz_frames);
	while ((n = read(wire, frame, sizeof(frame))) > 0)
		BUG_ON(n < TAP_HDR_LEN + ETH_HLEN);
	return 0;
}
