/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs - a shared directory (virtio 1.2, 5.11), which virtiofsd serves: one listening at a socket,
 * or one that we start.
 *
 * There are two virtiofsd, one in C (of QEMU up to 7.2) and one in Rust. The first's options are
 * tried first, without asking: the second also understands them, if it is not too new. If it dies
 * of them, we ask it for its options.
 *
 * Neither gets the directory's name. The first ends a value at a comma and decodes \054 to a
 * comma, the second ends it at any comma, and both would look the name up again. So the directory
 * is opened here, once, and the program finds it at a constant name.
 */
#include "devices/virtio/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/virtio_fs.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/backend/daemon_users.h"
#include "devices/virtio/vhost_user_device.h"
#include "vmm/core/log.h"
#include "vmm/core/subids.h"
#include "vmm/core/util.h"

#define FS_QUEUES   2 /* one for urgent messages, one for requests */
#define FS_QUEUE    256
#define FS_HELP_MAX 16384 /* of --help: bytes that are read */

/* Where the program finds the directory: mounted at /sys in a mount namespace of its own (every
 * host has /sys, and no virtiofsd reads it), or, where no such namespace is allowed, as the
 * descriptor after the socket's.  Only sandbox=chroot works with the latter: for "namespace"
 * the program covers /proc first.  The last slash is for the program's lstat(2).
 */
#define FS_PLACE   "/sys"
#define FS_PLACE_4 "/proc/self/fd/4/"

static const struct daemon_spec virtiofsd = {
	.program = "virtiofsd",
	.places =
		(const char *const[]){"/usr/libexec", "/usr/lib/qemu", "/usr/lib", NULL},
	.cure = "shared directories need it: apt install virtiofsd (Debian 12: "
		"qemu-system-common)",
};

/* Containers write "DIR:MOUNTPOINT[:ro]": the length of DIR if @path, which does not exist, is one
 * of these, else 0.  "DIR:/..." is a path if "DIR:" is a directory.
 */
static size_t fs_before_colon(const char *path)
{
	size_t len = strcspn(path, ":");
	char dir[PATH_MAX];
	struct stat st;

	if (path[len] != ':' || path[len + 1] != '/' || len + 1 >= sizeof(dir))
		return 0;
	memcpy(dir, path, len + 1);
	dir[len + 1] = '\0';
	return stat(dir, &st) == 0 ? 0 : len;
}

static int fs_no_dir(const struct config_share *c, int code, struct err *e)
{
	size_t len = fs_before_colon(c->path);
	const char *mount = c->path + len + 1, *more = mount + strcspn(mount, ":");

	if (!len)
		return err_set(e, code,
			       "share %s: %s; check the path, or make it: mkdir %s",
			       c->path, strerror(code), c->path);
	return err_set(
		e, code,
		"share %.120s: %s; a share has no mount point, the guest chooses it: "
		"give --share %.*s%s, and in the guest: mount -t virtiofs %s %.*s",
		c->path, strerror(code), (int)MIN(len, 100), c->path,
		strcmp(more, ":ro") == 0 ? ",ro" : "", c->tag, (int)MIN(more - mount, 60),
		mount);
}

/* Return: the directory, or -errno */
static int fs_open_dir(const struct config_share *c, struct err *e)
{
	const char *dir = c->path;
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOTDIR)
		return err_set(e, ENOTDIR,
			       "share %s: this is no directory; a file is shared by its "
			       "directory, or as a disk",
			       dir);
	if (fd < 0)
		return fs_no_dir(c, errno, e);
	if (faccessat(fd, ".", R_OK | X_OK, 0) == 0)
		return fd;
	err_set(e, errno,
		"share %s: this user may not read it; change its permissions, or run as "
		"a user who may",
		dir);
	close(fd);
	return -e->code;
}

enum fs_options {
	FS_OLD,  /* -o source=DIR,... */
	FS_NEW,  /* --shared-dir=DIR ... */
	FS_NONE, /* it cannot be given a socket */
};

