/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap - the host's side of tests/bench/net: a tap in a network namespace of its own, and
 * what a process of the host does with it, one system call a frame.
 *
 * usage: bench-tap write SIZE COUNT      frames into the tap, one by one
 *        bench-tap read SIZE COUNT       frames out of it, which wait there
 *        bench-tap read-far SIZE COUNT   the same, on another processor than they were sent
 *                                        by, as it is with a guest
 *        bench-tap trip SIZE COUNT       one frame and wait for it, and again: a process
 *                                        sends it back
 *        bench-tap ask SIZE COUNT        the same, and the kernel answers
 *        bench-tap run [fill SIZE COUNT | echo] -- COMMAND...
 *
 * run gives a command the tap as descriptor @FD@ in an argument.  fill: after the first
 * frame that comes out of it, COUNT frames are put where the command finds them; echo: a
 * process sends each frame back, as it does for trip.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest-images/payloads/net_frame.h"

#define TAP_QUEUE 20000 /* frames that may wait */
#define TAP_HDR   sizeof(struct virtio_net_hdr_mrg_rxbuf)

static struct net_frame *frames, *frame; /* all of them, and the first */

static _Noreturn void tap_die(const char *what)
{
	(void)fprintf(stderr, "bench-tap: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t tap_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void tap_report(const char *what, size_t size, unsigned long count, uint64_t ns)
{
	(void)printf("load: %s size=%zu count=%lu ns=%lu frames_per_s=%lu\n", what, size,
		     count, (unsigned long)ns, (unsigned long)(count * 1000000000 / ns));
}

/* In pages as large as a guest's memory has */
static void tap_make_frames(void)
{
	const size_t page = 2 << 20;
	size_t len = (NET_FRAMES * sizeof(*frames) + page - 1) & ~(page - 1);

	frames = frame = aligned_alloc(page, len);
	if (!frames)
		tap_die("memory");
	(void)madvise(frames, len, MADV_HUGEPAGE);
	memset(frames, 0, len);
}

/* A tap that is up, and whose queue is long */
static int tap_open(void)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR,
			    .ifr_name = "bench0"};
	static const uint8_t address[4] = {NET_HOST_ADDRESS};
	const struct sockaddr_in host = {.sin_family = AF_INET};
	int fd, s, len = TAP_HDR;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		tap_die("no network namespace");
	fd = open("/dev/net/tun", O_RDWR);
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0 ||
	    ioctl(fd, TUNSETVNETHDRSZ, &len) < 0)
		tap_die("no tap");
	ifr.ifr_qlen = TAP_QUEUE;
	if (ioctl(s, SIOCSIFTXQLEN, &ifr) < 0)
		tap_die("the tap's queue");
	ifr.ifr_flags = IFF_UP;
	if (ioctl(s, SIOCSIFFLAGS, &ifr) < 0)
		tap_die("the tap does not come up");
	memcpy(&ifr.ifr_addr, &host, sizeof(host));
	memcpy((uint8_t *)&ifr.ifr_addr + offsetof(struct sockaddr_in, sin_addr), address,
	       sizeof(address));
	if (ioctl(s, SIOCSIFADDR, &ifr) < 0)
		tap_die("the tap's address");
	close(s);
	return fd;
}

/* The other side of the tap */
static int tap_socket(void)
{
	struct sockaddr_ll ll = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(NET_PROTOCOL),
				 .sll_ifindex = (int)if_nametoindex("bench0")};
	int s = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(NET_PROTOCOL));

	if (s < 0 || bind(s, (struct sockaddr *)&ll, sizeof(ll)) < 0)
		tap_die("no packet socket");
	return s;
}

/* Return: the process that sends each frame back, until it is killed */
static pid_t tap_echo(void)
{
	int s = tap_socket();
	pid_t pid = fork();

	if (pid < 0)
		tap_die("fork");
	if (pid > 0) {
		close(s);
		return pid;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		ssize_t n = recv(s, &frame->eth, sizeof(*frame) - TAP_HDR, 0);

		if (n <= 0 || send(s, &frame->eth, (size_t)n, 0) < 0)
			tap_die("echo");
	}
}

static void tap_fill(int s, size_t size, unsigned long count)
{
	net_frame_make(frame, (uint32_t)size, NET_FOR_ALL);
	for (unsigned long i = 0; i < count; i++)
		if (send(s, &frame->eth, size, 0) != (ssize_t)size)
			tap_die("send");
}

