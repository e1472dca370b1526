/* SPDX-License-Identifier: Apache-2.0 */
/* vsock_address - sockets of four kinds from words; whatever fails ends the program. */
#include "tests/linux/vsock_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

void die(const char *what)
{
	(void)fprintf(stderr, "vsock-peer: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static int address(const char *text, struct sockaddr_storage *a, socklen_t *len,
		   unsigned int *port)
{
	struct sockaddr_vm *v = (struct sockaddr_vm *)a;
	struct sockaddr_un *u = (struct sockaddr_un *)a;
	struct sockaddr_in *i = (struct sockaddr_in *)a;
	char path[256];
	unsigned int cid;

	memset(a, 0, sizeof(*a));
	*port = 0;
	if (sscanf(text, "vsock:%u:%u", &cid, port) == 2) {
		v->svm_family = AF_VSOCK;
		v->svm_cid = cid;
		v->svm_port = *port;
		*port = 0;
		*len = sizeof(*v);
		return AF_VSOCK;
	}
	if (sscanf(text, "tcp:%255[^:]:%u", path, port) == 2) {
		i->sin_family = AF_INET;
		i->sin_port = htons((uint16_t)*port);
		if (inet_pton(AF_INET, path, &i->sin_addr) != 1)
			die(text);
		*port = 0;
		*len = sizeof(*i);
		return AF_INET;
	}
	if (sscanf(text, "host:%255[^:]:%u", path, port) != 2 &&
	    sscanf(text, "unix:%255s", path) != 1) {
		errno = EINVAL;
		die(text);
	}
	u->sun_family = AF_UNIX;
	(void)snprintf(u->sun_path, sizeof(u->sun_path), "%.107s", path);
	*len = sizeof(*u);
	return AF_UNIX;
}

/* The VMM's greeting: CONNECT, and OK back */
static void greet(int fd, unsigned int port)
{
	char line[32] = "";
	size_t n = 0;

	(void)dprintf(fd, "CONNECT %u\n", port);
	while (n < sizeof(line) - 1 && (!n || line[n - 1] != '\n')) {
		if (read(fd, line + n, 1) != 1)
			die("refused");
		n++;
	}
	if (strncmp(line, "OK ", 3) != 0)
		die(line);
}

int reach(const char *text)
{
	struct sockaddr_storage a;
	unsigned int port;
	socklen_t len;
	int fd = socket(address(text, &a, &len, &port), SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, len) < 0)
		die(text);
	if (port)
		greet(fd, port);
	return fd;
}

int await(const char *text)
{
	struct sockaddr_storage a;
	unsigned int port;
	socklen_t len;
	int fd = socket(address(text, &a, &len, &port), SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) < 0 || listen(fd, 1024) < 0)
		die(text);
	(void)printf("ready\n");
	(void)fflush(stdout);
	return fd;
}
