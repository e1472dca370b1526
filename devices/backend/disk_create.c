/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk_create - a disk as its settings say: the one place that includes all engines and stacks
 * them. A file is at the bottom, on blocking calls or on an io_uring; an overlay stands on two of
 * those, and smaller blocks on either.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "devices/backend/disk_image.h"
#include "devices/backend/disk_sector.h"
#include "devices/backend/overlay.h"

/* A disk's file @k: its own, or its overlay; NULL: it has none. @kept: is it never written? */
static const char *disk_file(const struct config_disk *c, unsigned int k, bool *kept)
{
	*kept = k == 0 && (c->readonly || c->overlay);
	return k == 0 ? c->path : c->overlay;
}

/* @st: of @a, or NULL if that does not exist: then disk_file_open() reports it, or it is made */
static bool disk_names_same(const char *a, const struct stat *st, const char *b)
{
	struct stat other;

	if (!a || !b)
		return false;
	return strcmp(a, b) == 0 ||
	       (st && stat(b, &other) == 0 && disk_file_same(st, &other));
}

/* Is file @k of disk @i one of those before it? Sharing is allowed while no disk writes. */
static int disk_check_file(const struct config *cfg, unsigned int i, unsigned int k,
			   struct err *e)
{
	bool kept, other_kept, alias;
	const char *path = disk_file(&cfg->disk[i], k, &kept);
	struct stat st;
	bool there = path && stat(path, &st) == 0;

	for (unsigned int n = 0; n < 2 * i + k; n++) {
		const char *other = disk_file(&cfg->disk[n / 2], n % 2, &other_kept);

		if ((kept && other_kept) ||
		    !disk_names_same(path, there ? &st : NULL, other))
			continue;
		alias = strcmp(path, other) != 0;
		if (n / 2 == i)
			return err_set(
				e, EINVAL,
				"disk %s: overlay=%s is the same file; name another "
				"one, it is made if it is not there",
				other, path);
		return err_set(e, EINVAL,
			       "disk %s is given twice%s%s%s and would be written "
			       "through both; %s",
			       path, alias ? " (also as " : "", alias ? other : "",
			       alias ? ")" : "",
			       k || n % 2 ? "give each disk an overlay of its own"
					  : "remove one, or add ,ro to both");
	}
	return 0;
}

static int disk_check_twice(const struct config *cfg, unsigned int i, struct err *e)
{
	int rc = disk_check_file(cfg, i, 0, e);

	return rc < 0 ? rc : disk_check_file(cfg, i, 1, e);
}

/* Owns @base */
static struct disk *disk_open_overlay(const struct config_disk *c, struct disk *base,
				      bool dry, struct err *e)
{
	struct disk *d = disk_alloc(c->path, false, c->direct, e);

	if (!d) {
		disk_close(base);
		return NULL;
	}
	if (overlay_open(d, base, c->overlay, dry, e) == 0)
		return d;
	disk_close(d);
	return NULL;
}

struct disk *disk_open(const struct config *cfg, unsigned int i, struct err *e)
{
	const struct config_disk *c = &cfg->disk[i];
	struct disk *d, *base;

	if (disk_check_twice(cfg, i, e) < 0)
		return NULL;
	base = disk_open_file(c->path, c->readonly || c->overlay, c->direct, cfg->dry_run,
			      e);
	if (!base) {
		disk_image_explain(c, e);
		return NULL;
	}
	if (disk_image_raw(c, base->fd, e) < 0) {
		disk_close(base);
		return NULL;
	}
	d = c->overlay ? disk_open_overlay(c, base, cfg->dry_run, e) : base;
	return d ? disk_sector_fit(d, c->block, e) : NULL;
}

int disk_use_ring(struct disk *d, struct ring *ring)
{
	return d->ops->use_ring(d, ring, disk_uring_create);
}

/* A file that another host or process serves may hang, and a submission to an io_uring with it:
 * such a file gets threads of its own, unless the operator chose otherwise.
 */
static bool disk_wants_ring(const struct disk *d, const struct config_disk *c)
{
	return c->io == DISK_IO_URING || (c->io == DISK_IO_AUTO && !d->remote);
}

struct disk *disk_create(const struct config *cfg, unsigned int i, struct ring *ring,
			 struct err *e)
{
	const struct config_disk *c = &cfg->disk[i];
	struct disk *d;
	int rc;

	if (c->io == DISK_IO_URING && (rc = ring_probe()) < 0) {
		err_set(e, -rc,
			"disk %s: io=uring, but this host has no io_uring for us (%s); "
			"leave it out, or see kernel.io_uring_disabled",
			c->path, strerror(-rc));
		return NULL;
	}
	d = disk_open(cfg, i, e);
	if (!d || !ring || !disk_wants_ring(d, c) || disk_use_ring(d, ring) == 0)
		return d;
	err_set(e, ENOMEM, "disk %s: out of memory", c->path);
	disk_close(d);
	return NULL;
}
