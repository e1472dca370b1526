/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-images/agent/port.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORTS   "/sys/class/virtio-ports"
#define WAIT_MS 5000

/* The device of the port @name, in @path.  Return: is there one? */
static bool find(const char *name, char path[64])
{
	DIR *d = opendir(PORTS);
	struct dirent *e;
	char file[300], text[64];
	bool found = false;

	while (d && !found && (e = readdir(d))) {
		(void)snprintf(file, sizeof(file), PORTS "/%s/name", e->d_name);
		if (e->d_name[0] == '.' || read_file(file, text, sizeof(text)) <= 0)
			continue;
		text[strcspn(text, "\n")] = '\0';
		found = !strcmp(text, name);
		(void)snprintf(path, 64, "/dev/%.50s", e->d_name);
	}
	if (d)
		closedir(d);
	return found;
}

/* The kernel's words about devices that come */
static int device_events(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
		       NETLINK_KOBJECT_UEVENT);

	if (s >= 0)
		(void)bind(s, (struct sockaddr *)&address, sizeof(address));
	return s;
}

int port_open(const char *name)
{
	int events = device_events(), fd;
	struct pollfd p = {events, POLLIN, 0};
	char path[64], said[2048];

	/* the port is named by a message of its device's, some time after its driver is there */
	while (!find(name, path)) {
		if (poll(&p, 1, WAIT_MS) <= 0)
			agent_panic(
				"there is no virtio port %s: give one, and a kernel with CONFIG_VIRTIO_MMIO and CONFIG_VIRTIO_CONSOLE, or its own modules: --modules DIR",
				name);
		while (recv(events, said, sizeof(said), 0) > 0)
			;
	}
	if (events >= 0)
		close(events);
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		agent_panic("the port %s cannot be opened: %s", name, strerror(errno));
	return fd;
}

void port_read(int port, struct agent_reader *in)
{
	uint8_t *p;
	size_t room;
	ssize_t n;

	/* the driver gives a page at a time */
	while ((room = agent_room(in, &p)) != 0) {
		n = read(port, p, room);
		if (n == 0)
			(void)usleep(
				1000); /* the host is not there, and nothing tells when it is */
		if (n <= 0)
			return;
		agent_got(in, (size_t)n);
	}
}

void port_write(int port, struct agent_writer *out)
{
	const uint8_t *p;
	size_t n;
	ssize_t done;

	for (p = agent_unsent(out, &n); n; p = agent_unsent(out, &n)) {
		done = write(port, p, n);
		if (done <= 0)
			return;
		agent_wrote(out, (size_t)done);
	}
}
