/* SPDX-License-Identifier: Apache-2.0 */
/*
 * carry - the other end of a console or a port: what a unix socket or a terminal says goes to
 * our stdout, our stdin goes to it.
 *
 * usage: carry PATH BYTES    until so many have come, or it hangs up; 0: for ever
 *        carry PATH stuck    read nothing, until killed
 *
 * Waits ten seconds for PATH to be there.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int carry_open(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);

	if (fd >= 0 || errno != ENXIO) /* ENXIO: it is a socket */
		return fd;
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd >= 0 && (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
			fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static void carry_fail(const char *what)
{
	perror(what);
	exit(1);
}

static void put(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t k = write(fd, p, n);

		if (k < 0)
			carry_fail("stdout");
		p += k;
		n -= (size_t)k;
	}
}

static struct {
	char buf[65536];
	size_t at, n;
	bool over;
} in;

/* Our stdin, as far as the other end takes it */
static void carry_in(int fd)
{
	ssize_t k;

	if (!in.n) {
		k = read(STDIN_FILENO, in.buf, sizeof(in.buf));
		in.over = k <= 0;
		in.at = 0;
		in.n = k > 0 ? (size_t)k : 0;
	}
	k = in.n ? write(fd, in.buf + in.at, in.n) : 0;
	if (k < 0 && errno != EAGAIN)
		carry_fail("write");
	in.at += k > 0 ? (size_t)k : 0;
	in.n -= k > 0 ? (size_t)k : 0;
}

/* Return: bytes that came; 0: it hung up */
static size_t carry_out(int fd)
{
	char buf[65536];
	ssize_t k = read(fd, buf, sizeof(buf));

	if (k <= 0)
		return 0;
	put(STDOUT_FILENO, buf, (size_t)k);
	return (size_t)k;
}

static void carry(int fd, size_t want)
{
	size_t came = 0;

	while (!want || came < want || in.n || !in.over) {
		struct pollfd p[2] = {
			{.fd = fd, .events = (short)(POLLIN | (in.n ? POLLOUT : 0))},
			{.fd = in.over || in.n ? -1 : STDIN_FILENO, .events = POLLIN}};

		if (poll(p, 2, -1) < 0)
			carry_fail("poll");
		if (p[1].revents || p[0].revents & POLLOUT)
			carry_in(fd);
		if (p[0].revents & (POLLIN | POLLHUP | POLLERR)) {
			size_t k = carry_out(fd);

			if (!k)
				return;
			came += k;
		}
	}
}

int main(int argc, char **argv)
{
	int fd = -1;

	if (argc != 3)
		return 2;
	for (int i = 0; i < 1000 && (fd = carry_open(argv[1])) < 0; i++)
		usleep(10000);
	if (fd < 0)
		carry_fail(argv[1]);
	if (strcmp(argv[2], "stuck") == 0)
		pause();
	carry(fd, strtoul(argv[2], NULL, 10));
	return 0;
}
