/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk_space - discard and zero: by fallocate(2) if the file system can, so that images stay
 * sparse, else by writing. Block devices take the same calls, except for a discard.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "devices/backend/disk_engine.h"
#include "vmm/core/util.h"

#define SPACE_PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)
#define SPACE_ZERO  (FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE)
#define SPACE_PIECE (64 * KIB)

/* Does sysfs say that a block device can do some of @what? A partition asks its disk */
static bool space_device_can(const struct stat *st, const char *what)
{
	static const char *const at[] = {"queue", "../queue"};
	char path[96], text[32];

	for (unsigned int i = 0; i < ARRAY_SIZE(at); i++) {
		cleanup_close int fd = -1;
		long n;

		(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s/%s_max_bytes",
			       major(st->st_rdev), minor(st->st_rdev), at[i], what);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		n = read_full(fd, text, sizeof(text));
		return n > 0 && text[0] != '0';
	}
	return false;
}

/* A hole past the end of a file changes nothing, and shows whether there can be holes. */
void disk_space_probe(struct disk *d)
{
	struct stat st;

	if (fstat(d->fd, &st) < 0)
		return;
	d->zeroes_below = d->device && !space_device_can(&st, "write_zeroes");
	if (d->device)
		d->can_discard = space_device_can(&st, "discard");
	else
		d->can_discard = fallocate(d->fd, SPACE_PUNCH,
					   (off_t)ALIGN_UP((uint64_t)st.st_size, MIB),
					   (off_t)PAGE_SIZE) == 0;
	/* nothing was written, and overlays and snapshots know a file by this time */
	if (!d->device && d->can_discard)
		(void)futimens(d->fd,
			       (struct timespec[]){{.tv_nsec = UTIME_OMIT}, st.st_mtim});
}

static int space_allocate(const struct disk *d, const struct disk_sys *sys, int mode,
			  const struct disk_req *r)
{
	while (sys->allocate(d->fd, mode, (off_t)r->off, (off_t)r->len) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static bool space_unsupported(int rc)
{
	return rc == -EOPNOTSUPP || rc == -ENOSYS || rc == -ENODEV;
}

static int space_write_zeroes(const struct disk *d, const struct disk_sys *sys,
			      const struct disk_req *r)
{
	static _Alignas(4096) const uint8_t zero[SPACE_PIECE];
	uint64_t off = r->off, end = r->off + r->len;

	while (off < end) {
		struct iovec v = {(void *)(uintptr_t)zero, MIN(end - off, sizeof(zero))};
		ssize_t n = sys->writev(d->fd, &v, 1, (off_t)off, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		off += (uint64_t)n;
	}
	return 0;
}

static int space_discard(const struct disk *d, const struct disk_sys *sys,
			 const struct disk_req *r)
{
	int rc = 0;

	if (!d->device)
		rc = space_allocate(d, sys, SPACE_PUNCH, r);
	else if (sys->discard(d->fd, r->off, r->len) < 0)
		rc = -errno;
	return space_unsupported(rc) ? 0 : rc; /* only a hint, and nothing is lost */
}

/* For a device that cannot mark zeroes the kernel writes them, unless they may be unmapped */
int disk_space(const struct disk *d, const struct disk_sys *sys, struct disk_req *r)
{
	int rc;

	if (r->op == DISK_DISCARD)
		return space_discard(d, sys, r);
	rc = space_allocate(d, sys, r->unmap ? SPACE_PUNCH : SPACE_ZERO, r);
	r->moved = space_unsupported(rc) || d->zeroes_below ? r->len : 0;
	return space_unsupported(rc) ? space_write_zeroes(d, sys, r) : rc;
}

void disk_space_learn(struct disk *d, const struct disk_req *r)
{
	if (r->op == DISK_ZERO && r->result == 0)
		d->zeroes[r->unmap] = r->moved ? ZEROES_WRITTEN : ZEROES_MARKED;
}

uint64_t disk_file_price(const struct disk *d, const struct disk_req *r)
{
	bool marked = r->op == DISK_ZERO && d->zeroes[r->unmap] == ZEROES_MARKED;

	return r->op == DISK_FLUSH || r->op == DISK_DISCARD || marked ? 0 : r->len;
}
