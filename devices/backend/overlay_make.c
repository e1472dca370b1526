/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay_make - the file of an overlay: made if it is missing, given a header if it is empty,
 * and opened once.
 */
#include "devices/backend/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/core/shell.h"
#include "vmm/core/outside.h"
#include "vmm/core/util.h"

/* The bitmap's space is allocated now, so that no flush runs out of it. Header first: a file of
 * that page alone is an empty overlay, and overlay_load() accepts it as one.
 */
static int overlay_write_new(const struct overlay *ov, int fd)
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

/* A new name is safe when its directory is on stable storage; a flush of the guest's covers the
 * file alone. A user who may not read the directory has to trust the file system.
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

/* Is it empty? Also a file whose header was lost with the host's power: bits are never written
 * before it is on stable storage.
 */
static bool overlay_blank(const struct overlay *ov, int fd, const struct stat *st)
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

bool overlay_is_one(int fd)
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
			path, SHELL_WORD(path));
	if (st->st_size % DISK_SECTOR)
		return err_set(
			e, EINVAL,
			"overlay %s was cut short, to %llu bytes; give another, or "
			"begin anew: truncate -s 0 %s",
			path, (unsigned long long)st->st_size, SHELL_WORD(path));
	return 0;
}

/* Open @path, which was missing. It will show the base's content, whose mode need not suit the
 * owner and group of a new file, so only the owner may read it. @made: we may remove it.
 * Return: fd, or -1
 */
static int overlay_open_or_make(const char *path, int flags, bool *made)
{
	int fd = open(path, flags | O_CREAT | O_EXCL, 0600);

	*made = fd >= 0;
	/* a dangling link; or made by another process at this moment */
	return fd < 0 && errno == EEXIST ? open(path, flags | O_CREAT, 0600) : fd;
}

void overlay_unmake(struct overlay *ov)
{
	if (ov->made >= 0)
		(void)outside_do(OUTSIDE_REMOVE, ov->made, 0);
}

/* The file of the top, and how it was opened */
struct overlay_name {
	const char *path;
	int fd;
	bool fresh; /* it was missing */
	bool made;  /* and we may remove it */
};

/* Return: 0; 1: @dry, and it would be made; -errno with a sentence */
static int overlay_open_name(struct overlay_name *n, const char *path, bool dry,
			     struct err *e)
{
	const int flags = O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

	*n = (struct overlay_name){.path = path, .fd = open(path, flags)};
	n->fresh = n->fd < 0 && errno == ENOENT;
	if (n->fresh && dry)
		return overlay_may_make(path, e);
	if (n->fresh)
		n->fd = overlay_open_or_make(path, flags, &n->made);
	return n->fd < 0 ? overlay_make_error(path, errno, e) : 0;
}

/* An empty file: write the header of this base */
static int overlay_begin(struct overlay *ov, const struct overlay_name *n, struct err *e)
{
	int rc = overlay_write_new(ov, n->fd);

	if (rc == 0 && n->fresh)
		rc = overlay_keep_name(n->path);
	if (rc == 0)
		return 0;
	(void)!ftruncate(n->fd, 0);
	if (n->made)
		(void)unlink(n->path);
	return err_set(e, -rc,
		       "overlay %s cannot be begun: %s; make room there, or name a file "
		       "elsewhere",
		       n->path, strerror(-rc));
}

/* Under a lock, as two processes may begin the same one; the loser finds it made and in use.
 * Return: as overlay_open_name()
 */
static int overlay_make(struct overlay *ov, const struct overlay_name *n, bool dry,
			struct err *e)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct stat st;
	int rc;

	if (fstat(n->fd, &st) < 0)
		return overlay_make_error(n->path, errno, e);
	if (!S_ISREG(st.st_mode))
		return err_set(
			e, EINVAL,
			"overlay %s is no file; give the name of one, it is made if "
			"it is not there",
			n->path);
	if (!overlay_blank(ov, n->fd, &st)) /* the rest: overlay_load() */
		return overlay_check_kind(n->fd, &st, n->path, e);
	if (dry)
		return 1;
	if (fcntl(n->fd, F_OFD_SETLK, &lock) < 0)
		return 0; /* and here disk_take_file() */
	if (fstat(n->fd, &st) < 0 || !overlay_blank(ov, n->fd, &st))
		return 0;
	rc = overlay_begin(ov, n, e);
	if (rc < 0)
		return rc;
	ov->made = n->made ? outside_made(n->path, n->fd) : -1;
	if (!n->made || ov->made >= 0)
		return 0;
	(void)unlink(n->path); /* else nobody would remove it */
	return err_set(e, -ov->made, "overlay %s: %s", n->path, strerror(-ov->made));
}

struct disk *overlay_top(struct overlay *ov, const char *path, bool dry, struct err *e)
{
	const struct disk *base = ov->base;
	struct overlay_name n;
	int rc = overlay_open_name(&n, path, dry, e);

	if (rc == 0)
		rc = overlay_make(ov, &n, dry, e);
	if (rc == 0)
		return disk_take_file(n.fd, path, false, base->direct, dry, e);
	cleanup_close_fd(&n.fd);
	if (rc < 0)
		return NULL;
	n.fd = fcntl(base->fd, F_DUPFD_CLOEXEC, 0); /* which stands in for it */
	if (n.fd >= 0)
		return disk_take_file(n.fd, base->path, true, base->direct, dry, e);
	err_set(e, errno, "overlay %s: %s", path, strerror(errno));
	return NULL;
}
