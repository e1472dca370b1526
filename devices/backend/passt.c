/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passt - start passt(1) on one end of a socket pair.
 *
 * It goes to the background by itself when it is ready: the process that we started then ends
 * with status 0, and all ports are open. The one in the background is not our child, and leaves
 * when its socket is closed.
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

/* passt's last line for a known error, and our sentence: its own words leave out the cure. */
static const struct {
	const char *word, *sentence;
} passt_refusals[] = {
	{"External interface not usable",
	 "this host has no route to any other network, so passt has nothing to join the "
	 "guest to; give the host a default route, or the guest a tap (--net tap=NAME)"},
	{"user namespace",
	 "passt locks itself up in a user namespace, and this host allows it none; allow "
	 "them (sysctl kernel.unprivileged_userns_clone=1 and user.max_user_namespaces, AppArmor's "
	 "profile of passt, the container's seccomp), or give the guest a tap (--net tap=NAME)"},
	{"sandbox process",
	 "passt cannot lock itself up here, for which it needs namespaces and an empty root; "
	 "allow them to this container, or give the guest a tap (--net tap=NAME)"},
	{"Failed to bind",
	 "passt may not open a port that is to be published; publish one from 1024 on, as "
	 "passt is not root even if we are, or lower it: sysctl "
	 "net.ipv4.ip_unprivileged_port_start=80"},
	{"set UID to",
	 "passt does not run as root, and may not become nobody here; run microvm as a user, "
	 "or give the container CAP_SETUID and CAP_SETGID"},
	{"set GID to",
	 "passt does not run as root, and may not become nobody here; run microvm as a user, "
	 "or give the container CAP_SETUID and CAP_SETGID"},
};

/* passt ended before it was ready; @how quotes it */
static int passt_refused(const char *how, struct err *e)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(passt_refusals); i++)
		if (strstr(how, passt_refusals[i].word))
			return err_set(e, ECHILD, "net user: %s",
				       passt_refusals[i].sentence);
	return err_set(e, ECHILD,
		       "net user: %s; run `passt -f` to see why, or give the guest a tap "
		       "(--net tap=NAME)",
		       how);
}

/* About the end of the process that we started. Return: 0, it is ready */
static int passt_ready(struct daemon *d, struct err *e)
{
	bool dead;
	struct err how;
	int status;

	dead = daemon_dead(d, PASST_READY_MS, &how) != 0;
	status = d->status;
	daemon_stop(d); /* the background process has closed its stderr */
	if (!dead)
		return err_set(e, ETIMEDOUT,
			       "net user: passt was not ready within %d seconds; run "
			       "`passt -f` to see why",
			       PASST_READY_MS / 1000);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return passt_refused(how.msg, e);
}

/* passt goes on if it gets a port for one of IPv4 and IPv6: check both before */
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

int passt_start(const struct config_net *c, enum jail_mode jail, struct err *e)
{
	const char *args[PASST_ARGS + 1] = {"--quiet", "--stderr", "--fd", "3"};
	unsigned int n = 4;
	char mtu[16];
	int pair[2], rc = 0;
	struct daemon d;
	/* that has no part in its end */
	static const char *const noise[] = {"bytes to syslog", "Don't run as root", NULL};
	const struct daemon_spec spec = {.program = "passt",
					 .cure = "apt install passt",
					 .args = args,
					 .noise = noise,
					 .jail = jail,
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
