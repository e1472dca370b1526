/* SPDX-License-Identifier: Apache-2.0 */
/* overlay_file - the file of an overlay: its base is checked, its bitmap read. */
#include "devices/backend/overlay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/core/shell.h"
#include "vmm/core/util.h"

#define OVERLAY_VERSION 1

/* FNV-1a: a torn or foreign page does not match it by accident */
static uint64_t overlay_sum(const struct overlay_header *h)
{
	const uint8_t *p = (const uint8_t *)h;
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < offsetof(struct overlay_header, sum); i++)
		sum = (sum ^ p[i]) * UINT64_C(0x100000001b3);
	return sum;
}

/* The header that an overlay of this base has, as it is now */
static int overlay_expect(struct overlay *ov, struct err *e)
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

static int overlay_check(const struct overlay *ov, const struct overlay_header *h,
			 struct err *e)
{
	const char *path = ov->top->path, *base = ov->base->path;

	if (h->sum != overlay_sum(h))
		return err_set(
			e, EINVAL,
			"overlay %s is damaged: its header is not what was written; "
			"give another, or begin anew: truncate -s 0 %s",
			path, SHELL_WORD(path));
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
			base, path, SHELL_WORD(path));
	return 0;
}

/* Holes are zeroes already; @buf is a page, aligned for direct access. */
static int overlay_read_map(struct overlay *ov, uint8_t *buf)
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

static int overlay_load(struct overlay *ov, bool dry, struct err *e)
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
			       (unsigned long long)whole, SHELL_WORD(path));
	if (ov->top->size < whole && !dry && ftruncate(ov->top->fd, (off_t)whole) < 0)
		return err_set(e, errno, "overlay %s cannot be begun: %s", path,
			       strerror(errno));
	rc = overlay_read_map(ov, buf);
	return rc < 0 ? err_set(e, -rc, "overlay %s: its bitmap cannot be read", path)
		      : 0;
}

/* The limits of both together, for the guest */
static void overlay_describe(struct disk *d, const struct overlay *ov)
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

static int overlay_fit(struct disk *d, struct overlay *ov, struct err *e)
{
	overlay_describe(d, ov);
	if (d->size % d->block == 0)
		return 0;
	return err_set(
		e, EINVAL,
		"disk %s has %llu bytes, and its overlay %s works in blocks of %u; pad "
		"it (truncate -s %%%u %s) or remove ,direct",
		d->path, (unsigned long long)d->size, ov->top->path, d->block, d->block,
		SHELL_WORD(d->path));
}

int overlay_open(struct disk *d, struct disk *base, const char *top, bool dry,
		 struct err *e)
{
	struct overlay *ov = calloc(1, sizeof(*ov));
	struct stat st, named;
	int rc;

	if (!ov) {
		disk_close(base);
		return err_set(e, ENOMEM, "overlay %s: out of memory", top);
	}
	d->engine = ov;
	overlay_attach(d);
	ov->base = base;
	ov->made = -1;
	if (overlay_is_one(base->fd))
		return err_set(e, EINVAL,
			       "disk %s is an overlay itself, and overlays do not stack; "
			       "give the base that it was made for",
			       d->path);
	if (overlay_map_init(&ov->map, base->size) < 0)
		return err_set(e, ENOMEM, "overlay %s: out of memory", top);
	rc = overlay_expect(ov, e);
	if (rc < 0)
		return rc;
	ov->top = overlay_top(ov, top, dry, e);
	if (!ov->top)
		return -e->code;
	if (ov->top->readonly) /* the base, in a dry run */
		return overlay_fit(d, ov, e);
	/* A file in memory never had a name of its own: /proc/self/fd/N still leads to it */
	if (fstat(ov->top->fd, &st) == 0 && !st.st_nlink &&
	    (stat(top, &named) < 0 || named.st_dev != st.st_dev ||
	     named.st_ino != st.st_ino))
		return err_set(e, ENOENT, /* another microvm removed it */
			       "overlay %s was removed at this moment; start again", top);
	rc = overlay_load(ov, dry, e);
	return rc < 0 ? rc : overlay_fit(d, ov, e);
}

int overlay_first(const struct disk *d, uint64_t *off)
{
	const struct overlay *ov = d->engine;
	bool in_top;

	(void)overlay_map_run(&ov->map, 0, 1, &in_top);
	*off = in_top ? ov->head.data : 0;
	return in_top ? ov->top->fd : ov->base->fd;
}
