/* SPDX-License-Identifier: Apache-2.0 */
/* disk - a disk as its device sees it: a file and an engine. */
#include "devices/backend/disk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/backend/disk_engine.h"
#include "devices/backend/disk_image.h"
#include "devices/backend/disk_sector.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

/* A disk's file @k: its own, or its overlay; NULL: it has none.  Is it left as it is? */
static const char *disk_file(const struct config_disk *c, unsigned int k, bool *kept)
{
	*kept = k == 0 && (c->readonly || c->overlay);
	return k == 0 ? c->path : c->overlay;
}

/* @st: of @a, or NULL: of one that is not there disk_file_open() has the sentence, or it is made */
static bool disk_names_same(const char *a, const struct stat *st, const char *b)
{
	struct stat other;

	if (!a || !b)
		return false;
	return strcmp(a, b) == 0 ||
	       (st && stat(b, &other) == 0 && disk_file_same(st, &other));
}

/* Is file @k of disk @i one of those before it?  Sharing is fine while nobody writes. */
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

static int disk_no_memory(const char *path, struct err *e)
{
	return err_set(e, ENOMEM, "disk %s: out of memory", path);
}

static struct disk *disk_alloc(const char *path, bool readonly, bool direct,
			       struct err *e)
{
	struct disk *d = calloc(1, sizeof(*d));

	if (d)
		d->path = strdup(path);
	if (!d || !d->path) {
		disk_no_memory(path, e);
		free(d);
		return NULL;
	}
	d->fd = -1;
	d->readonly = readonly;
	d->direct = direct;
	return d;
}

static int disk_init(struct disk *d, bool dry, struct err *e)
{
	int rc = disk_file_open(d, e);

	if (rc < 0)
		return rc;
	d->discard_align = d->physical;
	if (!d->readonly && !dry)
		disk_space_probe(d);
	return disk_sync_create(d) < 0 ? disk_no_memory(d->path, e) : 0;
}

struct disk *disk_open_file(const char *path, bool readonly, bool direct, bool dry,
			    struct err *e)
{
	struct disk *d = disk_alloc(path, readonly, direct, e);

	if (d && disk_init(d, dry, e) < 0) {
		disk_close(d);
		return NULL;
	}
	return d;
}

struct disk *disk_take_file(int fd, const char *path, bool readonly, bool direct,
			    bool dry, struct err *e)
{
	struct disk *d = disk_alloc(path, readonly, direct, e);

	if (!d) {
		close(fd);
		return NULL;
	}
	d->fd = fd;
	if (disk_init(d, dry, e) == 0)
		return d;
	disk_close(d);
	return NULL;
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

void disk_close(struct disk *d)
{
	if (!d)
		return;
	if (d->engine)
		d->ops->destroy(d);
	if (d->fd >= 0)
		disk_file_close(d);
	free(d->path);
	free(d);
}

int disk_start(struct disk *d, struct work_pool *pool, struct device *dev,
	       disk_done_fn done, void *ctx)
{
	return d->ops->start(d, pool, dev, done, ctx);
}

uint64_t disk_price(const struct disk *d, const struct disk_req *r)
{
	return d->ops->price(d, r);
}

void disk_submit(struct disk *d, struct disk_req *r)
{
	r->moved = disk_price(d, r);
	d->ops->submit(d, r);
}

void disk_commit(struct disk *d)
{
	d->ops->commit(d);
}

bool disk_rest(struct disk *d)
{
	return d->ops->rest(d);
}

void disk_state(struct disk *d, struct state *s, bool *failed)
{
	*failed = d->ops->flush_failed(d, false);
	if (!state_loading(s) && d->unsaved)
		state_fail(
			s,
			*failed ? "a flush of its overlay has failed, so the file lacks "
				  "what the guest wrote"
				: "the host could not write its overlay, so the file lacks "
				  "what the guest wrote; make room there, then save again");
	state_same_u64(s, d->size / DISK_SECTOR, "sectors");
	state_same_u32(s, d->block, "bytes in a block");
	state_bool(s, failed);
}

void disk_fail_flushes(struct disk *d)
{
	(void)d->ops->flush_failed(d, true);
}

void disk_cancel(struct disk *d)
{
	d->ops->cancel(d);
}

bool disk_look_again(struct disk *d)
{
	uint64_t size, before = d->size;
	int rc;

	if (d->under) {
		bool changed = disk_look_again(d->under);

		d->size = d->under->size;
		return changed;
	}
	if (d->fd < 0)
		return false; /* an overlay fits the base that it was begun on */
	rc = disk_file_size(d, &size);
	if (rc < 0) {
		log_warn("disk %s does not tell its size any more: %s", d->path,
			 strerror(-rc));
		return false;
	}
	size = ALIGN_DOWN(size, (uint64_t)d->block);
	if (size == before)
		return false;
	d->size = size;
	if (size < before)
		log_warn("disk %s was cut from %llu to %llu bytes; what the guest has "
			 "behind that is lost, and access to it fails",
			 d->path, (unsigned long long)before, (unsigned long long)size);
	else
		log_info("disk %s has grown from %llu to %llu bytes", d->path,
			 (unsigned long long)before, (unsigned long long)size);
	return true;
}

/* ---- what the engines share ---- */

void disk_log_failed(const struct disk *d, enum disk_op op, uint64_t off, int rc)
{
	static const char *const name[] = {[DISK_READ] = "read",
					   [DISK_WRITE] = "write",
					   [DISK_FLUSH] = "flush",
					   [DISK_DISCARD] = "discard",
					   [DISK_ZERO] = "zeroing"};
	static struct log_limit limit;

	if (log_limit_ok(&limit))
		log_warn("disk %s: %s at byte %llu failed: %s", d->path, name[op],
			 (unsigned long long)off, strerror(-rc));
}

void disk_log_sync_failed(const struct disk *d, int rc)
{
	log_error(
		"disk %s: fdatasync failed: %s; its data may be lost, and no flush on it "
		"succeeds from now on",
		d->path, strerror(-rc));
}
