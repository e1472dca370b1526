/* SPDX-License-Identifier: Apache-2.0 */
/* cache_name - names of registries, and what is left over. */
#include "vmm/image/cache_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/replace.h"
#include "vmm/core/util.h"

#define NAME_FILE     (sizeof("name-") + DIGEST_HEX)
#define NAME_MAX_TEXT 4096

/* @kind and the digest of @name */
static void name_file(const char *kind, const char *name, char file[NAME_FILE])
{
	struct digest_sum s;
	struct digest d;
	char text[DIGEST_TEXT];

	digest_begin(&s);
	digest_add(&s, name, strlen(name));
	digest_end(&s, &d);
	digest_text(&d, text);
	(void)snprintf(file, NAME_FILE, "%s-%.64s", kind, strchr(text, ':') + 1);
}

int cache_name(const struct cache *c, const char *name, const char *key, struct err *e)
{
	struct image_text t = {0};
	char file[NAME_FILE];
	struct replace r;
	int fd = -1, rc = 0;

	name_file("name", name, file);
	if (image_text_add(&t, e, "name=%s", name) < 0 ||
	    image_text_add(&t, e, "key=%s", key) < 0) {
		image_text_free(&t);
		return -e->code;
	}
	fd = replace_open(&r, c->dir, file, NULL, NULL);
	if (fd < 0)
		rc = fd;
	else if (write_full(fd, t.p, t.len) < 0 || fsync(fd) < 0)
		rc = -errno;
	else
		rc = replace_put(&r, c->dir, file);
	if (fd >= 0)
		replace_drop(&r, c->dir);
	cleanup_close_fd(&fd);
	image_text_free(&t);
	return rc < 0 ? cache_failed(c, "the name cannot be written", -rc, e) : 0;
}

/* Return: 0; -ENOENT, no such file, or not one of ours */
static int name_read(const struct cache *c, const char *file, char text[NAME_MAX_TEXT],
		     struct image_text *t)
{
	cleanup_close int fd =
		openat(c->dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	long n = fd < 0 ? -1 : pread_full(fd, text, NAME_MAX_TEXT, 0);

	*t = (struct image_text){.p = text, .len = n > 0 ? (size_t)n : 0};
	return n > 0 && image_text_ok(t) ? 0 : -ENOENT;
}

int cache_named(const struct cache *c, const char *name, char key[CACHE_KEY])
{
	char file[NAME_FILE], text[NAME_MAX_TEXT];
	struct image_text t;

	name_file("name", name, file);
	if (name_read(c, file, text, &t) < 0 ||
	    strcmp(image_text_get(&t, "name", ""), name) != 0)
		return -ENOENT;
	(void)snprintf(key, CACHE_KEY, "%s", image_text_get(&t, "key", ""));
	return strlen(key) == CACHE_KEY - 1 && !strchr(key, '/') ? 0 : -ENOENT;
}

int cache_name_lock(const struct cache *c, const char *name, struct err *e)
{
	char file[NAME_FILE];
	int fd;

	name_file("want", name, file);
	fd = cache_lock(c, file, LOCK_EX);
	return fd < 0 ? cache_failed(c, "no lock", -fd, e) : fd;
}

void cache_name_unlock(const struct cache *c, const char *name, int *lock)
{
	char file[NAME_FILE];

	name_file("want", name, file);
	(void)unlinkat(c->dir, file, 0);
	cleanup_close_fd(lock);
	*lock = -1;
}

/* ---- what is left over ---- */

static bool prune_making(const struct cache *c, const char *key)
{
	char name[CACHE_KEY + 8];
	int lock;

	if (strlen(key) != CACHE_KEY - 1)
		return false;
	(void)snprintf(name, sizeof(name), "lock-%s", key);
	lock = cache_lock(c, name, LOCK_EX | LOCK_NB);
	if (lock < 0)
		return false;
	(void)unlinkat(c->dir, name, 0);
	(void)snprintf(name, sizeof(name), "tmp-%s", key);
	cache_empty(c, name);
	cleanup_close_fd(&lock);
	return true;
}

/* A name, or one that is being written, by the process that holds its lock */
static bool prune_name(const struct cache *c, const char *file)
{
	char text[NAME_MAX_TEXT], want[NAME_FILE];
	struct image_text t;
	const char *key;
	bool keep = false;
	int lock;

	(void)snprintf(want, sizeof(want), "want-%.64s", file + strlen("name-"));
	lock = cache_lock(c, want, LOCK_EX | LOCK_NB);
	if (lock < 0)
		return false;
	if (!strstr(file, ".tmp") && name_read(c, file, text, &t) == 0) {
		key = image_text_get(&t, "key", "");
		keep = *key && !strchr(key, '/') && faccessat(c->dir, key, F_OK, 0) == 0;
	}
	keep = keep || unlinkat(c->dir, file, 0) < 0;
	(void)unlinkat(c->dir, want, 0);
	cleanup_close_fd(&lock);
	return !keep;
}

static void prune_want(const struct cache *c, const char *name)
{
	int lock = cache_lock(c, name, LOCK_EX | LOCK_NB);

	if (lock < 0)
		return;
	(void)unlinkat(c->dir, name, 0);
	cleanup_close_fd(&lock);
}

struct prune {
	const struct cache *c;
	int gone;
};

static int prune_one(void *ctx, const char *name)
{
	struct prune *p = ctx;

	if (strncmp(name, "pull-", 5) == 0)
		p->gone += cache_pull_prune(p->c, name);
	else if (strncmp(name, "tmp-", 4) == 0)
		p->gone += prune_making(p->c, name + 4);
	else if (strncmp(name, "lock-", 5) == 0)
		(void)prune_making(p->c, name + 5);
	else if (strncmp(name, "want-", 5) == 0)
		prune_want(p->c, name);
	else if (strncmp(name, "name-", 5) == 0)
		(void)prune_name(p->c, name);
	return 0;
}

int cache_prune(const struct cache *c, struct err *e)
{
	struct prune p = {.c = c};

	if (cache_each(c, prune_one, &p, e) < 0 || cache_blobs_prune(c, e) < 0)
		return -e->code;
	return p.gone;
}
