// SPDX-License-Identifier: Apache-2.0
/*
 * overlay_file - the file of an overlay: made when it is not there or empty, else checked
 * against its base, its bitmap read.
 */
#include "devices/backend/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/core/util.h"

#define OVERLAY_VERSION 1

/* FNV-1a: what a torn or foreign page does not have by accident */
static uint64_t overlay_sum(const struct overlay_header *h)
{
	const uint8_t *p = (const uint8_t *)h;
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < offsetof(struct overlay_header, sum); i++)
		sum = (sum ^ p[i]) * UINT64_C(0x100000001b3);
	return sum;
}

/* The header that an overlay of this base has, as it is now */
static int overlay_expect(struct disk_engine *ov, struct err *e)
{
	struct overlay_header *h = &ov->head;
	struct stat st;

	if (fstat(ov->base->fd, &st) < 0)
		return err_set(e, errno, "disk %s: %s", ov->base->path, strerror(errno));
	*h = (struct overlay_header){
		.version = OVERLAY_VERSION,
		.cluster = OVERLAY_CLUSTER,
		.base_size = ov->base->size,
		.data = ALIGN_UP((1 + ov->map.pages) * OVERLAY_PAGE, OVERLAY_CLUSTER),
	};
	memcpy(h->magic, OVERLAY_MAGIC, sizeof(h->magic));
	if (!ov->base->device)
		h->base_mtime =
			st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
	h->sum = overlay_sum(h);
	return 0;
}

/* ---- making one ---- */

/* The bitmap's space is taken now, so that no flush runs out of it.  Header first: a file
 * of that page alone is an overlay with nothing in it, to overlay_load(), too.
 */
static int overlay_write_new(const struct disk_engine *ov, int fd)
{
	uint8_t page[OVERLAY_PAGE] = {0};
	ssize_t n;

	memcpy(page, &ov->head, sizeof(ov->head));
	n = pwrite(fd, page, sizeof(page), 0);
	if (n != (ssize_t)sizeof(page))
		return n < 0 ? -errno : -ENOSPC; /* a part: no more would fit */
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)OVERLAY_PAGE,
		      (off_t)(ov->map.pages * OVERLAY_PAGE)) < 0 &&
	    errno != EOPNOTSUPP)
		return -errno;
	return ftruncate(fd, (off_t)(ov->head.data + ov->head.base_size)) < 0 ? -errno
									      : 0;
}

/* A name that is new lasts when its directory is on stable storage; a flush of the guest's
 * sees to the file alone.  Who may not read the directory has to trust the file system.
 */
static int overlay_keep_name(const char *path)
{
	cleanup_free char *copy = strdup(path);
	cleanup_close int fd = -1;

	if (!copy)
		return -ENOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == EACCES ? 0 : -errno;
	return fsync(fd) < 0 && errno != EINVAL ? -errno : 0;
}

/* Is there nothing in it?  Also a file whose header was lost with the host's power: bits
 * are never written before it is on stable storage.
 */
static bool overlay_blank(const struct disk_engine *ov, int fd, const struct stat *st)
{
	const struct overlay_header *h = &ov->head;
	off_t data;

	if (!st->st_size)
		return true;
	if ((uint64_t)st->st_size != h->data + h->base_size)
		return false;
	data = lseek(fd, 0, SEEK_DATA);
	return data < 0 ? errno == ENXIO : (uint64_t)data >= h->data;
}

static int overlay_make_error(const char *path, int code, struct err *e)
{
	return err_set(e, code,
		       "overlay %s can be neither opened nor made: %s; give a path in a "
		       "directory that is there and may be written",
		       path, strerror(code));
}

/* Could it be made there?  Return: 1, or -errno with a sentence */
static int overlay_may_make(const char *path, struct err *e)
{
	cleanup_free char *copy = strdup(path);

	if (!copy)
		return err_set(e, ENOMEM, "overlay %s: out of memory", path);
	return access(dirname(copy), W_OK | X_OK) == 0
		       ? 1
		       : overlay_make_error(path, errno, e);
}

static bool overlay_is_one(int fd)
{
	char magic[sizeof(OVERLAY_MAGIC) - 1];

	return pread_full(fd, magic, sizeof(magic), 0) == (long)sizeof(magic) &&
	       memcmp(magic, OVERLAY_MAGIC, sizeof(magic)) == 0;
}

static int overlay_check_kind(int fd, const struct stat *st, const char *path,
			      struct err *e)
{
	if (!overlay_is_one(fd))
		return err_set(
			e, EINVAL,
			"overlay %s is some other kind of file; give a new name, or "
			"one that may be emptied: truncate -s 0 %s",
			path, path);
	if (st->st_size % DISK_SECTOR)
		return err_set(
			e, EINVAL,
			"overlay %s was cut short, to %llu bytes; give another, or "
			"begin anew: truncate -s 0 %s",
			path, (unsigned long long)st->st_size, path);
	return 0;
}

