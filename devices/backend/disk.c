/* SPDX-License-Identifier: Apache-2.0 */
/* disk - a disk as its device sees it: its engine's ops, and the parts that all engines share. */
#include "devices/backend/disk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/backend/disk_engine.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

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

unsigned int disk_files(const struct disk *d, const struct disk **at)
{
	if (d->under)
		return disk_files(d->under, at);
	if (d->ops->files)
		return d->ops->files(d, at);
	at[0] = d;
	return 1;
}

bool disk_is_plain(const struct disk *d)
{
	if (d->under)
		return disk_is_plain(d->under);
	return !d->ops->is_plain || d->ops->is_plain(d);
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
		return false; /* an overlay fits only the base that it was begun on */
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

bool disk_may_change(const struct disk *d)
{
	return d->under ? disk_may_change(d->under) : d->fd >= 0;
}

int disk_grow(const struct disk *d, uint64_t size, struct err *e)
{
	unsigned long long want = size, have;
	uint64_t now;
	int rc;

	if (d->under)
		return disk_grow(d->under, size, e);
	if (!disk_may_change(d))
		return err_set(e, ENOTSUP,
			       "an overlay fits only the base that it was begun on");
	if (!size || size % d->block)
		return err_set(e, EINVAL, "%llu bytes are not whole blocks of %u", want,
			       d->block);
	rc = disk_file_size(d, &now);
	if (rc < 0)
		return err_set(e, -rc, "it does not tell its size: %s", strerror(-rc));
	have = now;
	if (size == now)
		return 0;
	if (size < now)
		return err_set(e, EINVAL,
			       "it has %llu bytes, and a shorter one would lose what the "
			       "guest has behind %llu; give more",
			       have, want);
	if (d->readonly)
		return err_set(e, EROFS,
			       "it is read-only here; grow the file by other means, and "
			       "give no size");
	if (d->device)
		return err_set(e, ENOTSUP,
			       "it is a block device of %llu bytes; grow that first",
			       have);
	if (ftruncate(d->fd, (off_t)size) < 0)
		return err_set(e, errno, "the file does not become %llu bytes long: %s",
			       want, strerror(errno));
	return 0;
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