enum fs_box {
	FS_NAMESPACE,
	FS_CHROOT,
	FS_CHROOT_4, /* the same, with the directory as FS_PLACE_4 */
};

#define FS_OLD_ARGS(place, box)                                               \
	{                                                                     \
		"--fd=3", "-o", "source=" place ",sandbox=" box ",cache=auto" \
	}
#define FS_NEW_ARGS(place, box)                                                   \
	{                                                                         \
		"--fd=3", "--shared-dir=" place, "--sandbox=" box, "--cache=auto" \
	}
static const char *const fs_args[][3][5] = {
	[FS_OLD] = {[FS_NAMESPACE] = FS_OLD_ARGS(FS_PLACE, "namespace"),
		    [FS_CHROOT] = FS_OLD_ARGS(FS_PLACE, "chroot"),
		    [FS_CHROOT_4] = FS_OLD_ARGS(FS_PLACE_4, "chroot")},
	[FS_NEW] = {[FS_NAMESPACE] = FS_NEW_ARGS(FS_PLACE, "namespace"),
		    [FS_CHROOT] = FS_NEW_ARGS(FS_PLACE, "chroot"),
		    [FS_CHROOT_4] = FS_NEW_ARGS(FS_PLACE_4, "chroot")},
};
_Static_assert(DAEMON_FD_FIRST == 3, "what --fd and FS_PLACE_4 say");

/* Why virtiofsd cannot read the host's root: it has to be a user that owns nothing there */
static int fs_no_other(struct err *e)
{
	struct subids ids;

	if (geteuid() == 0)
		return err_set(
			e, EPERM,
			"virtiofsd reads the host's root as a user that owns nothing, and "
			"this user namespace has no user but root; start microvm outside "
			"of it, or map more users into it (newuidmap)");
	if (subids_find(&ids, e) < 0)
		return -e->code;
	return err_set(
		e, EPERM,
		"virtiofsd reads the host's root as a user that owns nothing, a "
		"subordinate id, and --jail off gives it none; leave out --jail off");
}

static int fs_start(struct vu_dev *d, const struct config_share *c, int dir,
		    enum fs_box box, enum fs_options how, struct err *e)
{
	const struct daemon_dir at = {
		.fd = dir, .at = FS_PLACE, .readonly = c->readonly, .host = c->host};
	struct daemon_spec s = virtiofsd;
	struct daemon_map map;

	if (c->host && daemon_map_other(&map) < 0)
		return fs_no_other(e);
	s.args = fs_args[how][box];
	if (c->host)
		s.users = DAEMON_OTHER;
	else if (geteuid() != 0)
		s.users = DAEMON_ROOM;
	s.jail = d->v.env->cfg->jail;
	if (box == FS_CHROOT_4) {
		s.fd = &dir;
		s.nfd = 1;
	} else {
		s.dir = &at;
	}
	return vu_start_daemon(d, &s, e);
}

/* Which options does the installed one take? If its help does not say, its end has said why */
static enum fs_options fs_ask(void)
{
	const char *const args[] = {"--help", NULL};
	struct daemon_spec s = virtiofsd;
	char text[FS_HELP_MAX];
	struct err e;

	s.args = args;
	if (daemon_ask(&s, text, sizeof(text), &e) < 0)
		return FS_OLD;
	if (strstr(text, "--socket-path") && !strstr(text, "--fd"))
		return FS_NONE;
	return strstr(text, "--shared-dir") ? FS_NEW : FS_OLD;
}

static struct vu_dev *fs_try(const struct virtio_env *env, unsigned int i, int dir,
			     enum fs_box box, enum fs_options how, struct err *e)
{
	const struct config_share *c = &env->cfg->share[i];
	char name[sizeof("fs4294967295")];
	struct vu_dev *d;
	int rc;

