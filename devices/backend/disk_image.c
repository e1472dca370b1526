/* SPDX-License-Identifier: Apache-2.0 */
/* disk_image - a file's format by its name, confirmed by its first bytes. */
#include "devices/backend/disk_image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "devices/backend/overlay.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

/* Enough for each header and for the text within a VMDK that names its parent */
#define IMAGE_HEAD (16 * KIB)

struct image_head {
	_Alignas(PAGE_SIZE) uint8_t bytes[IMAGE_HEAD + 1]; /* NUL at the end */
	size_t len;
};

static const struct {
	enum disk_format format;
	const char *name, *ending;
} image_formats[] = {
	{DISK_FORMAT_RAW, "raw", NULL},      {DISK_FORMAT_QCOW2, "qcow2", ".qcow2"},
	{DISK_FORMAT_VMDK, "vmdk", ".vmdk"}, {DISK_FORMAT_VDI, "vdi", ".vdi"},
	{DISK_FORMAT_VHDX, "vhdx", ".vhdx"},
};

/* What a file of that format has at @off */
static const struct {
	enum disk_format format;
	size_t off, len;
	const char *magic;
} image_magics[] = {
	{DISK_FORMAT_QCOW2, 0, 4, "QFI\xfb"},
	{DISK_FORMAT_VMDK, 0, 4, "KDMV"},
	{DISK_FORMAT_VMDK, 0, 4, "COWD"},
	{DISK_FORMAT_VMDK, 0, 21, "# Disk DescriptorFile"},
	{DISK_FORMAT_VDI, 64, 4, "\x7f\x10\xda\xbe"},
	{DISK_FORMAT_VHDX, 0, 8, "vhdxfile"},
};

const char *disk_image_name(enum disk_format f)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(image_formats); i++)
		if (image_formats[i].format == f)
			return image_formats[i].name;
	return "unknown";
}

static bool image_has(const struct image_head *h, size_t off, const char *what,
		      size_t len)
{
	return off + len <= h->len && memcmp(h->bytes + off, what, len) == 0;
}

static enum disk_format image_content(const struct image_head *h)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(image_magics); i++)
		if (image_has(h, image_magics[i].off, image_magics[i].magic,
			      image_magics[i].len))
			return image_magics[i].format;
	return DISK_FORMAT_RAW;
}

/* Return: 0 or -errno */
static int image_read(int fd, struct image_head *h)
{
	long n;

	memset(h, 0, sizeof(*h));
	n = pread_full(fd, h->bytes, IMAGE_HEAD, 0);
	h->len = n < 0 ? 0 : (size_t)n;
	return n < 0 ? (int)n : 0;
}

/* O_NONBLOCK: a FIFO of that name must not make us wait.  Return: fd or -errno */
static int image_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	return fd < 0 ? -errno : fd;
}

/* The format of the file that has this name now.  What is opened later is checked again */
static enum disk_format image_guess(const char *path)
{
	cleanup_close int fd = image_open(path);
	struct image_head h;

	return fd < 0 || image_read(fd, &h) < 0 ? DISK_FORMAT_RAW : image_content(&h);
}

enum disk_format disk_image_format(const struct config_disk *c)
{
	size_t len = strlen(c->path);

	if (c->format == DISK_FORMAT_AUTO)
		return image_guess(c->path);
	if (c->format != DISK_FORMAT_BY_NAME)
		return c->format;
	for (unsigned int i = 0; i < ARRAY_SIZE(image_formats); i++) {
		const char *ending = image_formats[i].ending;

		if (ending && len > strlen(ending) &&
		    strcasecmp(c->path + len - strlen(ending), ending) == 0)
			return image_formats[i].format;
	}
	return DISK_FORMAT_RAW;
}

/* ---- other files ---- */

static uint64_t image_be(const struct image_head *h, size_t off, unsigned int size)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < size; i++)
		v = v << 8 | h->bytes[off + i];
	return v;
}

