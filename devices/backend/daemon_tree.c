/* SPDX-License-Identifier: Apache-2.0 */
/* daemon_tree - the host's root, without what belongs to its users and its services. */
#include "devices/backend/daemon_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/core/util.h"

/* not every C library allows <sys/mount.h> together with <linux/mount.h> */
#define TREE_MS_NOSUID 2UL
#define TREE_MS_NODEV  4UL
#define TREE_MS_BIND   4096UL
#define TREE_MS_REC    16384UL
#define TREE_RECURSIVE 0x8000 /* AT_RECURSIVE */

/* Programs, libraries and settings; a symlink, as /bin often is, stays one.  All else of the host's
 * root is left out: what is not known may be anything.
 */
static const char *const tree_shown[] = {"/usr", "/etc", "/opt", "/bin", "/sbin", "/lib",
					 "/lib32", "/lib64", "/libx32",
					 /* where NixOS and Guix keep all of these */
					 "/nix", "/gnu"};

/* The job's own, in the layer above; the agent mounts the last three */
static const struct {
	const char *name;
	mode_t mode;
} tree_empty[] = {
	{"boot", 0755},    {"home", 0755},      {"media", 0755},     {"mnt", 0755},
	{"root", 0700},    {"run", 0755},       {"run/lock", 01777}, {"srv", 0755},
	{"tmp", 01777},    {"var", 0755},       {"var/cache", 0755}, {"var/lib", 0755},
	{"var/log", 0755}, {"var/spool", 0755}, {"var/tmp", 01777},  {"dev", 0755},
	{"proc", 0755},    {"sys", 0755},
};

static const struct {
	const char *name, *to;
} tree_links[] = {{"var/run", "/run"}, {"var/lock", "/run/lock"}};

/* In the tree, the current directory */
static int tree_show(const char *path)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n >= 0) {
		target[n] = '\0';
		return symlink(target, path + 1);
	}
	if (errno == ENOENT)
		return 0;
	if (mkdir(path + 1, 0755) < 0)
		return -1;
	return (int)syscall(SYS_mount, path, path + 1, NULL, TREE_MS_BIND | TREE_MS_REC,
			    NULL);
}

int daemon_tree_mount(const char *at)
{
	struct mount_attr ro = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
					    MOUNT_ATTR_NODEV};

	if (syscall(SYS_mount, "root", at, "tmpfs", TREE_MS_NOSUID | TREE_MS_NODEV,
		    "mode=755,size=1m") < 0 ||
	    chdir(at) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(tree_shown); i++)
		if (tree_show(tree_shown[i]) < 0)
			return -1;
	/* chmod: not as the umask has it */
	for (size_t i = 0; i < ARRAY_SIZE(tree_empty); i++)
		if (mkdir(tree_empty[i].name, tree_empty[i].mode) < 0 ||
		    chmod(tree_empty[i].name, tree_empty[i].mode) < 0)
			return -1;
	for (size_t i = 0; i < ARRAY_SIZE(tree_links); i++)
		if (symlink(tree_links[i].to, tree_links[i].name) < 0)
			return -1;
	if (chdir("/") < 0)
		return -1;
	return (int)syscall(SYS_mount_setattr, AT_FDCWD, at, TREE_RECURSIVE, &ro,
			    sizeof(ro));
}