/* Open @path, which was not there.  @made: it is ours to remove.  Return: fd, or -1 */
static int overlay_open_or_make(const char *path, int flags, bool *made)
{
	int fd = open(path, flags | O_CREAT | O_EXCL, 0666);

	*made = fd >= 0;
	/* a link to nothing; or made by somebody else at this moment */
	return fd < 0 && errno == EEXIST ? open(path, flags | O_CREAT, 0666) : fd;
}

void overlay_unmake(struct disk_engine *ov)
{
	struct stat st;

	if (ov->made && lstat(ov->made, &st) == 0 && disk_file_same(&st, &ov->made_is))
		(void)unlink(ov->made);
}

/* Under a lock, because two may begin the same one; who loses finds it made, and in use.
 * Return: 0; 1: @dry, and it would have been made; -errno with a sentence
 */
static int overlay_make(struct disk_engine *ov, const char *path, bool dry, struct err *e)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	const int flags = O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	cleanup_close int fd = open(path, flags);
	bool named = fd < 0 && errno == ENOENT, made = false;
	struct stat st;
	int rc;

	if (named && dry)
		return overlay_may_make(path, e);
	if (named)
		fd = overlay_open_or_make(path, flags, &made);
	if (fd < 0 || fstat(fd, &st) < 0)
		return overlay_make_error(path, errno, e);
	if (!S_ISREG(st.st_mode))
		return err_set(
			e, EINVAL,
			"overlay %s is no file; give the name of one, it is made if "
			"it is not there",
			path);
	if (!overlay_blank(ov, fd, &st))
		return overlay_check_kind(fd, &st, path,
					  e); /* the rest: overlay_load() */
	if (dry)
		return 1;
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0)
		return 0; /* and here disk_file_open() */
	if (fstat(fd, &st) < 0 || !overlay_blank(ov, fd, &st))
		return 0;
	rc = overlay_write_new(ov, fd);
	if (rc == 0 && named)
		rc = overlay_keep_name(path);
	if (rc < 0) {
		(void)!ftruncate(fd, 0);
		if (made)
			(void)unlink(path);
		return err_set(e, -rc,
			       "overlay %s cannot be begun: %s; make room there, or name "
			       "a file elsewhere",
			       path, strerror(-rc));
	}
	ov->made = made ? strdup(path) : NULL;
	ov->made_is = st;
	return 0;
}

/* ---- reading one ---- */

static int overlay_check(const struct disk_engine *ov, const struct overlay_header *h,
			 struct err *e)
{
	const char *path = ov->top->path, *base = ov->base->path;

	if (h->sum != overlay_sum(h))
		return err_set(
			e, EINVAL,
			"overlay %s is damaged: its header is not what was written; "
			"give another, or begin anew: truncate -s 0 %s",
			path, path);
	if (h->version != OVERLAY_VERSION || h->cluster != OVERLAY_CLUSTER)
		return err_set(
			e, EINVAL,
			"overlay %s is of version %u, and this microvm knows %d; use "
			"the one that made it",
			path, h->version, OVERLAY_VERSION);
	if (h->base_size != ov->head.base_size || h->base_mtime != ov->head.base_mtime)
		return err_set(
			e, EINVAL,
			"the base %s has changed since overlay %s was begun on it, so "
			"the two do not fit together any more; give the base as it "
			"was, or begin anew: truncate -s 0 %s",
			base, path, path);
	return 0;
}

/* Holes are zeroes already; @buf is a page, aligned for direct access. */
static int overlay_read_map(struct disk_engine *ov, uint8_t *buf)
{
	const off_t begin = (off_t)OVERLAY_PAGE;
	const off_t end = begin + (off_t)(ov->map.pages * OVERLAY_PAGE);
	int fd = ov->top->fd;

	for (off_t at = begin; at < end; at += (off_t)OVERLAY_PAGE) {
		off_t to = lseek(fd, at, SEEK_DATA);
		uint64_t page;

		if (to < 0 && errno == ENXIO)
			return 0;
		if (to >= end)
			return 0;
		if (to > at)
			at = (off_t)ALIGN_DOWN((uint64_t)to, OVERLAY_PAGE);
		if (pread_full(fd, buf, OVERLAY_PAGE, (uint64_t)at) != (long)OVERLAY_PAGE)
			return -EIO;
		page = (uint64_t)(at - begin);
		memcpy((uint8_t *)ov->map.live + page, buf, OVERLAY_PAGE);
		memcpy((uint8_t *)ov->map.file + page, buf, OVERLAY_PAGE);
	}
	return 0;
}

