/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blk_vhost - a virtio disk (virtio 1.2, 5.2) that another process serves: a process that listens
 * at a socket, or a qemu-storage-daemon that we start, for images that are not raw.
 *
 * An image is opened here, once, and the daemon gets the descriptor: it serves the file that was
 * checked, even if another file has the name by then. Only an image that may name other files
 * (backing=on) is passed by its own name, because theirs are relative to it.
 */
#include "devices/virtio/devices.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "devices/backend/disk_image.h"
#include "devices/backend/disk_others.h"
#include "devices/virtio/vhost_user_device.h"
#include "vmm/core/util.h"

#define BLK_QUEUE    256
#define BLK_NAME_MAX 4096
#define BLK_FD_4     "/proc/self/fd/4" /* the descriptor after the socket's */
/* Features that pass through: not CONFIG_WCE, as the driver would have to write the
 * configuration, and none with fields past the configuration that we know
 */
#define BLK_FEATURES                                                    \
	(1ULL << VIRTIO_BLK_F_SIZE_MAX | 1ULL << VIRTIO_BLK_F_SEG_MAX | \
	 1ULL << VIRTIO_BLK_F_RO | 1ULL << VIRTIO_BLK_F_BLK_SIZE |      \
	 1ULL << VIRTIO_BLK_F_FLUSH | 1ULL << VIRTIO_BLK_F_TOPOLOGY |   \
	 1ULL << VIRTIO_BLK_F_MQ | 1ULL << VIRTIO_BLK_F_DISCARD |       \
	 1ULL << VIRTIO_BLK_F_WRITE_ZEROES)
#define BLK_CONFIG_LEN offsetof(struct virtio_blk_config, unused1)
_Static_assert(DAEMON_FD_FIRST == 3, "what BLK_FD_4 says");

static const struct daemon_spec storage_daemon = {
	.program = "qemu-storage-daemon",
	.places =
		(const char *const[]){"/usr/bin", "/usr/lib/qemu", "/usr/libexec", NULL},
	.cure = "images that are not raw need it: apt install qemu-system-common (newer "
		"Debian: qemu-system-common or qemu-storage-daemon), or convert the image: "
		"qemu-img convert -O raw",
};

/* In the daemon's options a comma ends a value, and two commas stand for one. All other bytes of
 * a value are literal.
 */
static int blk_put_path(char *to, size_t size, const char *path)
{
	size_t n = strlen(to);

	for (; *path; path++) {
		if (n + 3 > size)
			return -ENAMETOOLONG;
		to[n++] = *path;
		if (*path == ',')
			to[n++] = ',';
	}
	to[n] = '\0';
	return 0;
}

static bool blk_is_device(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISBLK(st.st_mode);
}

/* The arguments of qemu-storage-daemon: the file, the image in it, its limits, the export */
struct blk_told {
	char file[BLK_NAME_MAX], node[160], limits[128], slow[80], exp[256];
	const char *args[12];
	unsigned int n;
};

static void blk_tell(struct blk_told *t, const char *option, const char *value)
{
	t->args[t->n++] = option;
	t->args[t->n++] = value;
}

static void blk_tell_limits(struct blk_told *t, const struct config_rate *r)
{
	(void)snprintf(t->limits, sizeof(t->limits),
		       "throttle-group,id=limits,limits.bps-total=%llu,"
		       "limits.iops-total=%llu",
		       (unsigned long long)r->bytes, (unsigned long long)r->ops);
	(void)snprintf(t->slow, sizeof(t->slow),
		       "driver=throttle,node-name=slow,throttle-group=limits,file=disk,"
		       "discard=unmap");
	blk_tell(t, "--object", t->limits);
	blk_tell(t, "--blockdev", t->slow);
}

/* In JSON, because "backing" can be null there: the daemon then opens no backing file, even if
 * the header names one by the time it reads it.
 */
