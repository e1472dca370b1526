/* SPDX-License-Identifier: Apache-2.0 */
/* replace - a regular file that is replaced in one step. */
#include "vmm/core/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "vmm/core/util.h"

#define REPLACE_ACL_MAX 4096

/* An access list, if @path has one: without it, the mode's group bits, which are the list's mask,
 * would become the group's. Return: false, there is one and @fd cannot have it
 */
static bool replace_copy_acl(int fd, const char *path)
{
	static const char name[] = "system.posix_acl_access";
	char acl[REPLACE_ACL_MAX];
	ssize_t n = getxattr(path, name, acl, sizeof(acl));

	if (n < 0)
		return errno != ERANGE;
	return fsetxattr(fd, name, acl, (size_t)n, 0) == 0;
}

/* Give @fd owner, group and mode of the older file @path.  If this user cannot give a file to that
 * group, the mode's group bits would apply to another group, so they are left out.
 */
static void replace_like(int fd, const char *path, const struct stat *older)
{
	mode_t mode = older->st_mode & 0777;
	bool same = fchown(fd, older->st_uid, older->st_gid) == 0 ||
		    fchown(fd, (uid_t)-1, older->st_gid) == 0;

	if (!same || !replace_copy_acl(fd, path))
		mode &= ~(mode_t)070;
	(void)fchmod(fd, mode);
}

int replace_dir(const char *path, const char **base)
{
	struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
			       .resolve = RESOLVE_NO_SYMLINKS};
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) + 1 : 0;
	char dir[PATH_MAX] = ".";
	long fd;

	if (len >= sizeof(dir))
		return -ENAMETOOLONG;
	if (slash) {
		memcpy(dir, path, len);
		dir[len] = '\0';
	}
	*base = path + len;
	fd = syscall(SYS_openat2, AT_FDCWD, dir, &how, sizeof(how));
	if (fd < 0 &&
	    (errno == ENOSYS || errno == EPERM)) /* Linux 5.6; a container's filter */
		fd = open(dir, (int)how.flags);
	return fd < 0 ? -errno : (int)fd;
}

int replace_open(struct replace *r, const char *path, const struct stat *older)
{
	uint64_t random;
	const char *base;
	cleanup_close int dir = replace_dir(path, &base);
	int fd, rc;

	if (dir < 0)
		return dir;
	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -EIO;
	if (asprintf(&r->tmp, "%s.%016llx.tmp", path, (unsigned long long)random) < 0) {
		r->tmp = NULL;
		return -ENOMEM;
	}
	fd = openat(dir, r->tmp + (base - path), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		    older ? 0600 : 0666);
	if (fd >= 0) {
		if (older)
			replace_like(fd, path, older);
		return fd;
	}
	rc = -errno;
	free(r->tmp);
	r->tmp = NULL;
	return rc;
}

int replace_put(struct replace *r, const char *path)
{
	const char *base;
	cleanup_close int dir = replace_dir(path, &base);

	if (dir < 0)
		return dir;
	if (renameat(dir, r->tmp + (base - path), dir, base) < 0)
		return -errno;
	free(r->tmp);
	r->tmp = NULL;
	return 0;
}

void replace_drop(struct replace *r)
{
	if (r->tmp)
		(void)unlink(r->tmp);
	free(r->tmp);
	r->tmp = NULL;
}