static void tap_write(int fd, size_t size, unsigned long count)
{
	uint64_t t;

	for (unsigned int i = 0; i < NET_FRAMES; i++)
		net_frame_make(&frames[i], (uint32_t)size, NET_FOR_NOBODY);
	t = tap_now();
	for (unsigned long i = 0; i < count; i++)
		if (write(fd, &frames[i % NET_FRAMES], TAP_HDR + size) < 0)
			tap_die("write");
	tap_report("write", size, count, tap_now() - t);
}

/* To another processor than this one */
static void tap_move(void)
{
	int here = sched_getcpu();
	cpu_set_t set;

	if (here < 0 || sched_getaffinity(0, sizeof(set), &set) < 0)
		tap_die("processors");
	CPU_CLR((unsigned int)here, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		tap_die("no other processor");
}

static void tap_read(int fd, size_t size, unsigned long count, bool far)
{
	uint64_t t;

	tap_fill(tap_socket(), size, count);
	if (far)
		tap_move();
	t = tap_now();
	for (unsigned long i = 0; i < count; i++)
		if (read(fd, &frames[i % NET_FRAMES], sizeof(*frame)) < 0)
			tap_die("read");
	tap_report("read", size, count, tap_now() - t);
}

/* Frames that are not ours (the host greets a new network) are not waited for */
static void tap_trip(int fd, size_t size, unsigned long count, bool ask)
{
	pid_t echo = ask ? 0 : tap_echo();
	uint64_t t;

	net_frame_make(frame, (uint32_t)size, NET_FOR_ALL);
	if (ask)
		size = net_frame_ask(frame);
	t = tap_now();
	for (unsigned long i = 0; i < count; i++) {
		if (write(fd, frame, TAP_HDR + size) < 0)
			tap_die("write");
		do {
			if (read(fd, &frames[1], sizeof(*frame)) < 0)
				tap_die("read");
		} while (frames[1].eth.h_proto != frame->eth.h_proto);
	}
	tap_report(ask ? "ask" : "trip", size, count, tap_now() - t);
	if (echo)
		kill(echo, SIGKILL);
}

static pid_t tap_start(int fd, char **argv)
{
	char number[16];
	pid_t pid = fork();

	if (pid < 0)
		tap_die("fork");
	if (pid > 0)
		return pid;
	(void)snprintf(number, sizeof(number), "%d", fd);
	for (char **a = argv; *a; a++) {
		char *at = strstr(*a, "@FD@"), *arg = NULL;

		if (at &&
		    asprintf(&arg, "%.*s%s%s", (int)(at - *a), *a, number, at + 4) > 0)
			*a = arg;
	}
	execvp(argv[0], argv);
	tap_die(argv[0]);
}

/* Return: the command's exit status */
static int tap_run(int fd, int argc, char **argv)
{
	bool fill = argc > 3 && !strcmp(argv[0], "fill");
	bool echo = argc > 1 && !strcmp(argv[0], "echo");
	int s = fill ? tap_socket() : -1, status;
	pid_t other = echo ? tap_echo() : 0, pid;
	char **command = argv;

	while (*command && strcmp(*command, "--"))
		command++;
	if (!*command || !command[1])
		return 2;
	pid = tap_start(fd, command + 1);
	if (fill) {
		if (recv(s, &frame->eth, ETH_FRAME_LEN, 0) < 0)
			tap_die("recv");
		tap_fill(s, strtoul(argv[1], NULL, 10), strtoul(argv[2], NULL, 10));
		close(s);
	}
	if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		status = 1 << 8;
	if (other)
		kill(other, SIGKILL);
	return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	size_t size = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	unsigned long count = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;

	tap_make_frames();
	if (argc > 2 && !strcmp(argv[1], "run"))
		return tap_run(tap_open(), argc - 2, argv + 2);
	if (argc != 4 || size < ETH_HLEN || size > NET_FRAME_MAX || !count) {
		(void)fprintf(
			stderr,
			"usage: bench-tap write|read|read-far|trip|ask SIZE COUNT\n");
		return 2;
	}
	if (!strcmp(argv[1], "write"))
		tap_write(tap_open(), size, count);
	else if (!strcmp(argv[1], "read") && count < TAP_QUEUE)
		tap_read(tap_open(), size, count, false);
	else if (!strcmp(argv[1], "read-far") && count < TAP_QUEUE)
		tap_read(tap_open(), size, count, true);
	else if (!strcmp(argv[1], "trip") || !strcmp(argv[1], "ask"))
		tap_trip(tap_open(), size, count, argv[1][0] == 'a');
	else
		return 2;
	return 0;
}
