// SPDX-License-Identifier: Apache-2.0
/* tap - open a tap interface by name or take one by fd, and say in words why not. */
#include "devices/backend/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/core/log.h"
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

/* The kernel's rules, and no %: it would number the interface for us. */
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
			name, name, name);
	if (code == EPERM || code == EACCES)
		return err_set(e, code,
			       "tap %s is not this user's; as root: ip tuntap del dev %s "
			       "mode tap; ip tuntap add dev %s mode tap user $USER",
			       name, name, name);
	if (code == EBUSY)
		return err_set(e, code,
			       "tap %s is in use by another process; stop that one, or "
			       "choose another name",
			       name);
	if (code == EINVAL && exists)
		return err_set(e, code,
			       "%s is an interface, but not a tap (ip -d link show %s); "
			       "choose another name",
			       name, name);
	return err_set(e, code, "tap %s: cannot attach to it: %s", name, strerror(code));
}

/* An interface that we made is ours to set up; for one that we found, only say so. */
static void tap_bring_up(const struct tap *t, const struct config_net *c, bool made)
{
	cleanup_close int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {0};
	int rc;

	memcpy(ifr.ifr_name, t->name, sizeof(ifr.ifr_name));
	if (made && c->mtu) {
		ifr.ifr_mtu = c->mtu;
		if (ioctl(s, SIOCSIFMTU, &ifr) < 0)
			log_warn("tap %s: cannot set its MTU to %u: %s", t->name, c->mtu,
				 strerror(errno));
	}
	ifr.ifr_flags = 0;
	rc = ioctl(s, SIOCGIFFLAGS, &ifr);
	if (rc < 0 || (ifr.ifr_flags & IFF_UP))
		return;
	ifr.ifr_flags |= IFF_UP;
	if (!made || ioctl(s, SIOCSIFFLAGS, &ifr) < 0)
		log_warn("tap %s is down: nothing is sent until `ip link set %s up`",
			 t->name, t->name);
}

static int tap_by_name(struct tap *t, const struct config_net *c, struct err *e)
{
	struct ifreq ifr = {.ifr_flags = TAP_FLAGS};
	bool exists;
	int rc;

	rc = tap_check_name(c->tap, e);
	if (rc < 0)
		return rc;
	rc = tap_open_device(c->tap, e);
	if (rc < 0)
		return rc;
	t->fd = rc;
	strncpy(ifr.ifr_name, c->tap, sizeof(ifr.ifr_name) - 1);
	memcpy(t->name, ifr.ifr_name, sizeof(t->name));
	exists = if_nametoindex(c->tap) != 0;
	if (ioctl(t->fd, TUNSETIFF, &ifr) < 0)
		return tap_attach_error(c->tap, errno, exists, e);
	tap_bring_up(t, c, !exists);
	return 0;
}

static int tap_by_fd(struct tap *t, const struct config_net *c, struct err *e)
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
	/* nothing passes exec(2) with this flag, and all that we open has it */
	if (fcntl(c->fd, F_GETFD) & FD_CLOEXEC)
		return err_set(
			e, EINVAL,
			"net fd=%d was not open when microvm started: it is tap %.*s, "
			"which another --net opened; start microvm with a tap of its "
			"own as descriptor %d",
			c->fd, IFNAMSIZ, ifr.ifr_name, c->fd);
	if (fcntl(c->fd, F_SETFL, fl | O_NONBLOCK) < 0 ||
	    fcntl(c->fd, F_SETFD, FD_CLOEXEC) < 0)
		return err_set(e, errno, "net fd=%d: %s", c->fd, strerror(errno));
	t->fd = c->fd;
	memcpy(t->name, ifr.ifr_name, sizeof(t->name));
	t->name[sizeof(t->name) - 1] = '\0';
	tap_bring_up(t, c, false);
	return 0;
}

static int tap_check_twice(const struct config *cfg, unsigned int i, struct err *e)
{
	const struct config_net *a = &cfg->net[i];

	for (unsigned int j = 0; j < i; j++) {
		const struct config_net *b = &cfg->net[j];

		if (a->tap && b->tap && !strcmp(a->tap, b->tap))
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

int tap_open(struct tap *t, const struct config *cfg, unsigned int i, struct err *e)
{
	const struct config_net *c = &cfg->net[i];
	int len = TAP_HDR_LEN, rc;

	*t = (struct tap){.fd = -1};
	rc = tap_check_twice(cfg, i, e);
	if (rc == 0)
		rc = c->tap ? tap_by_name(t, c, e) : tap_by_fd(t, c, e);
	if (rc == 0 && ioctl(t->fd, TUNSETVNETHDRSZ, &len) < 0)
		rc = err_set(e, errno,
			     "tap %s does not take headers of %d bytes (%s); this host's "
			     "kernel is too old",
			     t->name, len, strerror(errno));
	if (rc < 0) {
		tap_close(t);
		return rc;
	}
	t->offloads = tap_offloads(t, true, true, true) == 0;
	(void)tap_offloads(t, false, false, false);
	return 0;
}

void tap_close(struct tap *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

int tap_offloads(const struct tap *t, bool csum, bool tso4, bool tso6)
{
	unsigned long f = 0;

	if (csum)
		f = TUN_F_CSUM | (tso4 ? TUN_F_TSO4 : 0UL) | (tso6 ? TUN_F_TSO6 : 0UL);
	return ioctl(t->fd, TUNSETOFFLOAD, f) < 0 ? -errno : 0;
}