static void blk_tell_image(struct blk_told *t, const struct config_disk *c,
			   enum disk_format f)
{
	bool may_back = f == DISK_FORMAT_QCOW2 || f == DISK_FORMAT_VMDK ||
			f == DISK_FORMAT_QED;

	(void)snprintf(t->node, sizeof(t->node),
		       "{\"driver\":\"%s\",\"node-name\":\"disk\",\"file\":\"file\","
		       "\"read-only\":%s,\"discard\":\"unmap\","
		       "\"cache\":{\"direct\":%s}%s}",
		       disk_image_name(f), c->readonly ? "true" : "false",
		       c->direct ? "true" : "false",
		       may_back && !c->backing ? ",\"backing\":null" : "");
	blk_tell(t, "--blockdev", t->node);
}

static int blk_tell_all(struct blk_told *t, const struct config_disk *c, int fd,
			enum disk_format f, unsigned int nqueue, struct err *e)
{
	bool limited = c->rate.bytes || c->rate.ops, uring = c->io == DISK_IO_URING;
	const char *ro = c->readonly ? "on" : "off", *direct = c->direct ? "on" : "off";

	*t = (struct blk_told){0};
	(void)snprintf(
		t->file, sizeof(t->file),
		"driver=%s,node-name=file,read-only=%s,discard=unmap,cache.direct=%s%s,"
		"filename=",
		blk_is_device(fd) ? "host_device" : "file", ro, direct,
		uring ? ",aio=io_uring" : "");
	if (blk_put_path(t->file, sizeof(t->file), c->backing ? c->path : BLK_FD_4) < 0)
		return err_set(e, ENAMETOOLONG, "disk %.60s...: the name is too long",
			       c->path);
	(void)snprintf(t->exp, sizeof(t->exp),
		       "type=vhost-user-blk,id=disk,node-name=%s,writable=%s,"
		       "writethrough=%s,num-queues=%u,addr.type=fd,addr.str=%d",
		       limited ? "slow" : "disk", c->readonly ? "off" : "on",
		       c->cache == CACHE_WRITETHROUGH ? "on" : "off", nqueue,
		       DAEMON_FD_FIRST);
	if (c->block)
		(void)snprintf(t->exp + strlen(t->exp), sizeof(t->exp) - strlen(t->exp),
			       ",logical-block-size=%u", c->block);
	blk_tell(t, "--blockdev", t->file);
	blk_tell_image(t, c, f);
	if (limited)
		blk_tell_limits(t, &c->rate);
	blk_tell(t, "--export", t->exp);
	return 0;
}

/* Without capabilities root opens what anybody may, and its own. Return: what it needs for @c */
static uint64_t blk_keep(const struct config_disk *c, int fd)
{
	mode_t need = c->readonly ? S_IROTH : S_IROTH | S_IWOTH;
	struct stat st;

	if (geteuid() != 0)
		return 0;
	if (!c->backing && fstat(fd, &st) == 0 &&
	    (st.st_uid == 0 || (st.st_mode & need) == need))
		return 0;
	return 1ULL << CAP_DAC_OVERRIDE;
}

/* The image, and the files that it names, are all that the program may open. Return: how many */
static unsigned int blk_reach(struct landlock_rule *r, struct disk_others *o,
			      const struct config_disk *c, int fd)
{
	uint64_t write = c->readonly ? 0 : LANDLOCK_WRITE;

	o->n = 0;
	if (c->backing)
		disk_others_find(o, c->path, fd);
	r[0] = (struct landlock_rule){NULL, fd, LANDLOCK_READ | write};
	for (unsigned int i = 0; i < o->n; i++)
		r[i + 1] = (struct landlock_rule){
			NULL, o->of[i].fd, LANDLOCK_READ | (o->of[i].data ? write : 0)};
	return o->n + 1;
}

/* By io_uring only if the operator says so: with it, qemu-storage-daemon 7.2 waits for ever for
 * bytes past the end of a truncated file.
 */
