/* SPDX-License-Identifier: Apache-2.0 */
/* tap_open - open a tap interface by name or take one by fd; a failure is a sentence. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/backend/netns.h"
#include "devices/backend/tap.h"
#include "vmm/core/fds.h"
#include "vmm/core/log.h"
#include "vmm/core/shell.h"
#include "vmm/core/signals.h"
#include "vmm/core/util.h"

#define TAP_DEVICE "/dev/net/tun"
#define TAP_FLAGS  (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)

static int tap_open_device(const char *name, struct err *e)
{
	int fd = open(TAP_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	switch (errno) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return err_set(e, errno,
			       "tap %s: this host has no " TAP_DEVICE
			       "; load the module: modprobe tun",
			       name);
	case EACCES:
	case EPERM:
		return err_set(e, errno,
			       "tap %s: this user may not open " TAP_DEVICE
			       "; chmod 0666 " TAP_DEVICE " is the usual setting",
			       name);
	default:
		return err_set(e, errno, "tap %s: cannot open " TAP_DEVICE ": %s", name,
			       strerror(errno));
	}
}

/* The kernel's rules, and no %: the kernel would number the interface for us. */
static int tap_check_name(const char *name, struct err *e)
{
	size_t len = strlen(name);

	if (len == 0 || len >= IFNAMSIZ || !strcmp(name, ".") || !strcmp(name, "..") ||
	    strpbrk(name, "/:% \t\n\v\f\r"))
		return err_set(e, EINVAL,
			       "tap \"%s\" is no name for an interface: 1 to %d "
			       "characters, without / : %% and white space",
			       name, IFNAMSIZ - 1);
	return 0;
}

static int tap_attach_error(const char *name, int code, bool exists, struct err *e)
{
	if ((code == EPERM || code == EACCES) && !exists)
		return err_set(
			e, code,
			"tap %s does not exist, and this user may not make it; as "
			"root: ip tuntap add dev %s mode tap user $USER && ip link "
			"set %s up",
			name, SHELL_WORD(name), SHELL_WORD(name));
	if (code == EPERM || code == EACCES)
		return err_set(e, code,
			       "tap %s is not this user's; as root: ip tuntap del dev %s "
			       "mode tap; ip tuntap add dev %s mode tap user $USER",
			       name, SHELL_WORD(name), SHELL_WORD(name));
	if (code == EBUSY)
		return err_set(e, code,
			       "tap %s is in use by another process; stop that one, or "
			       "choose another name",
			       name);
	if (code == EINVAL && exists)
		return err_set(e, code,
			       "%s is an interface, but not a tap (ip -d link show %s); "
			       "choose another name",
			       name, SHELL_WORD(name));
	return err_set(e, code, "tap %s: cannot attach to it: %s", name, strerror(code));
}

/* We set up an interface that we made */
static void tap_set_up(const struct tap *t, const struct config_net *c)
{
	cleanup_close int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {0};

	memcpy(ifr.ifr_name, t->name, sizeof(ifr.ifr_name));
	if (c->mtu) {
		ifr.ifr_mtu = c->mtu;
		if (ioctl(s, SIOCSIFMTU, &ifr) < 0)
			log_warn("tap %s: cannot set its MTU to %u: %s", t->name, c->mtu,
				 strerror(errno));
	}
	ifr.ifr_flags = 0;
	if (ioctl(s, SIOCGIFFLAGS, &ifr) < 0 || (ifr.ifr_flags & IFF_UP))
		return;
	ifr.ifr_flags |= IFF_UP;
	(void)ioctl(s, SIOCSIFFLAGS, &ifr); /* if it is not, tap_follow() reports it */
}

/* The tap is interface t->name of this thread's network namespace */
static void tap_follow(struct tap *t)
{
	int rc = tap_link_open(&t->link, t->name);

	if (rc < 0)
		log_warn("tap %s: the guest will not see it go down: %s", t->name,
			 strerror(-rc));
	else if (!t->link.up)
		log_warn("tap %s is down, and the guest's link is until `ip link set %s "
			 "up`",
			 t->name, SHELL_WORD(t->name));
}

/* @fd becomes one more queue (@multi: of a tap that can have several). Return: 0 or -errno */
static int tap_attach(struct tap *t, int fd, bool multi)
{
	struct ifreq ifr = {.ifr_flags =
				    (short)(TAP_FLAGS | (multi ? IFF_MULTI_QUEUE : 0))};

	memcpy(ifr.ifr_name, t->name, sizeof(ifr.ifr_name));
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		return -errno;
	t->fd[t->n++] = fd;
	return 0;
}

