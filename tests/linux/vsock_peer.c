/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vsock_peer - one end of connections between a guest and its host, for tests and figures.
 * Static, so that it runs in any of them.
 *
 *	vsock-peer serve ADDRESS COUNT      echo what comes, until COUNT connections ended
 *	vsock-peer sink ADDRESS             read a connection to its end, say how much it was
 *	vsock-peer echo ADDRESS N BYTES     N connections at once send BYTES each, read them
 *	                                    back and compare; then half-closes and ends
 *	vsock-peer stuck ADDRESS N BYTES    likewise, after one more that sends and never
 *	                                    reads until the others are through
 *	vsock-peer push ADDRESS BYTES       send them in one direction, say how fast
 *	vsock-peer ping ADDRESS N           a byte there and back, N times; say how long
 *	vsock-peer hold ADDRESS             connect, and say when it ends
 *
 * ADDRESS is vsock:CID:PORT, unix:PATH, tcp:A.B.C.D:PORT, or host:PATH:PORT, the guest's
 * port through the VMM's socket.  Fails, and says so, if anything is not as it should be.
 */
#include "tests/linux/vsock_address.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PEERS_MAX  2048
#define CHUNK      (64 * 1024)
#define PATIENCE   300000 /* ms without progress */
#define STUCK_TRY  (4 << 20)
#define STUCK_WAIT 500 /* ms: then it is stuck */

struct peer {
	int fd;
	unsigned int id;
	size_t sent, got, len; /* a server's: got and sent, of what goes through @buf */
	bool half;             /* our end is shut */
	uint8_t *buf;
};

static struct peer peer[PEERS_MAX];
static struct pollfd pfd[PEERS_MAX + 1];
static uint8_t chunk[CHUNK];

/* What connection @id sends at @at: another sequence for each */
static uint8_t pattern(unsigned int id, size_t at)
{
	return (uint8_t)((at * 0x9e3779b1U >> 13) + at + id * 37U);
}

