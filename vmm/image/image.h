/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image - an image that a word names, as a squashfs in the cache: found there, or imported.
 *
 * What is read of it, its config's JSON included, is read by a process that is locked up
 * (importer.h).
 */
#ifndef MICROVM_IMAGE_IMAGE_H
#define MICROVM_IMAGE_IMAGE_H

#include <stdbool.h>

#include "vmm/core/err.h"
#include "vmm/image/cache.h"
#include "vmm/image/importer.h"
#include "vmm/image/reference.h"

/* How images are imported */
struct image_how {
	importer_lock *lock; /* NULL: the importer is not locked up */
	void *lock_ctx;
	bool quiet; /* no line about how far it is, and no warning */
	bool again; /* a registry is asked even for a name that the cache has */
	int in;     /* where "-" is read from; -1: nowhere */
};

/* image_find() - the image that @r is, in the cache, open and locked as long as @i is; it is imported if
 * it is not there.  @word: @r as it was written.  There is one thread, and signals end it.
 * Return: 0, or -errno in @e; cached_close() in either case
 */
int image_find(struct cached *i, const struct cache *c, const struct reference *r,
	       const char *word, const struct image_how *how, struct err *e);

/* image_key() - of the image that the local @r is, in the cache or not.  Return: likewise */
int image_key(const struct reference *r, const struct image_how *how, char key[CACHE_KEY],
	      struct err *e);

#endif