	(void)snprintf(name, sizeof(name), "fs%u", i);
	d = vu_create(env, name, e);
	if (!d)
		return NULL;
	rc = c->socket ? vu_connect(d, c->socket, e) : fs_start(d, c, dir, box, how, e);
	if (rc == 0)
		return d;
	vu_destroy(d);
	return NULL;
}

/* In a container it may not be allowed to make the namespaces that it isolates itself in;
 * changing its root directory still confines it in a shared one. Read-only needs a mount; a
 * descriptor cannot be made so.
 */
static struct vu_dev *fs_open_how(const struct virtio_env *env, unsigned int i, int dir,
				  enum fs_options how, struct err *e)
{
	struct vu_dev *d = fs_try(env, i, dir, FS_NAMESPACE, how, e);
	struct err why = *e;

	if (d || e->code != ECHILD || env->cfg->jail == JAIL_STRICT)
		return d;
	/* it died */
	d = fs_try(env, i, dir, env->cfg->share[i].readonly ? FS_CHROOT : FS_CHROOT_4,
		   how, e);
	if (d && env->cfg->jail == JAIL_AUTO)
		log_warn("share %s is confined by chroot(2) alone, namespaces of its own "
			 "are missing: %s; allow them (sysctl user.max_mnt_namespaces, "
			 "user.max_user_namespaces, the container's CAP_SYS_ADMIN)",
			 env->cfg->share[i].path, why.msg);
	return d;
}

static struct vu_dev *fs_open(const struct virtio_env *env, unsigned int i, struct err *e)
{
	const struct config_share *c = &env->cfg->share[i];
	enum fs_options how = FS_OLD;
	cleanup_close int dir = c->path ? fs_open_dir(c, e) : -1;
	struct vu_dev *d;

	if (c->path && dir < 0)
		return NULL;
	d = fs_open_how(env, i, dir, how, e);
	if (!d && e->code == ECHILD)
		how = fs_ask();
	if (how == FS_NEW)
		d = fs_open_how(env, i, dir, how, e);
	else if (how == FS_NONE)
		err_set(e, ECHILD, "virtiofsd is too old, it has no --fd; %s",
			virtiofsd.cure);
	if (!d && e->code == ECHILD && geteuid() != 0 && strstr(e->msg, "namespace"))
		err_set(e, ECHILD, "%s",
			"without root virtiofsd needs user namespaces; allow them "
			"(sysctl kernel.unprivileged_userns_clone=1, AppArmor) or run "
			"as root");
	if (!d && e->code == ECHILD && env->cfg->jail == JAIL_STRICT)
		(void)err_wrap(e, "--jail strict takes no sandbox but namespaces of its "
				  "own, --jail auto also chroot(2)");
	if (!d && c->host)
		(void)err_wrap(e, "--root host");
	else if (!d && c->path)
		(void)err_wrap(e, "share %s", c->path);
	return d;
}

struct virtio_dev *fs_create(const struct virtio_env *env, unsigned int i, struct err *e)
{
	const char *tag = env->cfg->share[i].tag;
	struct virtio_fs_config config = {.num_request_queues = FS_QUEUES - 1};
	struct vu_dev *d = fs_open(env, i, e);

	if (!d)
		return NULL;
	if (d->u.queues < FS_QUEUES) {
		err_set(e, EPROTO,
			"share %s: what serves it has %u queue%s, and a share needs %d; "
			"is it a virtio-fs back end?",
			env->cfg->share[i].socket ? env->cfg->share[i].socket : tag,
			d->u.queues, d->u.queues == 1 ? "" : "s", FS_QUEUES);
		vu_destroy(d);
		return NULL;
	}
	memcpy(config.tag, tag, strnlen(tag, sizeof(config.tag)));
	vu_put_config(d, &config, sizeof(config));
	return vu_offer(d, VIRTIO_ID_FS, FS_QUEUES, FS_QUEUE, 0, 0);
}
