/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache - images that are imported: a directory each, made as a whole, named by the digest of the
 * image's config and the version of what is in it.
 *
 *   HEX.1/root    the squashfs;  locked as long as a machine has it
 *   HEX.1/about   what is known of it (text.h)
 *   lock-HEX.1    held by the process that makes it, in tmp-HEX.1
 *   pull-*        what skopeo fetches, locked by the process that has it do so
 *   name-HASH     a name of a registry, and which image that was
 *   want-HASH     held by the process that fetches that name
 *   blobs/HEX     the layers of images that were fetched, as they came
 */
#ifndef MICROVM_IMAGE_CACHE_H
#define MICROVM_IMAGE_CACHE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/core/err.h"
#include "vmm/image/digest.h"
#include "vmm/image/text.h"

#define CACHE_KEY (DIGEST_HEX + sizeof(".1"))

struct cache {
	int dir;
	char path[PATH_MAX];
};

/* An image of it, which stays as long as @fd is open */
struct cached {
	int fd;
	uint64_t size;
	char key[CACHE_KEY];
	struct image_text about;
};

/* One that is being made */
struct making {
	char key[CACHE_KEY], tmp[CACHE_KEY + 8];
	int lock, dir, fd;
};

/* cache_open() - where it is, by the environment; made if it is not there.  Return: 0; -errno in @e:
 * among others, it is another user's; cache_close() in either case
 */
int cache_open(struct cache *c, struct err *e);
void cache_close(struct cache *c);
void cache_key(const struct digest *config, char key[CACHE_KEY]);

/* cache_find() - open the image @key, and lock it as one in use.  Return: 1; 0, it is not there, or not
 * whole; -errno in @e.  cached_close() in any case
 */
int cache_find(const struct cache *c, const char *key, struct cached *i, struct err *e);
void cached_close(struct cached *i);
/* cached_verify() - read all of it.  Return: 0; -EBADMSG in @e: it has changed */
int cached_verify(const struct cached *i, struct err *e);

/* cache_make() - the right to make @key, once no other process does: then look again whether it is
 * there.  Return: 0, or -errno in @e; making_close() in either case
 */
int cache_make(const struct cache *c, const char *key, struct making *m, struct err *e);
/* making_begin() - an empty file, @m->fd, for the squashfs */
int making_begin(const struct cache *c, struct making *m, struct err *e);
/* making_end() - it is whole: on the disk first, then in its place.  @size: of the file.  Return: likewise */
int making_end(const struct cache *c, struct making *m, struct image_text *about,
	       struct err *e);
void making_close(const struct cache *c, struct making *m);

/* cache_remove() - Return: 0; -EBUSY in @e: a machine has it; -ENOENT */
int cache_remove(const struct cache *c, const char *key, struct err *e);
/* cache_list() - call @fn for each key, until it does not return 0.  Return: what it returned */
int cache_list(const struct cache *c, int (*fn)(void *ctx, const char *key), void *ctx,
	       struct err *e);
/* cache_prune() - remove what a process that was killed has left, and names of images that are gone.
 * Return: how many, or -errno in @e
 */
int cache_prune(const struct cache *c, struct err *e);

/* cache_name() - @name was @key.  cache_named(): which @key it was.  Return: 0; -ENOENT; -errno in @e */
int cache_name(const struct cache *c, const char *name, const char *key, struct err *e);
int cache_named(const struct cache *c, const char *name, char key[CACHE_KEY]);
/* cache_name_lock() - the right to fetch @name, once no other process does: then look again whether it is
 * there.  Return: a descriptor, for cache_name_unlock(); -errno in @e
 */
int cache_name_lock(const struct cache *c, const char *name, struct err *e);
void cache_name_unlock(const struct cache *c, const char *name, int *lock);

/* cache_pull() - a directory @path to fetch into, its lock @lock; what processes that were killed have left
 * of theirs goes. Of the layers that were fetched before, those in the cache are in it: in
 * blobs/sha256, where who fetches looks for them.  Return: how many, or -errno in @e;
 * cache_pulled() in either case
 */
int cache_pull(const struct cache *c, char path[PATH_MAX], int *lock, struct err *e);
void cache_pulled(const struct cache *c, const char *path, int *lock);
/* cache_pull_keep() - keep the layers of the image @about, which are in @path and are what their names
 * say. Where that fails, they will be fetched again
 */
void cache_pull_keep(const struct cache *c, int lock, const struct image_text *about);
/* cache_blobs_drop() - a layer that was kept is not what it was: remove them all */
void cache_blobs_drop(const struct cache *c);

#endif
