/* SPDX-License-Identifier: Apache-2.0 */
/* cache_make - an image takes its place in the cache, whole and on the disk, or goes. */
#include "vmm/image/cache_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/limits.h"
#include "vmm/core/util.h"

int cache_lock(const struct cache *c, const char *name, int how)
{
	for (;;) {
		struct stat held, there;
		int fd = openat(c->dir, name,
				O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
				0600);
		int rc;

		if (fd < 0)
			return -errno;
		do
			rc = flock(fd, how);
		while (rc < 0 && errno == EINTR);
		if (rc < 0) {
			rc = -errno;
			cleanup_close_fd(&fd);
			return rc;
		}
		/* who removes it holds it: then it is another one's name by now */
		if (fstat(fd, &held) == 0 && fstatat(c->dir, name, &there, 0) == 0 &&
		    held.st_ino == there.st_ino)
			return fd;
		cleanup_close_fd(&fd);
	}
}

void cache_empty(const struct cache *c, const char *name)
{
	static const char *const parts[] = {"root", "about"};
	char path[CACHE_KEY + 32];

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", name, parts[i]);
		(void)unlinkat(c->dir, path, 0);
	}
	(void)unlinkat(c->dir, name, AT_REMOVEDIR);
}

int cache_failed(const struct cache *c, const char *what, int code, struct err *e)
{
	const char *cure = limits_cure(code);

	return err_set(e, code, "%s in the cache of images %.200s: %s%s%s", what, c->path,
		       strerror(code), cure ? "; " : "",
		       cure             ? cure
		       : code == ENOSPC ? "; microvm images prune, or set XDG_CACHE_HOME"
					: "");
}

int cache_make(const struct cache *c, const char *key, struct making *m, struct err *e)
{
	char lock[CACHE_KEY + 8];

	*m = (struct making){.lock = -1, .dir = -1, .fd = -1};
	(void)snprintf(m->key, sizeof(m->key), "%s", key);
	(void)snprintf(m->tmp, sizeof(m->tmp), "tmp-%s", key);
	(void)snprintf(lock, sizeof(lock), "lock-%s", key);
	m->lock = cache_lock(c, lock, LOCK_EX);
	return m->lock < 0 ? cache_failed(c, "no lock", -m->lock, e) : 0;
}

int making_begin(const struct cache *c, struct making *m, struct err *e)
{
	cache_empty(c, m->tmp); /* of one that was killed */
	if (mkdirat(c->dir, m->tmp, 0700) < 0)
		return cache_failed(c, "no directory", errno, e);
	m->dir = openat(c->dir, m->tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (m->dir < 0)
		return cache_failed(c, "no directory", errno, e);
	m->fd = openat(m->dir, "root", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return m->fd < 0 ? cache_failed(c, "no file", errno, e) : 0;
}

static int write_about(struct making *m, struct image_text *about, struct err *e)
{
	cleanup_close int fd = -1;
	struct stat st;
	long n;

	if (fstat(m->fd, &st) < 0)
		return -errno;
	if (image_text_add(about, e, "size=%llu", (unsigned long long)st.st_size) < 0)
		return -e->code;
	fd = openat(m->dir, "about", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	n = write_full(fd, about->p, about->len);
	return n < 0 ? (int)n : fsync(fd) < 0 ? -errno : 0;
}

int making_end(const struct cache *c, struct making *m, struct image_text *about,
	       struct err *e)
{
	int rc = write_about(m, about, e);

	if (rc == 0 && (fsync(m->fd) < 0 || fsync(m->dir) < 0))
		rc = -errno;
	if (rc < 0)
		return cache_failed(c, "the image cannot be written", -rc, e);
	cache_empty(c, m->key); /* one that is not whole */
	if (renameat(c->dir, m->tmp, c->dir, m->key) < 0 || fsync(c->dir) < 0)
		return cache_failed(c, "the image cannot be put in place", errno, e);
	return 0;
}

void making_close(const struct cache *c, struct making *m)
{
	char lock[CACHE_KEY + 8];

	if (m->fd >= 0)
		cleanup_close_fd(&m->fd);
	if (m->dir >= 0)
		cleanup_close_fd(&m->dir);
	if (m->lock >= 0) {
		cache_empty(c, m->tmp); /* if it is still that */
		(void)snprintf(lock, sizeof(lock), "lock-%s", m->key);
		(void)unlinkat(c->dir, lock, 0);
		cleanup_close_fd(&m->lock);
	}
	m->lock = m->dir = m->fd = -1;
}

int cache_remove(const struct cache *c, const char *key, struct err *e)
{
	char path[CACHE_KEY + 8];
	struct making m;
	cleanup_close int fd = -1;
	int rc = 0;

	if (cache_make(c, key, &m, e) < 0)
		return -e->code;
	(void)snprintf(path, sizeof(path), "%s/root", key);
	fd = openat(c->dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
		rc = err_set(e, EBUSY,
			     "the image %.12s is in use by a machine; wait for its "
			     "end",
			     key);
	else if (faccessat(c->dir, key, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		rc = err_set(e, ENOENT, "the image %.12s is not in the cache", key);
	else
		cache_empty(c, key);
	making_close(c, &m);
	return rc;
}