/* qcow2: version at 4, backing file's name at 8 (both big-endian), and since version 3
 * incompatible features at 72, of which bit 2 is a data file of its own
 */
static const char *image_qcow2_other(const struct image_head *h)
{
	if (image_be(h, 8, 8))
		return "a backing file";
	if (image_be(h, 4, 4) >= 3 && (image_be(h, 72, 8) & 4))
		return "a data file";
	return NULL;
}

/* A sparse VMDK is one file, unless its capacity (at 12) is 0: then it is a list of files,
 * as the text form is.  A parent is named in the text, which is near the beginning.
 */
static const char *image_vmdk_other(const struct image_head *h)
{
	static const uint8_t none[8];

	if (image_has(h, 0, "# Disk", 6) ||
	    (image_has(h, 0, "KDMV", 4) &&
	     memcmp(h->bytes + 12, none, sizeof(none)) == 0))
		return "the files that hold its data";
	if (memmem(h->bytes, h->len, "parentFileNameHint", 18))
		return "a parent";
	return NULL;
}

static int image_check_others(const struct config_disk *c, enum disk_format f,
			      const struct image_head *h, struct err *e)
{
	const char *other = NULL;

	if (f == DISK_FORMAT_QCOW2)
		other = image_qcow2_other(h);
	else if (f == DISK_FORMAT_VMDK)
		other = image_vmdk_other(h);
	if (!other || c->backing)
		return 0;
	return err_set(
		e, EPERM,
		"disk %s: the image names %s, which may be any file of yours; if you "
		"trust who made it, add backing=on",
		c->path, other);
}

static int image_check(const struct config_disk *c, int fd, enum disk_format f,
		       struct err *e)
{
	struct image_head h;
	int rc = image_read(fd, &h);

	if (rc < 0)
		return err_set(e, -rc, "disk %s: cannot read it: %s", c->path,
			       strerror(-rc));
	if (image_content(&h) != f)
		return err_set(e, EINVAL,
			       "disk %s: this is no %s image%s%s; say what it is with "
			       "format=",
			       c->path, disk_image_name(f),
			       image_content(&h) == DISK_FORMAT_RAW ? ""
								    : ", but looks like ",
			       image_content(&h) == DISK_FORMAT_RAW
				       ? ""
				       : disk_image_name(image_content(&h)));
	if (f == DISK_FORMAT_QCOW2 && image_be(&h, 4, 4) < 2)
		return err_set(e, EINVAL,
			       "disk %s: its format is qcow2's predecessor; convert it: "
			       "qemu-img convert -O qcow2",
			       c->path);
	return image_check_others(c, f, &h, e);
}

int disk_image_open(const struct config_disk *c, enum disk_format f, struct err *e)
{
	int fd = image_open(c->path), rc;

	if (fd < 0)
		return err_set(e, -fd, "disk %s: cannot open it: %s", c->path,
			       strerror(-fd));
	rc = image_check(c, fd, f, e);
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

int disk_image_raw(const struct config_disk *c, int fd, struct err *e)
{
	struct image_head h;
	const char *name;

	if ((c->format != DISK_FORMAT_BY_NAME && c->format != DISK_FORMAT_AUTO) ||
	    image_read(fd, &h) < 0)
		return 0;
	name = disk_image_name(image_content(&h));
	if (image_content(&h) != DISK_FORMAT_RAW && c->format == DISK_FORMAT_AUTO)
		return err_set(e, EAGAIN,
			       "disk %s became a %s image at this moment; start again",
			       c->path, name);
	if (image_content(&h) != DISK_FORMAT_RAW)
		log_warn("disk %s looks like a %s image, but is raw by its name, so the "
			 "guest sees the file as it is; if it is one: format=%s",
			 c->path, name, name);
	else if (image_has(&h, 0, OVERLAY_MAGIC, sizeof(OVERLAY_MAGIC) - 1))
		log_warn(
			"disk %s looks like an overlay, but is given as a disk; if it is "
			"one: --disk BASE,overlay=%s",
			c->path, c->path);
	return 0;
}
