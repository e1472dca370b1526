/* SPDX-License-Identifier: Apache-2.0 */
/* disk_image - a file's format by its name, confirmed by its first bytes. */
#include "devices/backend/disk_image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "devices/backend/disk_look.h"
#include "devices/backend/overlay.h"
#include "vmm/core/disk_format.h"
#include "vmm/core/log.h"
#include "vmm/core/shell.h"
#include "vmm/core/util.h"

const char *disk_image_name(enum disk_format f)
{
	return disk_format_name(f);
}

/* O_NONBLOCK: a FIFO of that name must not make us wait. Return: fd or -errno */
static int image_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	return fd < 0 ? -errno : fd;
}

/* The file that has this name now; it is checked again after opening. Return: 0 or -errno */
static int image_read_path(const char *path, struct disk_look *l)
{
	cleanup_close int fd = image_open(path);

	return fd < 0 ? fd : disk_look_read(fd, l);
}

/* The guest opens a LUKS container itself and uses the disk as raw */
static enum disk_format image_content(const struct disk_look *l)
{
	enum disk_format f = disk_look_format(l);

	return f == DISK_FORMAT_LUKS ? DISK_FORMAT_RAW : f;
}

enum disk_format disk_image_format(const struct config_disk *c)
{
	struct disk_look l;

	if (c->format == DISK_FORMAT_AUTO)
		return image_read_path(c->path, &l) < 0 ? DISK_FORMAT_RAW
							: image_content(&l);
	return c->format == DISK_FORMAT_BY_NAME ? disk_format_of_path(c->path)
						: c->format;
}

/* ---- other files ---- */

/* qcow2: version at 4, backing file's name at 8 (both big-endian), and since version 3
 * incompatible features at 72, of which bit 2 is a data file of its own
 */
static const char *image_qcow2_other(const struct disk_look *h)
{
	if (disk_look_be(h, 8, 8))
		return "a backing file";
	if (disk_look_be(h, 4, 4) >= 3 && (disk_look_be(h, 72, 8) & 4))
		return "a data file";
	return NULL;
}

/* A sparse VMDK is one file, unless its capacity (at 12) is 0: then it is a list of files,
 * as the text form is.  A parent is named in the text, which is near the beginning.
 */
static const char *image_vmdk_other(const struct disk_look *h)
{
	static const uint8_t none[8];

	if (disk_look_has(h, 0, "# Disk", 6) ||
	    (disk_look_has(h, 0, "KDMV", 4) &&
	     memcmp(h->head + 12, none, sizeof(none)) == 0))
		return "the files that hold its data";
	if (memmem(h->head, h->len, "parentFileNameHint", 18))
		return "a parent";
	return NULL;
}

/* QED: features at 16 (little-endian), of which bit 0 is a backing file */
static const char *image_qed_other(const struct disk_look *h)
{
	return disk_look_le(h, 16, 8) & 1 ? "a backing file" : NULL;
}

static int image_check_others(const struct config_disk *c, enum disk_format f,
			      const struct disk_look *h, struct err *e)
{
	const char *other = NULL;

	if (f == DISK_FORMAT_QCOW2)
		other = image_qcow2_other(h);
	else if (f == DISK_FORMAT_VMDK)
		other = image_vmdk_other(h);
	else if (f == DISK_FORMAT_QED)
		other = image_qed_other(h);
	if (!other || c->backing)
		return 0;
	return err_set(
		e, EPERM,
		"disk %s: the image names %s, which may be any file of yours; if you "
		"trust who made it, add backing=on",
		c->path, other);
}

/* Of @f, or of what @l looks like, which is refused */
static int image_check_served(const struct config_disk *c, enum disk_format f,
			      const struct disk_look *l, struct err *e)
{
	enum disk_format content = image_content(l);
	char cure[384];

	if (content == DISK_FORMAT_RAW ||
	    !disk_look_cure(l, content, c->path, cure, sizeof(cure)))
		content = f;
	if (!disk_look_cure(l, content, c->path, cure, sizeof(cure)))
		return 0;
	return err_set(e, EINVAL, "disk %s is %s, which is not served; %s", c->path,
		       disk_format_text(content), cure);
}

/* The name, or format=, says @f, and the content is @content's */
static int image_refuse(const struct config_disk *c, enum disk_format f,
			enum disk_format content, struct err *e)
{
	const char *named = c->format == DISK_FORMAT_BY_NAME ? "its name" : "format=";

