/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_vsock - any packets and receive buffers, from a guest with a server of the host's at
 * port 1 and a client of the host's for its own port 1; both write, read a little and hang
 * up in the middle.
 */
#include "tests/fuzz/fuzz_virtio.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/virtio/devices.h"
#include "devices/virtio/vsock.h"

#define PEERS 8

static struct driver d;
static char dir[32] = "/tmp/fuzz-vsock-XXXXXX", path[48], server_path[64];
static int server = -1, peer[PEERS], client = -1;
static unsigned int turn;

static struct sockaddr_un fuzz_address(const char *p)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	memcpy(a.sun_path, p, strlen(p));
	return a;
}

static void fuzz_bye(void)
{
	driver_fini(&d);
	(void)unlink(server_path);
	(void)rmdir(dir);
}

static void fuzz_make(void)
{
	struct sockaddr_un a;

	log_threshold = LOG_ERROR;
	BUG_ON(!mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/v", dir);
	(void)snprintf(server_path, sizeof(server_path), "%s_1", path);
	driver_init(&d, FUZZ_RAM);
	d.cfg.vsock = (struct config_vsock){path, 3};
	driver_plug(&d, vsock_create(&d.env, 0, &d.err));
	server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	a = fuzz_address(server_path);
	BUG_ON(bind(server, (struct sockaddr *)&a, sizeof(a)) < 0);
	BUG_ON(listen(server, 16) < 0);
	for (unsigned int i = 0; i < PEERS; i++)
		peer[i] = -1;
	(void)atexit(fuzz_bye);
}

static void fuzz_hang_up(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void fuzz_client(void)
{
	struct sockaddr_un a = fuzz_address(path);

	fuzz_hang_up(&client);
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (connect(client, (struct sockaddr *)&a, sizeof(a)) == 0)
		(void)send(client, "CONNECT 1\nhello", 15, MSG_NOSIGNAL);
}

/* The host does something: what, goes by turns */
static void fuzz_host(void)
{
	static uint8_t some[3000];
	int *p = &peer[turn % PEERS];

	if (*p < 0)
		*p = accept4(server, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (*p >= 0) {
		(void)send(*p, some, sizeof(some), MSG_NOSIGNAL);
		(void)!read(*p, some, 100);
		if (turn % 5 == 2)
			(void)shutdown(*p, turn % 2 ? SHUT_WR : SHUT_RD);
		if (turn % 7 == 3)
			fuzz_hang_up(p);
	}
	if (turn % 3 == 0)
		fuzz_client();
	turn++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd;

	if (server < 0)
		fuzz_make();
	turn = 0;
	fuzz_run(&d, (struct fuzz_input){data, size}, fuzz_host);
	fuzz_hang_up(&client);
	for (unsigned int i = 0; i < PEERS; i++)
		fuzz_hang_up(&peer[i]);
	while ((fd = accept4(server, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(fd);
	return 0;
}
