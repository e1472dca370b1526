/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap_peer - the other end of a guest's network: runs a command with a tap device of its
 * own, sends it frames, and wants every one of them back unchanged.
 *
 * usage: tap-peer FRAMES COMMAND [ARGUMENT...]    @FD@ in an argument is the tap's number
 *        tap-peer --flood COMMAND [ARGUMENT...]   frames as long as it runs, none wanted back
 *        tap-peer --probe                         can this be done here?
 *
 * All in a user and network namespace: no root, and nothing of the host's network.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROTOCOL   0x88b5 /* for experiments (IEEE 802) */
#define WINDOW     32     /* frames under way at once */
#define RESEND_MS  100
#define PATIENCE   300 /* resends without an answer */
#define FRAMES_MAX 100000
#define SEQ_END    UINT32_MAX /* the guest may stop */

struct frame {
	struct ethhdr eth;
	uint32_t seq;
	uint8_t data[ETH_DATA_LEN - 4];
} __attribute__((packed));

static _Noreturn void peer_die(const char *what)
{
	(void)fprintf(stderr, "tap-peer: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void peer_isolate(void)
{
	if (unshare(CLONE_NEWNET) == 0)
		return;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		peer_die("no network namespace");
}

/* A tap that is up.  Return: its fd; a raw socket on its other side in *@sock */
static int peer_open(int *sock)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	struct sockaddr_ll ll = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(PROTOCOL)};
	int tap = open("/dev/net/tun", O_RDWR);

	(void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "peer0");
	if (tap < 0 || ioctl(tap, TUNSETIFF, &ifr) < 0)
		peer_die("no tap device");
	*sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(PROTOCOL));
	if (*sock < 0)
		peer_die("no packet socket");
	ifr.ifr_flags = IFF_UP;
	if (ioctl(*sock, SIOCSIFFLAGS, &ifr) < 0 || ioctl(*sock, SIOCGIFINDEX, &ifr) < 0)
		peer_die("the tap device does not come up");
	ll.sll_ifindex = ifr.ifr_ifindex;
	if (bind(*sock, (struct sockaddr *)&ll, sizeof(ll)) < 0)
		peer_die("the packet socket cannot be bound");
	return tap;
}

static pid_t peer_start(int tap, char **argv)
{
	char number[16];
	pid_t pid = fork();

	if (pid < 0)
		peer_die("fork");
	if (pid > 0)
		return pid;
	(void)snprintf(number, sizeof(number), "%d", tap);
	for (char **a = argv; *a; a++) {
		char *at = strstr(*a, "@FD@"), *arg = NULL;

		if (at &&
		    asprintf(&arg, "%.*s%s%s", (int)(at - *a), *a, number, at + 4) > 0)
			*a = arg;
	}
	execvp(argv[0], argv);
	peer_die(argv[0]);
}

/* Frame @seq: sizes and bytes depend on nothing else */
static size_t peer_frame(struct frame *f, uint32_t seq)
{
	size_t len = 1 + seq * 37 % sizeof(f->data);

	memset(f, 0, sizeof(*f));
	memset(f->eth.h_dest, 0xff, ETH_ALEN);
	memset(f->eth.h_source, 0x06, ETH_ALEN);
	f->eth.h_proto = htons(PROTOCOL);
	f->seq = seq;
	for (size_t i = 0; i < len; i++)
		f->data[i] = (uint8_t)(seq + i * 7);
	return offsetof(struct frame, data) + len;
}

static void peer_send(int sock, uint32_t seq)
{
	struct frame f;
	size_t len = peer_frame(&f, seq);

	if (send(sock, &f, len, 0) < 0 && errno != ENOBUFS)
		peer_die("send");
}

/* peer_receive() - take one answer.  Return: it is one of ours, and a new one */
static bool peer_receive(int sock, uint8_t *back, uint32_t frames)
{
	struct frame f, want;
	ssize_t n = recv(sock, &f, sizeof(f), 0);
	size_t len;

	/* as sent: the guest has exchanged the addresses */
	if (n < (ssize_t)offsetof(struct frame, data) || f.eth.h_dest[0] != 0x06)
		return false;
	if (f.seq >= frames || back[f.seq])
		return false;
	len = peer_frame(&want, f.seq);
	if ((size_t)n != len || memcmp(&f.seq, &want.seq, len - ETH_HLEN)) {
		(void)fprintf(stderr, "tap-peer: frame %u came back changed\n", f.seq);
		exit(1);
	}
	back[f.seq] = 1;
	return true;
}

static uint32_t peer_exchange(int sock, uint32_t frames)
{
	static uint8_t back[FRAMES_MAX];
	struct pollfd p = {.fd = sock, .events = POLLIN};
	uint32_t sent = 0, got = 0;
	int quiet = 0;

	while (got < frames && quiet < PATIENCE) {
		for (; sent < frames && sent - got < WINDOW; sent++)
			peer_send(sock, sent);
		if (poll(&p, 1, RESEND_MS) > 0) {
			if (peer_receive(sock, back, frames))
				got++;
			quiet = 0;
			continue;
		}
		/* what the guest had no buffer for yet was dropped, as on a wire */
		quiet++;
		for (uint32_t i = 0; i < sent; i++)
			if (!back[i])
				peer_send(sock, i);
	}
	return got;
}

/* peer_flood() - a frame every millisecond until @pid ends.  Return: its exit status */
static int peer_flood(int sock, pid_t pid)
{
	uint32_t seq = 0;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		peer_send(sock, seq++);
		usleep(1000);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
	bool probe = argc == 2 && !strcmp(argv[1], "--probe");
	uint32_t frames, got;
	int tap, sock, status;
	pid_t pid;

	if (argc < 3 && !probe) {
		(void)fprintf(stderr, "usage: tap-peer FRAMES COMMAND [ARGUMENT...]\n");
		return 2;
	}
	peer_isolate();
	tap = peer_open(&sock);
	if (probe)
		return 0;
	if (!strcmp(argv[1], "--flood"))
		return peer_flood(sock, peer_start(tap, argv + 2));
	frames = (uint32_t)strtoul(argv[1], NULL, 10);
	if (frames == 0 || frames > FRAMES_MAX)
		return 2;
	pid = peer_start(tap, argv + 2);
	got = peer_exchange(sock, frames);
	peer_send(sock, SEQ_END);
	(void)printf("%u frames came back\n", got);
	if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return 1;
	return got == frames ? WEXITSTATUS(status) : 1;
}