static int blk_start_daemon(struct vu_dev *d, const struct config_disk *c, int fd,
			    enum disk_format f, struct err *e)
{
	unsigned int nqueue = MIN(d->v.env->cfg->ncpu, VIRTIO_QUEUES_MAX);
	struct landlock_rule reach[DISK_OTHERS_MAX + 1];
	struct daemon_spec s = storage_daemon;
	struct disk_others others;
	struct blk_told t;
	int rc = blk_tell_all(&t, c, fd, f, nqueue, e);

	if (rc < 0)
		return rc;
	s.args = t.args;
	s.fd = &fd;
	s.nfd = c->backing ? 0 : 1;
	s.reach = reach;
	s.nreach = blk_reach(reach, &others, c, fd);
	s.keep = blk_keep(c, fd);
	s.uring = c->io == DISK_IO_URING;
	s.jail = d->v.env->cfg->jail;
	rc = vu_start_daemon(d, &s, e);
	disk_others_close(&others);
	return rc < 0 ? err_wrap(e, "disk %s", c->path) : 0;
}

/* Settings that it does not support */
static int blk_check_options(const struct config_disk *c, enum disk_format f,
			     struct err *e)
{
	const char *no = c->serial ? "serial=" : NULL;

	if (c->overlay)
		no = "overlay=";
	if (c->rate.bytes_burst || c->rate.ops_burst)
		no = "a burst";
	if (no)
		return err_set(e, ENOTSUP,
			       "disk %s: %s cannot be had for %s images, which "
			       "qemu-storage-daemon serves; leave it out, or convert the "
			       "image: qemu-img convert -O raw",
			       c->path, no, disk_image_name(f));
	return 0;
}

static int blk_open(struct vu_dev *d, const struct config *cfg, unsigned int i,
		    struct err *e)
{
	const struct config_disk *c = &cfg->disk[i];
	cleanup_close int fd = -1;
	enum disk_format f;
	int rc;

	if (c->vhost_user)
		return vu_connect(d, c->vhost_user, e);
	f = disk_image_format(c);
	rc = fd = disk_image_open(c, f, e);
	if (rc >= 0)
		rc = blk_check_options(c, f, e);
	return rc < 0 ? rc : blk_start_daemon(d, c, fd, f, e);
}

/* Bound the process's values to possible ones */
static unsigned int blk_configure(struct vu_dev *d)
{
	bool mq = d->u.features & (1ULL << VIRTIO_BLK_F_MQ);
	struct virtio_blk_config c = {0};
	unsigned int n;

	memcpy(&c, d->config, d->v.config_len);
	n = MIN(MIN(mq ? c.num_queues : 1U, d->u.queues),
		MIN(d->v.env->cfg->ncpu, (unsigned int)VIRTIO_QUEUES_MAX));
	c.num_queues = (uint16_t)MAX(n, 1U);
	c.seg_max = MIN(MAX(c.seg_max, 1U), BLK_QUEUE - 2U);
	vu_put_config(d, &c, d->v.config_len);
	return c.num_queues;
}

struct virtio_dev *blk_vhost_create(const struct virtio_env *env, unsigned int i,
				    struct err *e)
{
	struct vu_dev *d = vu_create(env, env->cfg->disk[i].id, e);

	if (!d)
		return NULL;
	if (blk_open(d, env->cfg, i, e) < 0 || vu_get_config(d, BLK_CONFIG_LEN, e) < 0) {
		vu_destroy(d);
		return NULL;
	}
	/* out of order, its successor could not tell finished requests from others */
	if (d->socket && vhost_user_has(&d->u, VHOST_USER_P_INFLIGHT))
		vu_may_return(d);
	return vu_offer(d, VIRTIO_ID_BLOCK, blk_configure(d), BLK_QUEUE, BLK_FEATURES, 0);
}

bool blk_is_elsewhere(const struct config_disk *c)
{
	return c->vhost_user || disk_image_format(c) != DISK_FORMAT_RAW;
}
