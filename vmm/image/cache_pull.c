/* SPDX-License-Identifier: Apache-2.0 */
/* cache_pull - what is fetched from registries, and the layers that are not fetched again. */
#include "vmm/image/cache_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/util.h"

#define PULL_FDS  16
#define PULL_PART "blobs/sha256" /* as OCI's Image Layout has it */
#define BLOBS     "blobs"
#define BLOB_NAME (sizeof(BLOBS) + 1 + DIGEST_HEX)

/* ---- a directory to fetch into ---- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st, (void)kind, (void)ftw;
	(void)remove(path);
	return 0;
}

static void remove_all(const char *path)
{
	(void)nftw(path, remove_one, PULL_FDS, FTW_DEPTH | FTW_PHYS);
}

bool cache_pull_prune(const struct cache *c, const char *name)
{
	cleanup_close int fd =
		openat(c->dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	char path[PATH_MAX];

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 ||
	    snprintf(path, sizeof(path), "%s/%s", c->path, name) >= PATH_MAX)
		return false;
	remove_all(path);
	return true;
}

static int prune_one(void *ctx, const char *name)
{
	if (strncmp(name, "pull-", 5) == 0)
		(void)cache_pull_prune(ctx, name);
	return 0;
}

static bool is_at(int fd, const char *path)
{
	struct stat is, there;

	return fstat(fd, &is) == 0 && lstat(path, &there) == 0 &&
	       is.st_ino == there.st_ino && is.st_dev == there.st_dev;
}

/* Another process may take a directory that is not locked yet for one that was left: then make another */
static int pull_dir(const struct cache *c, char path[PATH_MAX], struct err *e)
{
	for (;;) {
		int fd;

		if (snprintf(path, PATH_MAX, "%s/pull-XXXXXX", c->path) >= PATH_MAX)
			return err_set(e, ENAMETOOLONG,
				       "the path of the cache is too long");
		if (!mkdtemp(path))
			return cache_failed(c, "no directory", errno, e);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 && errno != ENOENT)
			return cache_failed(c, "no directory", errno, e);
		if (fd >= 0 && flock(fd, LOCK_EX) < 0) {
			int code = errno;

			cleanup_close_fd(&fd);
			(void)rmdir(path);
			return cache_failed(c, "no lock", code, e);
		}
		if (fd >= 0 && is_at(fd, path))
			return fd;
		cleanup_close_fd(&fd);
	}
}

/* ---- layers ---- */

static bool is_blob(const char *name)
{
	return strlen(name) == DIGEST_HEX &&
	       strspn(name, "0123456789abcdef") == DIGEST_HEX;
}

struct lending {
	const struct cache *c;
	int to;
	int n;
};

/* Call @fn for each layer that is kept */
static void each_blob(const struct cache *c, void (*fn)(void *ctx, const char *name),
		      void *ctx)
{
	int fd = openat(c->dir, BLOBS, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *d;

	if (!dir) {
		cleanup_close_fd(&fd);
		return;
	}
	while ((d = readdir(dir)))
		if (is_blob(d->d_name))
			fn(ctx, d->d_name);
	(void)closedir(dir);
}

static void lend(void *ctx, const char *name)
{
	struct lending *l = ctx;
	char from[BLOB_NAME];

	(void)snprintf(from, sizeof(from), BLOBS "/%.*s", DIGEST_HEX, name);
	if (linkat(l->c->dir, from, l->to, name, 0) == 0)
		l->n++;
}

/* Those that are kept, in @dir.  Return: how many */
static int lend_all(const struct cache *c, int dir)
{
	cleanup_close int to = -1;
	struct lending l = {.c = c};

	if (mkdirat(dir, "blobs", 0700) < 0 || mkdirat(dir, PULL_PART, 0700) < 0)
		return 0;
	l.to = to = openat(dir, PULL_PART, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (to >= 0)
		each_blob(c, lend, &l);
	return l.n;
}

int cache_pull(const struct cache *c, char path[PATH_MAX], int *lock, struct err *e)
{
	*lock = -1;
	if (strchr(c->path, ':'))
		return err_set(e, EINVAL,
			       "skopeo writes to no path with a colon, as that of the "
			       "cache of images is, %.200s; set XDG_CACHE_HOME",
			       c->path);
	if (cache_each(c, prune_one, (void *)(uintptr_t)c, e) < 0)
		return -e->code;
	*lock = pull_dir(c, path, e);
	return *lock < 0 ? *lock : lend_all(c, *lock);
}

void cache_pulled(const struct cache *c, const char *path, int *lock)
{
	(void)c;
	if (*lock < 0)
		return;
	remove_all(path);
	cleanup_close_fd(lock);
	*lock = -1;
}

/* On the disk before it gets its name, or a crash would leave one that is cut short */
static void keep(const struct cache *c, int from, const char *name)
{
	cleanup_close int fd = openat(from, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char to[BLOB_NAME];

	(void)snprintf(to, sizeof(to), BLOBS "/%.*s", DIGEST_HEX, name);
	if (faccessat(c->dir, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || fd < 0 ||
	    fsync(fd) < 0 || linkat(from, name, c->dir, to, 0) < 0)
		return;
}

void cache_pull_keep(const struct cache *c, int lock, const struct image_text *about)
{
	cleanup_close int from =
		openat(lock, PULL_PART, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (from < 0 || (mkdirat(c->dir, BLOBS, 0700) < 0 && errno != EEXIST))
		return;
	for (const char *v = NULL; (v = image_text_next(about, "blob", v));)
		if (is_blob(v))
			keep(c, from, v);
}

static void drop(void *ctx, const char *name)
{
	const struct cache *c = ctx;
	char path[BLOB_NAME];

	(void)snprintf(path, sizeof(path), BLOBS "/%.*s", DIGEST_HEX, name);
	(void)unlinkat(c->dir, path, 0);
}

void cache_blobs_drop(const struct cache *c)
{
	each_blob(c, drop, (void *)(uintptr_t)c);
	(void)unlinkat(c->dir, BLOBS, AT_REMOVEDIR);
}

/* ---- those that no image has ---- */

struct wanted {
	const struct cache *c;
	char (*name)[DIGEST_HEX + 1]; /* sorted by nothing: a cache has few images */
	size_t n;
	bool all; /* there is no memory to know them by */
};

static int want_image(void *ctx, const char *key)
{
	struct wanted *w = ctx;
	struct cached i;
	struct err e;

	if (cache_find(w->c, key, &i, &e) > 0)
		for (const char *v = NULL;
		     !w->all && (v = image_text_next(&i.about, "blob", v));) {
			char(*more)[DIGEST_HEX + 1] =
				reallocarray(w->name, w->n + 1, sizeof(*more));

			w->all = !more;
			if (!more)
				break;
			w->name = more;
			(void)snprintf(more[w->n++], sizeof(*more), "%s", v);
		}
	cached_close(&i);
	return 0;
}

static void drop_unwanted(void *ctx, const char *name)
{
	struct wanted *w = ctx;

	for (size_t i = 0; i < w->n; i++)
		if (strcmp(w->name[i], name) == 0)
			return;
	drop((void *)(uintptr_t)w->c, name);
}

int cache_blobs_prune(const struct cache *c, struct err *e)
{
	struct wanted w = {.c = c};
	int rc = cache_list(c, want_image, &w, e);

	if (rc == 0 && !w.all)
		each_blob(c, drop_unwanted, &w);
	(void)unlinkat(c->dir, BLOBS, AT_REMOVEDIR); /* if none is left */
	free(w.name);
	return rc;
}
