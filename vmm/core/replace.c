/* SPDX-License-Identifier: Apache-2.0 */
/* replace - a regular file that is replaced in one step. */
#include "vmm/core/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/xattr.h>
#include <unistd.h>

#define REPLACE_ACL_MAX 4096

/* An access list, if the older file, @path or descriptor @like, has one: without it, the mode's
 * group bits, which are the list's mask, would become the group's. Return: false, there is one and
 * @fd cannot have it
 */
static bool replace_copy_acl(int fd, const char *path, int like)
{
	static const char name[] = "system.posix_acl_access";
	char acl[REPLACE_ACL_MAX];
	ssize_t n = path ? getxattr(path, name, acl, sizeof(acl))
			 : fgetxattr(like, name, acl, sizeof(acl));

	if (n < 0)
		return errno != ERANGE;
	return fsetxattr(fd, name, acl, (size_t)n, 0) == 0;
}

/* Give @fd owner, group and mode of the older file.  If this user cannot give a file to that
 * group, the mode's group bits would apply to another group, so they are left out.
 */
static void replace_like(int fd, const struct stat *older, const char *path, int like)
{
	mode_t mode = older->st_mode & 0777;
	bool same = fchown(fd, older->st_uid, older->st_gid) == 0 ||
		    fchown(fd, (uid_t)-1, older->st_gid) == 0;

	if (!same || !replace_copy_acl(fd, path, like))
		mode &= ~(mode_t)070;
	(void)fchmod(fd, mode);
}

static int replace_make(struct replace *r, int dir, const char *base, mode_t mode)
{
	uint64_t random;
	int fd, rc;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -EIO;
	if (asprintf(&r->tmp, "%s.%016llx.tmp", base, (unsigned long long)random) < 0) {
		r->tmp = NULL;
		return -ENOMEM;
	}
	fd = openat(dir, r->tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd >= 0)
		return fd;
	rc = -errno;
	free(r->tmp);
	r->tmp = NULL;
	return rc;
}

int replace_open(struct replace *r, int dir, const char *base, const struct stat *older,
		 const char *path)
{
	int fd = replace_make(r, dir, base, older ? 0600 : 0666);

	if (fd >= 0 && older)
		replace_like(fd, older, path, -1);
	return fd;
}

int replace_again(struct replace *r, int dir, const char *base, int like)
{
	struct stat st;
	int fd = fstat(like, &st) < 0 ? -errno : replace_make(r, dir, base, 0600);

	if (fd >= 0)
		replace_like(fd, &st, NULL, like);
	return fd;
}

int replace_put(struct replace *r, int dir, const char *base)
{
	if (renameat(dir, r->tmp, dir, base) < 0)
		return -errno;
	free(r->tmp);
	r->tmp = NULL;
	return 0;
}

void replace_drop(struct replace *r, int dir)
{
	if (r->tmp)
		(void)unlinkat(dir, r->tmp, 0);
	free(r->tmp);
	r->tmp = NULL;
}
