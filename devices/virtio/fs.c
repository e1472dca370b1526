/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs - a shared directory (virtio 1.2, 5.11), which virtiofsd serves: one that listens at a
 * socket, or one that we start.
 *
 * There are two virtiofsd, one in C (of QEMU up to 7.2) and one in Rust.  The first's options
 * are tried first, for which no question is needed: the second understands them, too, if it
 * is not too new.  One that dies of them is asked what it takes.
 */
#include "devices/virtio/devices.h"

#include <errno.h>
#include <limits.h>
#include <linux/virtio_fs.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/virtio/vhost_user.h"
#include "vmm/core/util.h"

#define FS_QUEUES   2 /* one for what may not wait, one for requests */
#define FS_QUEUE    256
#define FS_HELP_MAX 16384 /* of --help: bytes that are looked at */

static const struct daemon_spec virtiofsd = {
	.program = "virtiofsd",
	.places =
		(const char *const[]){"/usr/libexec", "/usr/lib/qemu", "/usr/lib", NULL},
	.cure = "shared directories need it: apt install virtiofsd (Debian 12: "
		"qemu-system-common)",
};

/* The directory, with nothing in its name that is relative.  Return: 0 or -errno */
static int fs_resolve(const char *dir, char path[PATH_MAX], struct err *e)
{
	struct stat st;

	if (!realpath(dir, path) || stat(path, &st) < 0)
		return err_set(e, errno,
			       "share %s: %s; check the path, or make it: mkdir %s", dir,
			       strerror(errno), dir);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ENOTDIR,
			       "share %s: this is no directory; a file is shared by its "
			       "directory, or as a disk",
			       dir);
	if (access(path, R_OK | X_OK) < 0)
		return err_set(e, errno,
			       "share %s: this user may not read it; change its "
			       "permissions, or run as a user who may",
			       dir);
	if (strchr(path, ',')) /* which no option of virtiofsd's can hold */
		return err_set(
			e, EINVAL,
			"share %s: virtiofsd takes no directory with a comma in its "
			"name; rename it",
			path);
	return 0;
}

enum fs_options {
	FS_OLD,  /* -o source=DIR,... */
	FS_NEW,  /* --shared-dir=DIR ... */
	FS_NONE, /* it cannot be given a socket */
};

static int fs_start(struct vu_dev *d, const struct config_share *c, const char *path,
		    const char *sandbox, enum fs_options how, struct err *e)
{
	char list[PATH_MAX + 64], dir[PATH_MAX + 16], box[32];
	const char *const old[] = {"--fd=3", "-o", list, NULL};
	const char *const new[] = {"--fd=3", dir, box, "--cache=auto", NULL};
	struct daemon_spec s = virtiofsd;

	(void)snprintf(list, sizeof(list), "source=%s,sandbox=%s,cache=auto", path,
		       sandbox);
	(void)snprintf(dir, sizeof(dir), "--shared-dir=%s", path);
	(void)snprintf(box, sizeof(box), "--sandbox=%s", sandbox);
	s.args = how == FS_NEW ? new : old;
	s.readonly = c->readonly ? path : NULL;
	s.userns = geteuid() != 0;
	return vu_start_daemon(d, &s, e);
}

/* What does the one that is installed take?  If it says nothing of that, its end has said why */
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

static struct vu_dev *fs_try(const struct virtio_env *env, unsigned int i,
			     const char *path, const char *sandbox, enum fs_options how,
			     struct err *e)
{
	const struct config_share *c = &env->cfg->share[i];
	struct vu_dev *d = vu_create(env, "fs", i, e);
	int rc;

	if (!d)
		return NULL;
	rc = c->socket ? vu_connect(d, c->socket, e)
		       : fs_start(d, c, path, sandbox, how, e);
	if (rc == 0)
		return d;
	vu_destroy(d);
	return NULL;
}

/* In a container it may not be allowed to make the namespaces that it shuts itself into;
 * changing its root directory still keeps it in the one that it shares.
 */
static struct vu_dev *fs_open_how(const struct virtio_env *env, unsigned int i,
				  const char *path, enum fs_options how, struct err *e)
{
	struct vu_dev *d = fs_try(env, i, path, "namespace", how, e);

	if (!d && e->code == ECHILD) /* it died */
		d = fs_try(env, i, path, "chroot", how, e);
	return d;
}

static struct vu_dev *fs_open(const struct virtio_env *env, unsigned int i, struct err *e)
{
	const struct config_share *c = &env->cfg->share[i];
	enum fs_options how = FS_OLD;
	char path[PATH_MAX];
	struct vu_dev *d;

	if (c->path && fs_resolve(c->path, path, e) < 0)
		return NULL;
	d = fs_open_how(env, i, path, how, e);
	if (!d && e->code == ECHILD)
		how = fs_ask();
	if (how == FS_NEW)
		d = fs_open_how(env, i, path, how, e);
	else if (how == FS_NONE)
		err_set(e, ECHILD, "virtiofsd is too old, it has no --fd; %s",
			virtiofsd.cure);
	if (!d && e->code == ECHILD && geteuid() != 0 && strstr(e->msg, "namespace"))
		err_set(e, ECHILD, "%s",
			"without root virtiofsd needs user namespaces; allow them "
			"(sysctl kernel.unprivileged_userns_clone=1, AppArmor) or run "
			"as root");
	if (!d && c->path)
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
	memcpy(config.tag, tag, strnlen(tag, sizeof(config.tag)));
	vu_put_config(d, &config, sizeof(config));
	return vu_offer(d, VIRTIO_ID_FS, FS_QUEUES, FS_QUEUE, 0, 0);
}