static void no_waiting(int fd)
{
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* Return: bytes; 0 at the end; -1 not now */
static ssize_t moved(ssize_t n, const char *what)
{
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		die(what);
	return n;
}

/* ---- the server: echo through a buffer of one chunk, so that a stuck reader stops us ---- */

/* Return: has it ended? */
static bool serve_one(struct peer *p)
{
	if (p->got == p->sent && !p->half) {
		ssize_t n = moved(read(p->fd, p->buf, CHUNK), "read");

		p->half = n == 0;
		p->sent = 0;
		p->got = n > 0 ? (size_t)n : 0;
	}
	if (p->sent < p->got) {
		ssize_t n =
			moved(write(p->fd, p->buf + p->sent, p->got - p->sent), "write");

		p->sent += n > 0 ? (size_t)n : 0;
	}
	return p->half && p->got == p->sent;
}

static void serve(const char *text, unsigned int count)
{
	int listener = await(text);
	unsigned int n = 0;

	while (count) {
		pfd[n] = (struct pollfd){listener, n < PEERS_MAX ? POLLIN : 0, 0};
		for (unsigned int i = 0; i < n; i++)
			pfd[i] = (struct pollfd){
				peer[i].fd, peer[i].got > peer[i].sent ? POLLOUT : POLLIN,
				0};
		if (poll(pfd, n + 1, PATIENCE) <= 0)
			die("nobody comes");
		if (pfd[n].revents) {
			int fd = accept(listener, NULL, NULL);

			if (fd < 0)
				die("accept");
			no_waiting(fd);
			peer[n] = (struct peer){.fd = fd, .buf = malloc(CHUNK)};
			if (!peer[n].buf)
				die("memory");
			pfd[n++].revents = 0;
		}
		for (unsigned int i = n; i-- > 0;) {
			if (!pfd[i].revents || !serve_one(&peer[i]))
				continue;
			close(peer[i].fd);
			free(peer[i].buf);
			peer[i] = peer[--n];
			count--;
		}
	}
}

/* ---- the client ---- */

static void fill(const struct peer *p, size_t at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		chunk[i] = pattern(p->id, at + i);
}

static void send_some(struct peer *p)
{
	size_t len = p->len - p->sent < CHUNK ? p->len - p->sent : CHUNK;
	ssize_t n;

	fill(p, p->sent, len);
	n = moved(write(p->fd, chunk, len), "write");
	p->sent += n > 0 ? (size_t)n : 0;
	if (p->sent == p->len && !p->half) {
		p->half = true;
		if (shutdown(p->fd, SHUT_WR) < 0)
			die("shutdown");
	}
}

/* Return: has it ended? */
static bool read_some(struct peer *p)
{
	ssize_t n = moved(read(p->fd, chunk, CHUNK), "read");

	for (ssize_t i = 0; i < n; i++) {
		errno = EILSEQ;
		if (chunk[i] != pattern(p->id, p->got++))
			die("other bytes came back");
	}
	errno = ENODATA;
	if (n == 0 && p->got != p->len)
		die("the end came too early");
	return n == 0;
}

static void echo_all(unsigned int n)
{
	unsigned int left = n;

	while (left) {
		for (unsigned int i = 0; i < n; i++)
			pfd[i] = (struct pollfd){
				peer[i].fd,
				(short)(POLLIN | (peer[i].half ? 0 : POLLOUT)), 0};
		if (poll(pfd, n, PATIENCE) <= 0)
			die("no progress");
		for (unsigned int i = 0; i < n; i++) {
			if (pfd[i].revents & POLLOUT)
				send_some(&peer[i]);
			if (!(pfd[i].revents & ~POLLOUT) || !read_some(&peer[i]))
				continue;
			close(peer[i].fd);
			peer[i].fd = -1; /* poll() passes over it */
			left--;
		}
	}
}

/* One that writes until nothing goes any more.  Return: how much went */
static size_t get_stuck(struct peer *p)
{
	struct pollfd f = {p->fd, POLLOUT, 0};

	p->len = SIZE_MAX;
	while (p->sent < STUCK_TRY && poll(&f, 1, STUCK_WAIT) > 0)
		send_some(p);
	errno = ENOBUFS;
	if (p->sent >= STUCK_TRY)
		die("no end to what is taken from one that does not read");
	return p->sent;
}

static void echo(const char *text, unsigned int n, size_t len, bool stuck)
{
	static struct peer first;

	if (stuck) {
		first = (struct peer){.fd = reach(text), .id = 4711};
		no_waiting(first.fd);
		(void)printf("stuck after %zu bytes\n", get_stuck(&first));
	}
	for (unsigned int i = 0; i < n; i++) {
		peer[i] = (struct peer){.fd = reach(text), .id = i, .len = len};
		no_waiting(peer[i].fd);
	}
	echo_all(n);
	(void)printf("echoed %u times %zu bytes\n", n, len);
	if (!stuck)
		return;
	peer[0] = first;
	peer[0].len = first.sent;
	peer[0].half = true;
	if (shutdown(first.fd, SHUT_WR) < 0)
		die("shutdown");
	echo_all(1);
	(void)printf("the stuck one is complete\n");
}

/* ---- one direction ---- */

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void push(const char *text, size_t len)
{
	int fd = reach(text);
	double start = now();

	for (size_t at = 0; at < len;) {
		ssize_t n = write(fd, chunk, len - at < CHUNK ? len - at : CHUNK);

		if (n <= 0)
			die("write");
		at += (size_t)n;
	}
	(void)shutdown(fd, SHUT_WR);
	if (read(fd, chunk, 1) != 0) /* the sink has it all */
		die("read");
	(void)printf("pushed %zu MB at %.1f MB/s\n", len / 1000000,
		     (double)len / 1e6 / (now() - start));
}

static void ping(const char *text, unsigned int n)
{
	int fd = reach(text), one = 1;
	double start = now();

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	for (unsigned int i = 0; i < n; i++)
		if (write(fd, "x", 1) != 1 || read(fd, chunk, 1) != 1)
			die("ping");
	(void)printf("pinged in %.1f us\n", (now() - start) / n * 1e6);
}

/* Read @fd to its end.  Return: bytes */
static size_t drain(int fd)
{
	size_t sum = 0;
	ssize_t n;

	while ((n = read(fd, chunk, CHUNK)) > 0)
		sum += (size_t)n;
	return sum;
}

int main(int argc, char **argv)
{
	struct rlimit l;
	const char *what = argc > 2 ? argv[1] : "";

	(void)signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
		l.rlim_cur = l.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &l);
	}
	if (strcmp(what, "serve") == 0 && argc == 4) {
		serve(argv[2], (unsigned int)strtoul(argv[3], NULL, 0));
	} else if (strcmp(what, "sink") == 0 && argc == 3) {
		(void)printf("sank %zu bytes\n",
			     drain(accept(await(argv[2]), NULL, NULL)));
	} else if ((strcmp(what, "echo") == 0 || strcmp(what, "stuck") == 0) &&
		   argc == 5 && strtoul(argv[3], NULL, 0) <= PEERS_MAX) {
		echo(argv[2], (unsigned int)strtoul(argv[3], NULL, 0),
		     strtoul(argv[4], NULL, 0), what[0] == 's');
	} else if (strcmp(what, "push") == 0 && argc == 4) {
		push(argv[2], strtoul(argv[3], NULL, 0));
	} else if (strcmp(what, "ping") == 0 && argc == 4) {
		ping(argv[2], (unsigned int)strtoul(argv[3], NULL, 0));
	} else if (strcmp(what, "hold") == 0 && argc == 3) {
		int fd = reach(argv[2]);

		(void)printf("held\n");
		(void)fflush(stdout);
		(void)drain(fd);
		(void)printf("let go\n");
	} else {
		(void)fprintf(stderr, "vsock-peer: see its source for what it takes\n");
		return 2;
	}
	return EXIT_SUCCESS;
}