	if (content == DISK_FORMAT_RAW)
		return err_set(e, EINVAL,
			       "disk %s: this is no %s image, as %s says; is the file "
			       "complete?  If it is a raw disk, give format=raw",
			       c->path, disk_format_name(f), named);
	return err_set(
		e, EINVAL,
		"disk %s: this is no %s image, as %s says, but looks like %s; give "
		"format=%s",
		c->path, disk_format_name(f), named, disk_format_name(content),
		disk_format_name(content));
}

static int image_check(const struct config_disk *c, int fd, enum disk_format f,
		       struct err *e)
{
	enum disk_format content;
	struct disk_look h;
	int rc = disk_look_read(fd, &h);

	if (rc < 0)
		return err_set(e, -rc, "disk %s: cannot read it: %s", c->path,
			       strerror(-rc));
	rc = image_check_served(c, f, &h, e);
	if (rc < 0)
		return rc;
	content = image_content(&h);
	if (content != f)
		return image_refuse(c, f, content, e);
	rc = disk_look_check(&h, f, c->path, c->readonly, e);
	return rc < 0 ? rc : image_check_others(c, f, &h, e);
}

int disk_image_open(const struct config_disk *c, enum disk_format f, struct err *e)
{
	int fd = image_open(c->path), rc;

	if (fd < 0)
		return disk_explain_open(c->path, f, c->readonly, -fd, e);
	rc = image_check(c, fd, f, e);
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

/* ---- raw ---- */

void disk_image_explain(const struct config_disk *c, struct err *e)
{
	enum disk_format f;
	struct disk_look l;
	char cure[384];

	if (c->format != DISK_FORMAT_BY_NAME || image_read_path(c->path, &l) < 0 ||
	    l.size % DISK_SECTOR == 0)
		return;
	f = image_content(&l);
	if (disk_look_cure(&l, f, c->path, cure, sizeof(cure)))
		err_set(e, EINVAL, "disk %s is %s; %s", c->path, disk_format_text(f),
			cure);
}

/* Raw by its name: what does its content look like? */
static void image_warn(const struct config_disk *c, const struct disk_look *l)
{
	enum disk_format f = image_content(l);
	const char *name = disk_format_name(f);
	char cure[384];

	if (disk_look_cure(l, f, c->path, cure, sizeof(cure)))
		log_warn("disk %s looks like %s, but is raw by its name, so the guest "
			 "sees the file as it is; if that is right: format=raw, if not, "
			 "%s",
			 c->path, disk_format_text(f), cure);
	else if (f != DISK_FORMAT_RAW)
		log_warn("disk %s looks like a %s image, but is raw by its name, so the "
			 "guest sees the file as it is; if it is one: format=%s",
			 c->path, name, name);
	else if (disk_look_has(l, 0, OVERLAY_MAGIC, sizeof(OVERLAY_MAGIC) - 1))
		log_warn(
			"disk %s looks like an overlay, but is given as a disk; if it is "
			"one: --disk BASE,%s",
			c->path, SHELL_VALUE("overlay=", c->path));
}

int disk_image_raw(const struct config_disk *c, int fd, struct err *e)
{
	bool automatic = c->format == DISK_FORMAT_AUTO;
	struct disk_look l;

	if ((!automatic && c->format != DISK_FORMAT_BY_NAME) ||
	    disk_look_read(fd, &l) < 0)
		return 0;
	if (!automatic)
		image_warn(c, &l);
	else if (image_content(&l) != DISK_FORMAT_RAW)
		return err_set(e, EAGAIN,
			       "disk %s became a %s image at this moment; start again",
			       c->path, disk_format_name(image_content(&l)));
	return 0;
}

int disk_image_only_raw(const char *path, struct err *e)
{
	struct disk_look h;
	enum disk_format f;
	char cure[384];

	if (image_read_path(path, &h) < 0)
		return 0;
	f = image_content(&h);
	if (!disk_look_cure(&h, f, path, cure, sizeof(cure)))
		(void)snprintf(cure, sizeof(cure),
			       "convert it: qemu-img convert -O raw %s %s",
			       SHELL_WORD(path), SHELL_SUFFIX(path, ".raw"));
	if (f != DISK_FORMAT_RAW && disk_format_of_path(path) == f)
		return err_set(e, ENOTSUP, "%s is %s, and memory is raw; %s", path,
			       disk_format_text(f), cure);
	if (f != DISK_FORMAT_RAW)
		log_warn(
			"%s looks like %s, and the guest sees the file as it is; if that is "
			"not right, %s",
			path, disk_format_text(f), cure);
	return 0;
}
