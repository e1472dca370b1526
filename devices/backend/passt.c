// SPDX-License-Identifier: Apache-2.0
/*
 * passt - start passt(1) on one end of a socket pair.
 *
 * It goes to the background by itself when it is ready: the end of what we started, with
 * status 0, says that all ports are open.  What runs on is nobody's child and leaves when
 * its socket is closed.
 */
#include "devices/backend/passt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/backend/daemon.h"
#include "vmm/core/util.h"

#define PASST_READY_MS 10000
#define PASST_ARGS     (7 + 2 * CONFIG_PUBLISH_MAX)

/* Of the end of what we started.  Return: 0, it is ready */
static int passt_ready(struct daemon *d, struct err *e)
{
	bool dead;
	struct err how;
	int status;

	dead = daemon_dead(d, PASST_READY_MS, &how) != 0;
	status = d->status;
	daemon_stop(d); /* what runs on has let go of its stderr */
	if (!dead)
		return err_set(e, ETIMEDOUT,
			       "net user: passt was not ready within %d seconds; run "
			       "`passt -f` to see why",
			       PASST_READY_MS / 1000);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return err_set(e, ECHILD, "net user: %s", how.msg);
}

/* passt goes on if it gets a port for one of IPv4 and IPv6: look before it does */
static int passt_check_port(const struct config_publish *p, struct err *e)
{
	const struct sockaddr_in a = {.sin_family = AF_INET,
				      .sin_port = htons(p->port),
				      .sin_addr.s_addr = p->address};
	cleanup_close int fd =
		socket(AF_INET, (p->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	const int one = 1;

	if (!p->udp)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
		return 0;
	return err_set(
		e, errno,
		"net publish=%s: this host's port %u is not to be had: %s; publish "
		"another one",
		p->spec, p->port, strerror(errno));
}

int passt_start(const struct config_net *c, struct err *e)
{
	const char *args[PASST_ARGS + 1] = {"--quiet", "--stderr", "--fd", "3"};
	unsigned int n = 4;
	char mtu[16];
	int pair[2], rc = 0;
	struct daemon d;
	const struct daemon_spec spec = {.program = "passt",
					 .cure = "apt install passt",
					 .args = args,
					 .fd = &pair[1],
					 .nfd = 1};

	_Static_assert(DAEMON_FD_FIRST == 3, "what --fd says");
	if (!c->host)
		args[n++] = "--no-map-gw";
	if (c->mtu) {
		(void)snprintf(mtu, sizeof(mtu), "%u", c->mtu);
		args[n++] = "--mtu";
		args[n++] = mtu;
	}
	for (unsigned int i = 0; i < c->npublish && rc == 0; i++) {
		rc = passt_check_port(&c->publish[i], e);
		args[n++] = c->publish[i].udp ? "-u" : "-t";
		args[n++] = c->publish[i].spec;
	}
	if (rc < 0)
		return rc;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(e, errno, "net user: no socket: %s", strerror(errno));
	daemon_init(&d);
	rc = daemon_start(&d, &spec, e);
	close(pair[1]);
	if (rc == 0)
		rc = passt_ready(&d, e);
	if (rc == 0)
		return pair[0];
	close(pair[0]);
	return rc;
}
