/* SPDX-License-Identifier: Apache-2.0 */
/* cache - where it is, and what is in it. */
#include "vmm/image/cache_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/util.h"

#define SQUASHFS_MAGIC "hsqs"
#define CACHE_NOBODY   65534
#define SQUASHFS_USED  40 /* where the superblock has the number of bytes */

static const char *env_of(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/* As guest-images/lib.sh chooses it */
static int cache_path(char path[PATH_MAX], struct err *e)
{
	const char *at;
	int n;

	if ((at = env_of("MICROVM_CACHE")))
		n = snprintf(path, PATH_MAX, "%s/images", at);
	else if ((at = env_of("XDG_CACHE_HOME")))
		n = snprintf(path, PATH_MAX, "%s/microvm/images", at);
	else if ((at = env_of("HOME")))
		n = snprintf(path, PATH_MAX, "%s/.cache/microvm/images", at);
	else
		return err_set(e, ENOENT,
			       "there is no place for the cache of images; set "
			       "XDG_CACHE_HOME or HOME");
	return n < PATH_MAX
		       ? 0
		       : err_set(e, ENAMETOOLONG, "the path of the cache is too long");
}

/* Return: 0, or -errno of the one that could not be made */
static int make_dirs(char *path)
{
	int rc = 0;

	for (char *p = path + 1; rc == 0 && (p = strchr(p, '/')); p++) {
		*p = '\0';
		if (mkdir(path, 0755) < 0 && errno == ENOSPC)
			rc = -errno;
		*p = '/';
	}
	return rc == 0 && mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : rc;
}

static int check_owner(const struct cache *c, struct err *e)
{
	struct stat st;

	if (fstat(c->dir, &st) < 0)
		return err_set(e, errno, "%.200s: %s", c->path, strerror(errno));
	if (st.st_uid != geteuid())
		return err_set(
			e, EPERM,
			"the cache of images %.200s belongs to the user %u, who could "
			"change what is run; set XDG_CACHE_HOME to a directory of yours",
			c->path, st.st_uid);
	if (st.st_mode & 022)
		return err_set(
			e, EPERM,
			"others may write to the cache of images %.200s, and change what "
			"is run; chmod go-w it",
			c->path);
	return 0;
}

/* Could another user put another directory in the place of @st, or of what is in it?  In a sticky one
 * that is up to the owner.  Our own group is taken for ours alone, as most hosts have it, and root's for
 * root's.  Nobody's is what a user namespace shows of those outside
 */
static bool is_others(const struct stat *st)
{
	bool group = st->st_gid != 0 && st->st_gid != getegid() &&
		     st->st_gid != CACHE_NOBODY;

	if (st->st_uid != 0 && st->st_uid != geteuid() && st->st_uid != CACHE_NOBODY)
		return true;
	if (st->st_mode & S_ISVTX)
		return false;
	return (st->st_mode & S_IWOTH) || (group && (st->st_mode & S_IWGRP));
}

/* What is fetched is fetched by its path: every directory on the way has to be ours or the host's */
static int check_above(const struct cache *c, struct err *e)
{
	struct stat below = {0}, st;
	int at = openat(c->dir, "..", O_PATH | O_DIRECTORY | O_CLOEXEC), up;
	int rc = at < 0 || fstat(c->dir, &below) < 0 ? -errno : 0;

	while (rc == 0 && fstat(at, &st) == 0 &&
	       (st.st_ino != below.st_ino || st.st_dev != below.st_dev)) {
		if (is_others(&st))
			rc = err_set(e, EPERM,
				     "the cache of images %.200s is in a directory of "
				     "the user %u, or one that others may write to, who "
				     "could change what is run; set XDG_CACHE_HOME to a "
				     "directory of yours",
				     c->path, st.st_uid);
		below = st;
		up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		cleanup_close_fd(&at);
		at = up;
		if (rc == 0 && at < 0)
			rc = -errno;
	}
	cleanup_close_fd(&at);
	return rc == 0 || rc == -EPERM
		       ? rc
		       : err_set(e, -rc, "%.200s: %s", c->path, strerror(-rc));
}

/* Its path without links, which others could change: that of what is open, not of what has the name by now */
static void path_straight(struct cache *c)
{
	char self[sizeof("/proc/self/fd/") + 12];
	cleanup_free char *path = NULL;

	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", c->dir);
	path = realpath(self, NULL);
	if (!path) /* there is no /proc */
		path = realpath(c->path, NULL);
	if (path && strlen(path) < sizeof(c->path))
		(void)snprintf(c->path, sizeof(c->path), "%s", path);
}

int cache_open(struct cache *c, struct err *e)
{
	int rc;

	c->dir = -1;
	if (cache_path(c->path, e) < 0)
		return -e->code;
	rc = make_dirs(c->path);
	c->dir = open(c->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->dir < 0)
		return err_set(e, rc < 0 ? -rc : errno,
			       "the cache of images %.200s: %s; set XDG_CACHE_HOME to a "
			       "directory that can be written",
			       c->path, strerror(rc < 0 ? -rc : errno));
	path_straight(c);
	return check_owner(c, e) < 0 || check_above(c, e) < 0 ? -e->code : 0;
}

void cache_close(struct cache *c)
{
	cleanup_close_fd(&c->dir);
	c->dir = -1;
}

void cache_key(const struct digest *config, char key[CACHE_KEY])
{
	char text[DIGEST_TEXT];

	digest_text(config, text);
	(void)snprintf(key, CACHE_KEY, "%.64s.1", strchr(text, ':') + 1);
}

/* ---- an image ---- */

/* A file of ours, below the image's directory.  Return: its descriptor, or -errno */
static int open_part(const struct cache *c, const char *key, const char *name,
		     uint64_t *size)
{
	char path[CACHE_KEY + 16];
	struct stat st;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", key, name);
	fd = openat(c->dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid()) {
		cleanup_close_fd(&fd);
		return -EPERM;
	}
	*size = (uint64_t)st.st_size;
	return fd;
}

static bool read_about(const struct cache *c, const char *key, struct image_text *t)
{
	uint64_t size = 0;
	cleanup_close int fd = open_part(c, key, "about", &size);
	long n;

	if (fd < 0 || size > IMAGE_TEXT_MAX || !(t->p = malloc((size_t)size + 1)))
		return false;
	n = pread_full(fd, t->p, (size_t)size, 0);
	t->len = n > 0 ? (size_t)n : 0;
	return (uint64_t)t->len == size && image_text_ok(t);
}

/* By its size and its first block: is it all there? */
static bool looks_whole(const struct cached *i)
{
	uint8_t head[96];
	uint64_t used;

	if (pread_full(i->fd, head, sizeof(head), 0) != sizeof(head) ||
	    memcmp(head, SQUASHFS_MAGIC, 4) != 0)
		return false;
	memcpy(&used, head + SQUASHFS_USED, sizeof(used));
	return used <= i->size && i->size == image_text_number(&i->about, "size");
}

/* Removed before we had the lock? */
static bool is_gone(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 || st.st_nlink == 0;
}

int cache_find(const struct cache *c, const char *key, struct cached *i, struct err *e)
{
	*i = (struct cached){.fd = -1};
	(void)snprintf(i->key, sizeof(i->key), "%s", key);
	i->fd = open_part(c, key, "root", &i->size);
	if (i->fd < 0 && i->fd != -ENOENT && i->fd != -ENOTDIR)
		return err_set(e, -i->fd, "the cached image %s/%s: %s; remove it",
			       c->path, key, strerror(-i->fd));
	if (i->fd >= 0 && flock(i->fd, LOCK_SH) == 0 && !is_gone(i->fd) &&
	    read_about(c, key, &i->about) && looks_whole(i))
		return 1;
	cached_close(i);
	return 0;
}

void cached_close(struct cached *i)
{
	if (i->fd >= 0)
		cleanup_close_fd(&i->fd);
	i->fd = -1;
	image_text_free(&i->about);
}

int cached_verify(const struct cached *i, struct err *e)
{
	struct digest is, should;
	int rc = digest_file(i->fd, &is);

	if (rc < 0)
		return err_set(e, -rc, "it cannot be read: %s", strerror(-rc));
	if (digest_parse(image_text_get(&i->about, "sum", ""), &should) &&
	    digest_same(&is, &should))
		return 0;
	return err_set(e, EBADMSG,
		       "it is not what was written; remove it: microvm images rm "
		       "%.12s",
		       i->key);
}

/* ---- all of them ---- */

static bool is_key(const char *name)
{
	return strspn(name, "0123456789abcdef") == DIGEST_HEX &&
	       strcmp(name + DIGEST_HEX, ".1") == 0;
}

int cache_each(const struct cache *c, int (*fn)(void *ctx, const char *name), void *ctx,
	       struct err *e)
{
	struct dirent **all;
	int n = scandirat(c->dir, ".", &all, NULL, alphasort), rc = 0;

	if (n < 0)
		return err_set(e, errno, "%.200s: %s", c->path, strerror(errno));
	for (int i = 0; i < n; i++) {
		if (rc == 0)
			rc = fn(ctx, all[i]->d_name);
		free(all[i]);
	}
	free(all);
	return rc;
}

struct list {
	int (*fn)(void *ctx, const char *key);
	void *ctx;
};

static int list_key(void *ctx, const char *name)
{
	struct list *l = ctx;

	return is_key(name) ? l->fn(l->ctx, name) : 0;
}

int cache_list(const struct cache *c, int (*fn)(void *ctx, const char *key), void *ctx,
	       struct err *e)
{
	struct list l = {fn, ctx};

	return cache_each(c, list_key, &l, e);
}
