/* SPDX-License-Identifier: Apache-2.0 */
/* disk_look - formats by their first and last bytes, and cures for those not served. */
#include "devices/backend/disk_look.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/core/disk_format.h"
#include "vmm/core/shell.h"
#include "vmm/core/util.h"

#define TAR_BLOCK       512
#define TAR_MEMBERS_MAX 64 /* checked, to name the disk in an archive */

/* The bytes that a file of that format has at @off */
static const struct {
	enum disk_format format;
	size_t off, len;
	const char *magic;
} look_heads[] = {
	{DISK_FORMAT_QCOW2, 0, 4, "QFI\xfb"},
	{DISK_FORMAT_VMDK, 0, 4, "KDMV"},
	{DISK_FORMAT_VMDK, 0, 4, "COWD"},
	{DISK_FORMAT_VMDK, 0, 21, "# Disk DescriptorFile"},
	{DISK_FORMAT_VDI, 64, 4, "\x7f\x10\xda\xbe"},
	{DISK_FORMAT_VHDX, 0, 8, "vhdxfile"},
	{DISK_FORMAT_VPC, 0, 8, "conectix"},
	{DISK_FORMAT_QED, 0, 4, "QED\0"},
	{DISK_FORMAT_PARALLELS, 0, 16, "WithoutFreeSpace"},
	{DISK_FORMAT_PARALLELS, 0, 16, "WithouFreSpacExt"},
	{DISK_FORMAT_BOCHS, 0, 22, "Bochs Virtual HD Image"},
	{DISK_FORMAT_CLOOP, 0, 46, "#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 "},
	{DISK_FORMAT_LUKS, 0, 6, "LUKS\xba\xbe"},
	{DISK_FORMAT_TAR, 257, 5, "ustar"},
	{DISK_FORMAT_GZIP, 0, 3, "\x1f\x8b\x08"},
	{DISK_FORMAT_XZ, 0, 6, "\xfd\x37zXZ\0"},
	{DISK_FORMAT_BZIP2, 4, 6, "1AY&SY"},
	{DISK_FORMAT_ZSTD, 0, 4, "\x28\xb5\x2f\xfd"},
	{DISK_FORMAT_ZIP, 0, 4, "PK\3\4"},
	{DISK_FORMAT_SIMG, 0, 4, "\x3a\xff\x26\xed"},
};

/* And in its last sector, the only mark of a fixed VHD or a dmg */
static const struct {
	enum disk_format format;
	size_t len;
	const char *magic;
} look_tails[] = {
	{DISK_FORMAT_VPC, 8, "conectix"},
	{DISK_FORMAT_DMG, 4, "koly"},
};

/* The cure for a format that we do not serve */
static const enum {
	LOOK_SERVED,
	LOOK_CONVERT,
	LOOK_UNLOCK,
	LOOK_TAKE_OUT,
	LOOK_UNPACK,
	LOOK_UNPACK_KEEP, /* by a tool that removes the packed file, unless told not to */
	LOOK_UNPACK_TO,
} look_cures[DISK_FORMATS] = {
	[DISK_FORMAT_QCOW] = LOOK_CONVERT,     [DISK_FORMAT_PARALLELS] = LOOK_CONVERT,
	[DISK_FORMAT_BOCHS] = LOOK_CONVERT,    [DISK_FORMAT_CLOOP] = LOOK_CONVERT,
	[DISK_FORMAT_DMG] = LOOK_CONVERT,      [DISK_FORMAT_LUKS] = LOOK_UNLOCK,
	[DISK_FORMAT_TAR] = LOOK_TAKE_OUT,     [DISK_FORMAT_GZIP] = LOOK_UNPACK_KEEP,
	[DISK_FORMAT_XZ] = LOOK_UNPACK_KEEP,   [DISK_FORMAT_BZIP2] = LOOK_UNPACK_KEEP,
	[DISK_FORMAT_ZSTD] = LOOK_UNPACK_KEEP, [DISK_FORMAT_ZIP] = LOOK_UNPACK,
	[DISK_FORMAT_SIMG] = LOOK_UNPACK_TO,
};

/* ---- the file ---- */

/* A name that can stand in a sentence and be pasted */
static bool look_plain(const char *name)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._-/+";

	return *name && *name != '-' && !name[strspn(name, plain)];
}

/* The first member of an archive whose name is a disk's. The headers may hold anything: sizes
 * that are too large end the search at the end of the file.
 */
static void look_into_tar(int fd, struct disk_look *l)
{
	char h[TAR_BLOCK];
	uint64_t at = 0;

	for (unsigned int i = 0; i < TAR_MEMBERS_MAX && at < l->size; i++) {
		char name[DISK_LOOK_MEMBER + 1] = {0}, digits[13] = {0};
		enum disk_format f;

		if (pread_full(fd, h, sizeof(h), at) != (long)sizeof(h) || !h[0])
			return;
		memcpy(name, h, DISK_LOOK_MEMBER);
		memcpy(digits, h + 124, 12);
		f = disk_format_of_path(name);
		if (f != DISK_FORMAT_RAW && look_plain(name)) {
			memcpy(l->member, name, sizeof(l->member));
			return;
		}
		at += TAR_BLOCK +
		      ALIGN_UP((uint64_t)strtoull(digits, NULL, 8), (uint64_t)TAR_BLOCK);
	}
}