/* An existing interface has several queues or one, and must be opened with the same flag. One with
 * several can be opened by any number of processes, and each would get some of the frames: the
 * kernel says how many there are. So no other user can keep us from it who may not open it.
 */
static int tap_attach_either(struct tap *t, int fd, bool *multi, bool exists)
{
	int rc = 0;

	for (int i = 0; i < 2; i++) {
		if (*multi && exists && tap_link_queues(t->name) > 0)
			return -EBUSY;
		rc = tap_attach(t, fd, *multi);
		if (rc != -EINVAL || !exists || i > 0)
			break;
		*multi = !*multi;
	}
	/* two at the same moment both give way */
	return rc == 0 && *multi && tap_link_queues(t->name) > 1 ? -EBUSY : rc;
}

/* The first queue.  @multi, in: of several; out: the tap has several.  @exists, out: it is not
 * made by this. A machine that is ending takes a tap that it made along
 */
static int tap_attach_first(struct tap *t, bool *multi, bool *exists, struct err *e)
{
	bool wanted = *multi;
	int rc;

	for (unsigned int n = 0;; n++) {
		unsigned int before = if_nametoindex(t->name);
		int fd = tap_open_device(t->name, e);

		if (fd < 0)
			return fd;
		*multi = wanted;
		*exists = before != 0;
		rc = tap_attach_either(t, fd, multi, *exists);
		/* another one of this name, if its machine ended meanwhile */
		*exists = before && before == if_nametoindex(t->name);
		if (rc == 0)
			return 0;
		close(fd);
		t->n = 0;
		if (rc != -EBUSY || !signals_outwait(n))
			break;
	}
	return tap_attach_error(t->name, -rc, *exists, e);
}

static int tap_by_name(struct tap *t, const struct config_net *c, unsigned int queues,
		       struct err *e)
{
	bool exists = false, multi = queues > 1;
	int rc;

	rc = tap_check_name(c->tap, e);
	if (rc < 0)
		return rc;
	strncpy(t->name, c->tap, sizeof(t->name) - 1);
	rc = tap_attach_first(t, &multi, &exists, e);
	while (rc == 0 && multi && t->n < queues) {
		int fd = tap_open_device(t->name, e);

		if (fd < 0)
			return fd;
		rc = tap_attach(t, fd, true);
		if (rc < 0) {
			close(fd);
			return tap_attach_error(t->name, -rc, true, e);
		}
	}
	if (rc == 0 && !exists)
		tap_set_up(t, c);
	if (rc == 0)
		tap_follow(t);
	return rc;
}

/* Is a tap that came as a descriptor the interface of its name that we see? It may be in another
 * network namespace, which only that one's administrator can see: then the address differs.
 */
static bool tap_is_here(const struct tap *t)
{
	cleanup_close int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq its = {0}, seen = {0};

	memcpy(seen.ifr_name, t->name, sizeof(seen.ifr_name));
	return ioctl(t->fd[0], SIOCGIFHWADDR, &its) == 0 &&
	       ioctl(s, SIOCGIFHWADDR, &seen) == 0 &&
	       !memcmp(its.ifr_hwaddr.sa_data, seen.ifr_hwaddr.sa_data, ETH_ALEN);
}

static int tap_by_fd(struct tap *t, const struct config_net *c, bool dry, struct err *e)
{
	struct ifreq ifr = {0};
	int fl = fcntl(c->fd, F_GETFL);

	if (fl < 0)
		return err_set(
			e, EBADF,
			"net fd=%d is not open; start microvm with the tap open as "
			"descriptor %d",
			c->fd, c->fd);
	if (ioctl(c->fd, TUNGETIFF, &ifr) < 0 || !(ifr.ifr_flags & IFF_TAP))
		return err_set(e, EINVAL,
			       "net fd=%d is not a tap; open " TAP_DEVICE
			       " and attach it with TUNSETIFF and IFF_TAP",
			       c->fd);
	if ((ifr.ifr_flags & TAP_FLAGS) != TAP_FLAGS)
		return err_set(e, EINVAL,
			       "net fd=%d (tap %s) was attached without IFF_NO_PI and "
			       "IFF_VNET_HDR; attach it with both",
			       c->fd, ifr.ifr_name);
	/* no descriptor passes exec(2) with this flag, and all that we open have it */
	if (fcntl(c->fd, F_GETFD) & FD_CLOEXEC)
		return err_set(
			e, EINVAL,
			"net fd=%d was not open when microvm started: it is tap %.*s, "
			"which another --net opened; start microvm with a tap of its "
			"own as descriptor %d",
			c->fd, IFNAMSIZ, ifr.ifr_name, c->fd);
	if ((!dry && fcntl(c->fd, F_SETFL, fl | O_NONBLOCK) < 0) ||
	    fcntl(c->fd, F_SETFD, FD_CLOEXEC) < 0)
		return err_set(e, errno, "net fd=%d: %s", c->fd, strerror(errno));
	t->fd[t->n++] = c->fd;
	memcpy(t->name, ifr.ifr_name, sizeof(t->name));
	t->name[sizeof(t->name) - 1] = '\0';
	if (tap_is_here(t))
		tap_follow(t);
	return 0;
}

