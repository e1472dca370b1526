/* SPDX-License-Identifier: Apache-2.0 */
/* disk_others - the files that an image names: what its server may open besides itself. */
#include "devices/backend/disk_others.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/backend/disk_look.h"
#include "vmm/core/util.h"

#define QCOW2_EXT_DATA 0x44415441 /* the name of a data file */

/* @len bytes at @off of the image at @by are a name; one that is not absolute is beside the image */
static void others_add(struct disk_others *o, const char *by, const struct disk_look *h,
		       uint64_t off, uint64_t len, bool data)
{
	const char *name = (const char *)h->head + off, *slash = strrchr(by, '/');
	int dir = slash ? (int)(slash - by + 1) : 0;
	struct disk_other *to = &o->of[o->n];

	if (off > h->len || len > h->len - off || !len || o->n == DISK_OTHERS_MAX)
		return;
	if (len > 5 && memcmp(name, "file:", 5) == 0) {
		name += 5;
		len -= 5;
	}
	if (asprintf(&to->path, "%.*s%.*s", *name == '/' ? 0 : dir, by, (int)len, name) <
	    0)
		return;
	to->fd = open(to->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	to->data = data;
	if (to->fd < 0)
		free(to->path);
	else
		o->n++;
}

/* The backing file's name is at what 8 says, its length at 16; from version 3 on there are
 * extensions after the header: type, length, and as many bytes, filled up to eight
 */
static void others_of_qcow2(struct disk_others *o, const char *by,
			    const struct disk_look *h)
{
	uint64_t at = disk_look_be(h, 4, 4) >= 3 ? disk_look_be(h, 100, 4) : 72;

	others_add(o, by, h, disk_look_be(h, 8, 8), disk_look_be(h, 16, 4), false);
	while (at + 8 < h->len && disk_look_be(h, at, 4)) {
		uint64_t len = disk_look_be(h, at + 4, 4);

		if (disk_look_be(h, at, 4) == QCOW2_EXT_DATA)
			others_add(o, by, h, at + 8, len, true);
		at += 8 + ALIGN_UP(len, UINT64_C(8));
	}
}

/* All that is quoted in its text: extents, which are its data, and a parent */
static void others_of_vmdk(struct disk_others *o, const char *by,
			   const struct disk_look *h)
{
	const char *text = memmem(h->head, h->len, "# Disk", 6), *end;

	while (text && (text = strchr(text, '"')) && (end = strchr(text + 1, '"'))) {
		others_add(o, by, h, (uint64_t)(text + 1 - (const char *)h->head),
			   (uint64_t)(end - text - 1), true);
		text = end + 1;
	}
}

static void others_of(struct disk_others *o, const char *by, int fd)
{
	enum disk_format f;
	struct disk_look h;

	if (disk_look_read(fd, &h) < 0)
		return;
	f = disk_look_format(&h);
	if (f == DISK_FORMAT_QCOW2)
		others_of_qcow2(o, by, &h);
	else if (f == DISK_FORMAT_VMDK)
		others_of_vmdk(o, by, &h);
	else if (f == DISK_FORMAT_QED)
		others_add(o, by, &h, disk_look_le(&h, 56, 4), disk_look_le(&h, 60, 4),
			   false);
}

void disk_others_find(struct disk_others *o, const char *path, int fd)
{
	o->n = 0;
	others_of(o, path, fd);
	for (unsigned int i = 0; i < o->n; i++)
		others_of(o, o->of[i].path, o->of[i].fd);
}

void disk_others_close(struct disk_others *o)
{
	while (o->n) {
		close(o->of[--o->n].fd);
		free(o->of[o->n].path);
	}
}