int disk_look_read(int fd, struct disk_look *l)
{
	struct stat st;
	long n;

	memset(l, 0, sizeof(*l));
	n = pread_full(fd, l->head, DISK_LOOK_HEAD, 0);
	if (n < 0)
		return (int)n;
	l->len = (size_t)n;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	l->size = (uint64_t)st.st_size;
	if (l->size >= DISK_LOOK_TAIL)
		l->has_tail = pread_full(fd, l->tail, DISK_LOOK_TAIL,
					 l->size - DISK_LOOK_TAIL) == DISK_LOOK_TAIL;
	if (disk_look_format(l) == DISK_FORMAT_TAR)
		look_into_tar(fd, l);
	return 0;
}

/* ---- its format ---- */

bool disk_look_has(const struct disk_look *l, size_t off, const void *what, size_t len)
{
	return off + len <= l->len && memcmp(l->head + off, what, len) == 0;
}

uint64_t disk_look_be(const struct disk_look *l, size_t off, unsigned int size)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < size; i++)
		v = v << 8 | l->head[off + i];
	return v;
}

uint64_t disk_look_le(const struct disk_look *l, size_t off, unsigned int size)
{
	uint64_t v = 0;

	while (size--)
		v = v << 8 | l->head[off + size];
	return v;
}

enum disk_format disk_look_format(const struct disk_look *l)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(look_heads); i++) {
		if (!disk_look_has(l, look_heads[i].off, look_heads[i].magic,
				   look_heads[i].len))
			continue;
		/* both begin alike; the version distinguishes them */
		if (look_heads[i].format == DISK_FORMAT_QCOW2 &&
		    disk_look_be(l, 4, 4) == 1)
			return DISK_FORMAT_QCOW;
		return look_heads[i].format;
	}
	for (unsigned int i = 0; l->has_tail && i < ARRAY_SIZE(look_tails); i++)
		if (memcmp(l->tail, look_tails[i].magic, look_tails[i].len) == 0)
			return look_tails[i].format;
	return DISK_FORMAT_RAW;
}

/* ---- may it be served? ---- */

bool disk_look_cure(const struct disk_look *l, enum disk_format f, const char *path,
		    char *to, size_t size)
{
	const char *tool = disk_format_name(f);
	const char *member = l->member[0] ? l->member : "DISK.vmdk";

	switch (look_cures[f]) {
	case LOOK_CONVERT:
		(void)snprintf(to, size,
			       "convert it: qemu-img convert -f %s -O qcow2 %s %s", tool,
			       SHELL_WORD(path), SHELL_SUFFIX(path, ".qcow2"));
		break;
	case LOOK_UNLOCK:
		(void)snprintf(to, size,
			       "give it with format=raw to a guest that opens it "
			       "(cryptsetup)");
		break;
	case LOOK_TAKE_OUT:
		(void)snprintf(to, size,
			       "take the disk out and convert it: tar -xf %s %s && "
			       "qemu-img convert -O qcow2 %s disk.qcow2",
			       SHELL_WORD(path), member, member);
		break;
	case LOOK_UNPACK:
		(void)snprintf(to, size, "unpack it: %s %s", tool, SHELL_WORD(path));
		break;
	case LOOK_UNPACK_KEEP:
		(void)snprintf(to, size, "unpack it: %s -dk %s", tool, SHELL_WORD(path));
		break;
	case LOOK_UNPACK_TO:
		(void)snprintf(to, size, "unpack it: %s %s %s", tool, SHELL_WORD(path),
			       SHELL_SUFFIX(path, ".raw"));
		break;
	case LOOK_SERVED:
		return false;
	}
	return true;
}

/* The grains of such an image are compressed, and QEMU writes none a second time. Its header
 * tells (compressAlgorithm at 77, a flag at 8, or a directory at the end of the file, at 56), or
 * the text that names its parts.
 */
static bool look_is_stream(const struct disk_look *l)
{
	if (disk_look_has(l, 0, "# Disk", 6))
		return memmem(l->head, l->len, "streamOptimized", 15) != NULL;
	return disk_look_has(l, 0, "KDMV", 4) &&
	       (disk_look_le(l, 77, 2) || (disk_look_le(l, 8, 4) & (1U << 16)) ||
		disk_look_le(l, 56, 8) == UINT64_MAX);
}

/* A VHD's kind is at 60: 4 depends on a parent, and QEMU ignores that */
static bool look_is_differencing(const struct disk_look *l)
{
	return disk_look_has(l, 0, "conectix", 8) && disk_look_be(l, 60, 4) == 4;
}

int disk_look_check(const struct disk_look *l, enum disk_format f, const char *path,
		    bool readonly, struct err *e)
{
	if (f == DISK_FORMAT_QCOW2 && disk_look_be(l, 4, 4) < 2)
		return err_set(e, EINVAL,
			       "disk %s is a qcow2 image of no version that there is; is "
			       "the file complete?",
			       path);
	if (f == DISK_FORMAT_VMDK && !readonly && look_is_stream(l))
		return err_set(
			e, EROFS,
			"disk %s is a streamOptimized VMDK, whose compressed blocks "
			"cannot be written again; convert it: qemu-img convert -O "
			"qcow2 %s %s, or add ,ro",
			path, SHELL_WORD(path), SHELL_SUFFIX(path, ".qcow2"));
	if (f == DISK_FORMAT_VPC && look_is_differencing(l))
		return err_set(e, ENOTSUP,
			       "disk %s is a differencing VHD, which holds only what "
			       "its parent does not; merge the two where it was made "
			       "(Merge-VHD)",
			       path);
	return 0;
}