static int overlay_load(struct disk_engine *ov, bool dry, struct err *e)
{
	cleanup_free uint8_t *buf = aligned_alloc(OVERLAY_PAGE, OVERLAY_PAGE);
	const char *path = ov->top->path;
	uint64_t whole = ov->head.data + ov->head.base_size;
	struct overlay_header h;
	int rc;

	if (!buf)
		return err_set(e, ENOMEM, "overlay %s: out of memory", path);
	memset(buf, 0, OVERLAY_PAGE);
	if (pread_full(ov->top->fd, buf, OVERLAY_PAGE, 0) < 0)
		return err_set(e, EIO, "overlay %s cannot be read", path);
	memcpy(&h, buf, sizeof(h));
	rc = overlay_check(ov, &h, e);
	if (rc < 0)
		return rc;
	if (ov->top->size < whole && ov->top->size > OVERLAY_PAGE)
		return err_set(e, EINVAL,
			       "overlay %s was cut short: it has %llu of its %llu bytes; "
			       "give another, or begin anew: truncate -s 0 %s",
			       path, (unsigned long long)ov->top->size,
			       (unsigned long long)whole, path);
	if (ov->top->size < whole && !dry && ftruncate(ov->top->fd, (off_t)whole) < 0)
		return err_set(e, errno, "overlay %s cannot be begun: %s", path,
			       strerror(errno));
	rc = overlay_read_map(ov, buf);
	return rc < 0 ? err_set(e, -rc, "overlay %s: its bitmap cannot be read", path)
		      : 0;
}

/* What the guest may ask of the two together */
static void overlay_describe(struct disk *d, const struct disk_engine *ov)
{
	const struct disk *base = ov->base, *top = ov->top;

	d->size = base->size;
	d->block = MAX(base->block, top->block);
	d->physical = MAX(MAX(base->physical, top->physical), d->block);
	d->io_min = MAX(MAX(base->io_min, top->io_min), d->physical);
	d->remote = base->remote || top->remote;
	d->can_discard = top->can_discard;
	d->discard_align = OVERLAY_CLUSTER;
}

int overlay_open(struct disk *d, const char *top, bool dry, struct err *e)
{
	struct disk_engine *ov = calloc(1, sizeof(*ov));
	int rc;

	if (!ov)
		return err_set(e, ENOMEM, "overlay %s: out of memory", top);
	d->engine = ov;
	overlay_attach(d);
	ov->base = disk_open_file(d->path, true, d->direct, dry, e);
	if (!ov->base)
		return -e->code;
	if (overlay_is_one(ov->base->fd))
		return err_set(e, EINVAL,
			       "disk %s is an overlay itself, and overlays do not stack; "
			       "give the base that it was made for",
			       d->path);
	if (overlay_map_init(&ov->map, ov->base->size) < 0)
		return err_set(e, ENOMEM, "overlay %s: out of memory", top);
	rc = overlay_expect(ov, e);
	if (rc == 0)
		rc = overlay_make(ov, top, dry, e);
	if (rc < 0)
		return rc;
	ov->top = rc ? disk_open_file(d->path, true, d->direct, dry, e)
		     : disk_open_file(top, false, d->direct, dry, e);
	if (!ov->top) {
		if (e->code == EBUSY) /* another has it: it was free for a moment */
			ov->made_is = (struct stat){0};
		return -e->code;
	}
	if (access(ov->top->path, F_OK) < 0) /* by who had made it for nothing */
		return err_set(e, ENOENT,
			       "overlay %s was removed at this moment; start again", top);
	rc = rc ? 0 : overlay_load(ov, dry, e);
	if (rc == 0)
		overlay_describe(d, ov);
	if (rc == 0 && d->size % d->block)
		rc = err_set(
			e, EINVAL,
			"disk %s has %llu bytes, and its overlay %s works in blocks of "
			"%u; pad it (truncate -s %%%u %s) or remove ,direct",
			d->path, (unsigned long long)d->size, top, d->block, d->block,
			d->path);
	return rc;
}

int overlay_begin(const struct disk *d, uint64_t *off)
{
	const struct disk_engine *ov = d->engine;
	bool in_top;

	(void)overlay_map_run(&ov->map, 0, 1, &in_top);
	*off = in_top ? ov->head.data : 0;
	return in_top ? ov->top->fd : ov->base->fd;
}

int overlay_use_ring(struct disk *d, struct ring *ring)
{
	int rc = disk_use_ring(d->engine->base, ring);

	return rc < 0 ? rc : disk_use_ring(d->engine->top, ring);
}
