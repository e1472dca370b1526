/* SPDX-License-Identifier: Apache-2.0 */
/* disk_open - a disk of one file, with the engine of blocking calls: the base of all others. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/backend/disk_engine.h"

struct disk *disk_alloc(const char *path, bool readonly, bool direct, struct err *e)
{
	struct disk *d = calloc(1, sizeof(*d));

	if (d)
		d->path = strdup(path);
	if (!d || !d->path) {
		err_set(e, ENOMEM, "disk %s: out of memory", path);
		free(d);
		return NULL;
	}
	d->fd = -1;
	d->lanes = DISK_LANES;
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
	return disk_sync_create(d) < 0
		       ? err_set(e, ENOMEM, "disk %s: out of memory", d->path)
		       : 0;
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