static int tap_check_twice(const struct config *cfg, unsigned int i, struct err *e)
{
	const struct config_net *a = &cfg->net[i];

	for (unsigned int j = 0; j < i; j++) {
		const struct config_net *b = &cfg->net[j];

		if (a->tap && b->tap && !strcmp(a->tap, b->tap) &&
		    !strcmp(a->netns ? a->netns : "", b->netns ? b->netns : ""))
			return err_set(e, EINVAL,
				       "tap %s is given twice; each --net needs its own",
				       a->tap);
		if (!a->tap && !b->tap && a->fd == b->fd)
			return err_set(
				e, EINVAL,
				"net fd=%d is given twice; each --net needs its own",
				a->fd);
	}
	return 0;
}

struct tap_job {
	struct tap *t;
	const struct config_net *c;
	unsigned int queues;
	bool dry;
};

/* Attaching switches an interface's carrier on, and a missing one is created: a dry run checks
 * only what needs neither.
 */
static int tap_stand_in(struct tap *t, const struct config_net *c, struct err *e)
{
	int rc = tap_check_name(c->tap, e);

	if (rc == 0)
		rc = tap_open_device(c->tap, e);
	if (rc < 0)
		return rc;
	strncpy(t->name, c->tap, sizeof(t->name) - 1);
	t->fd[t->n++] = rc;
	return 0;
}

static int tap_do(void *arg, struct err *e)
{
	struct tap_job *j = arg;
	int len = TAP_HDR_LEN;
	int rc;

	if (!j->c->tap)
		rc = tap_by_fd(j->t, j->c, j->dry, e);
	else if (j->dry)
		rc = tap_stand_in(j->t, j->c, e);
	else
		rc = tap_by_name(j->t, j->c, j->queues, e);
	if (rc == 0 && !j->dry && ioctl(j->t->fd[0], TUNSETVNETHDRSZ, &len) < 0)
		rc = err_set(e, errno,
			     "tap %s does not take headers of %d bytes (%s); this host's "
			     "kernel is too old",
			     j->t->name, len, strerror(errno));
	for (unsigned int i = 0; rc == 0 && !j->dry && i < j->t->n; i++) {
		j->t->fd[i] = fd_place(j->t->fd[i], FD_TAP);
		if (j->t->fd[i] < 0)
			rc = err_set(e, errno, "tap %s: %s", j->t->name, strerror(errno));
	}
	return rc;
}

/* The most that this host's kernel can do */
static uint64_t tap_probe(struct tap *t)
{
	const uint64_t can[] = {TAP_OFFLOADS, TAP_OFFLOADS & ~TAP_USO};

	for (unsigned int i = 0; i < ARRAY_SIZE(can); i++)
		if (tap_offloads(t, can[i]) == 0)
			return can[i];
	return 0;
}

int tap_open(struct tap *t, const struct config *cfg, unsigned int i, unsigned int queues,
	     struct err *e)
{
	struct tap_job job = {
		.t = t, .c = &cfg->net[i], .queues = queues, .dry = cfg->dry_run};
	int rc;

	BUG_ON(!queues || queues > TAP_QUEUES_MAX);
	*t = (struct tap){0};
	rc = tap_check_twice(cfg, i, e);
	if (rc == 0)
		rc = netns_run(cfg->net[i].netns, tap_do, &job, e);
	if (rc == 0 && (rc = tap_use(t, 1)) < 0)
		err_set(e, -rc, "tap %s: cannot choose its queues: %s", t->name,
			strerror(-rc));
	if (rc < 0) {
		tap_close(t);
		return rc;
	}
	if (cfg->dry_run)
		return 0;
	t->offloads = tap_probe(t);
	(void)tap_offloads(t, 0);
	return 0;
}
