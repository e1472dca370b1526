/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-images/agent/root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest-images/agent/spec.h"
#include "guest-images/agent/tar.h"

#define LOWER  "/run/lower"
#define UPPER  "/run/upper"
#define SHARED "/run/shared"
#define EMPTY  "/run/empty"

bool root_mount(const char *source, const char *target, const char *type,
		unsigned long flags, const char *options, char why[AGENT_SENTENCE + 1])
{
	if (mount(source, target, type, flags, options) == 0)
		return true;
	if (errno == ENODEV)
		return sentence(
			why,
			"this kernel has no %s, neither built in nor as a module in the agent's initramfs: give its modules by --modules DIR",
			type);
	if (errno == EINVAL && !strcmp(type, "virtiofs"))
		return sentence(why,
				"the machine has no shared directory of the tag %.100s",
				source);
	return sentence(why, "%.100s cannot be mounted as %s: %s", source, type,
			strerror(errno));
}

/* What a disk begins with.  Return: the file system's name, or NULL, and @why */
static const char *recognise(const char *disk, char why[AGENT_SENTENCE + 1])
{
	static const struct {
		const char *name;
		size_t at, len;
		const char *magic;
	} kinds[] = {
		{"squashfs", 0, 4, "hsqs"},      {"erofs", 1024, 4, "\xe2\xe1\xf5\xe0"},
		{"ext4", 1080, 2, "\x53\xef"},   {"xfs", 0, 4, "XFSB"},
		{"btrfs", 65600, 8, "_BHRfS_M"}, {"iso9660", 32769, 5, "CD001"},
	};
	static uint8_t head[66 * 1024];
	int fd = open(disk, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof(head));

	if (fd >= 0)
		close(fd);
	if (n < 0) {
		(void)sentence(why, "the root's disk %s cannot be read: %s", disk,
			       strerror(errno));
		return NULL;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if ((size_t)n >= kinds[i].at + kinds[i].len &&
		    !memcmp(head + kinds[i].at, kinds[i].magic, kinds[i].len))
			return kinds[i].name;
	if (n >= 1024 && head[510] == 0x55 && head[511] == 0xaa)
		(void)sentence(
			why,
			"the root's disk has a partition table: give an image of the file system alone (qemu-img dd, or losetup --partscan and dd)");
	else
		(void)sentence(
			why,
			"the root's disk has no file system that a guest here knows: make it squashfs, erofs or ext4");
	return NULL;
}

static bool mount_disk(const char *disk, const char *where, unsigned long flags,
		       char why[AGENT_SENTENCE + 1])
{
	const char *type;

	modules_load("disk");
	type = recognise(disk, why);
	if (!type)
		return false;
	modules_load(type);
	/* a journal that is not empty cannot be replayed there; it can be left */
	if ((flags & MS_RDONLY) && !strcmp(type, "ext4") &&
	    mount(disk, where, type, flags, "noload") == 0)
		return true;
	return root_mount(disk, where, type, flags,
			  strcmp(type, "xfs") ? NULL : "norecovery", why);
}

/* The capability to act as any file's owner, for what a mount remembers of this process */
static bool be_owner(bool of_all)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	const uint32_t bit = 1U << CAP_FOWNER;

	if (syscall(SYS_capget, &head, data) < 0)
		return false;
	data[0].effective = of_all ? data[0].effective | bit : data[0].effective & ~bit;
	return syscall(SYS_capset, &head, data) == 0;
}

/* A directory of the host.  An overlay opens what is below it without a change of access times, which
 * a host allows the owner of a file alone: virtiofsd may not be that, and then nothing can be
 * opened. An overlay whose mounter was nobody's owner does without; so one is put between. (One
 * without an upper layer has two lower ones.)
 */
static bool mount_shared(const char *tag, const char *where, char why[AGENT_SENTENCE + 1])
{
	bool ok;

	modules_load("virtiofs");
	modules_load("overlay");
	(void)mkdir(SHARED, 0755);
	(void)mkdir(EMPTY, 0755);
	if (!root_mount(tag, SHARED, "virtiofs", MS_RDONLY | MS_NOATIME, NULL, why))
		return false;
	if (!be_owner(false))
		return sentence(why, "a capability cannot be put down: %s",
				strerror(errno));
	ok = root_mount("overlay", where, "overlay", MS_RDONLY | MS_NOATIME,
			"lowerdir=" SHARED ":" EMPTY, why);
	return be_owner(true) && ok;
}

/* Where the jobs' files go: memory, half of it at most, or a disk that is theirs */
static bool make_upper(const struct root *r, char why[AGENT_SENTENCE + 1])
{
	(void)mkdir(UPPER, 0755);
	return r->scratch
		       ? mount_disk(r->scratch, UPPER, MS_NOATIME, why)
		       : root_mount("tmpfs", UPPER, "tmpfs", MS_NOATIME, "mode=755", why);
}

/* An unpacked tar needs no layer: it is in the guest's own memory, or on its scratch disk */
static bool make_tar(char *source, char why[AGENT_SENTENCE + 1])
{
	char *colon = strrchr(source, ':');
	uint64_t size;
	int disk, dir;
	bool ok;

	if (!colon || !number(colon + 1, INT64_MAX, &size))
		return sentence(why, "the agent does not understand root=tar:%.100s",
				source);
	*colon = '\0';
	modules_load("disk");
	disk = open(source, O_RDONLY | O_CLOEXEC);
	if (disk < 0)
		return sentence(why, "the root's disk %s cannot be read: %s", source,
				strerror(errno));
	(void)mkdir(UPPER "/root", 0755);
	dir = open(UPPER "/root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok = tar_unpack(disk, size, dir, why);
	close(dir);
	close(disk);
	return ok && root_mount(UPPER "/root", AGENT_ROOT, "root", MS_BIND, NULL, why);
}

static bool make_overlay(char why[AGENT_SENTENCE + 1])
{
	struct stat st;

	(void)mkdir(UPPER "/upper", 0755);
	(void)mkdir(UPPER "/work", 0755);
	/* the root itself looks as its upper layer */
	if (stat(LOWER, &st) == 0) {
		(void)!chown(UPPER "/upper", st.st_uid, st.st_gid);
		(void)chmod(UPPER "/upper", st.st_mode & 07777);
	}
	modules_load("overlay");
	/* volatile: what is written is of no use when this machine is gone, so nothing is flushed */
	return root_mount("overlay", AGENT_ROOT, "overlay", 0,
			  "lowerdir=" LOWER ",upperdir=" UPPER "/upper,workdir=" UPPER
			  "/work,volatile",
			  why);
}

bool root_make(const struct root *r, char why[AGENT_SENTENCE + 1])
{
	(void)mkdir(AGENT_ROOT, 0755);
	(void)mkdir(LOWER, 0755);
	if (!make_upper(r, why))
		return false;
	if (!strcmp(r->kind, "tar"))
		return make_tar(r->source, why);
	if (!strcmp(r->kind, "virtiofs")) {
		if (!mount_shared(r->source, LOWER, why))
			return false;
	} else if (!strcmp(r->kind, "disk")) {
		if (!mount_disk(r->source, LOWER, MS_RDONLY | MS_NOATIME, why))
			return false;
	} else {
		return sentence(why, "the agent does not understand a root of kind %.40s",
				r->kind);
	}
	return make_overlay(why);
}
