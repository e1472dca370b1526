/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs - a shared directory (virtio 1.2, 5.11), which virtiofsd serves: one that listens at a
 * socket, or one that we start.
 *
 * There are two virtiofsd, one in C (of QEMU up to 7.2) and one in Rust; the options used
 * here are the first's, which the second understands, too.
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

#define FS_QUEUES 2 /* one for what may not wait, one for requests */
#define FS_QUEUE  256

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

static int fs_start(struct vu_dev *d, const struct config_share *c, const char *path,
		    const char *sandbox, struct err *e)
{
	char options[PATH_MAX + 64];
	const char *const args[] = {"--fd=3", "-o", options, NULL};
	struct daemon_spec s = virtiofsd;

	(void)snprintf(options, sizeof(options), "source=%s,sandbox=%s,cache=auto", path,
		       sandbox);
	s.args = args;
	s.readonly = c->readonly ? path : NULL;
	s.userns = geteuid() != 0;
	return vu_start_daemon(d, &s, e);
}

/* In a container it may not be allowed to make the namespaces that it shuts itself into;
 * changing its root directory still keeps it in the one that it shares.
 */
static struct vu_dev *fs_open(const struct virtio_env *env, unsigned int i, struct err *e)
{
	static const char *const sandbox[] = {"namespace", "chroot"};
	const struct config_share *c = &env->cfg->share[i];
	char path[PATH_MAX];

	if (c->path && fs_resolve(c->path, path, e) < 0)
		return NULL;
	for (unsigned int k = 0; k < ARRAY_SIZE(sandbox); k++) {
		struct vu_dev *d = vu_create(env, "fs", i, e);
		int rc = -ENOMEM;

		if (d && c->socket)
			rc = vu_connect(d, c->socket, e);
		else if (d)
			rc = fs_start(d, c, path, sandbox[k], e);
		if (rc == 0)
			return d;
		if (d)
			vu_destroy(d);
		if (c->path)
			rc = err_wrap(e, "share %s", c->path);
		if (rc != -ECHILD) /* it was not its death */
			return NULL;
	}
	return NULL;
}

struct virtio_dev *fs_create(const struct virtio_env *env, unsigned int i, struct err *e)
{
	const char *tag = env->cfg->share[i].tag;
	struct virtio_fs_config config = {.num_request_queues = FS_QUEUES - 1};
	struct vu_dev *d = fs_open(env, i, e);
	char name[sizeof("share4294967295")];

	if (!d)
		return NULL;
	(void)snprintf(name, sizeof(name), "share%u", i);
	tag = tag ? tag : name;
	memcpy(config.tag, tag, strnlen(tag, sizeof(config.tag)));
	vu_put_config(d, &config, sizeof(config));
	return vu_offer(d, VIRTIO_ID_FS, FS_QUEUES, FS_QUEUE, 0, 0);
}
