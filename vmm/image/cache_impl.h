/* SPDX-License-Identifier: Apache-2.0 */
/* cache_impl - what the files of cache share. */
#ifndef MICROVM_IMAGE_CACHE_IMPL_H
#define MICROVM_IMAGE_CACHE_IMPL_H

#include "vmm/image/cache.h"

/* cache_lock() - the file @name, made if it is not there, locked as @how (flock(2)) says.
 * Return: its descriptor, or -errno
 */
int cache_lock(const struct cache *c, const char *name, int how);
/* cache_each() - @fn for each name in the cache, in order, until one is not 0.  Return: that, or -errno in @e */
int cache_each(const struct cache *c, int (*fn)(void *ctx, const char *name), void *ctx,
	       struct err *e);
/* cache_empty() - remove the directory of an image, whole or not */
void cache_empty(const struct cache *c, const char *name);
/* cache_failed() - a sentence with a cure: @what could not be made or written.  Return: -@code */
int cache_failed(const struct cache *c, const char *what, int code, struct err *e);
/* cache_pull_prune() - remove the directory @name of cache_pull()'s, unless it is in use.  Return: did it go? */
bool cache_pull_prune(const struct cache *c, const char *name);
/* cache_blobs_prune() - remove the layers that no image in the cache has.  Return: 0, or -errno in @e */
int cache_blobs_prune(const struct cache *c, struct err *e);

#endif
