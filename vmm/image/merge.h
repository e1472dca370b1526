/* SPDX-License-Identifier: Apache-2.0 */
/*
 * merge - the tree that an image's layers make, one over the other (OCI's image-spec, Image Layer Filesystem Changeset).
 *
 * Names are in memory, files' bytes are in the file of squash.  An entry is put where its path leads in
 * the tree, as it would in a root: links on the way are followed and never lead out of it.  What a layer
 * whites out is what layers below it have, wherever in the layer that is said.
 */
#ifndef MICROVM_IMAGE_MERGE_H
#define MICROVM_IMAGE_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/core/err.h"
#include "vmm/image/squash.h"

#define MERGE_NAME    255
#define MERGE_PATH    4095
#define MERGE_DEPTH   256
#define MERGE_ENTRIES 2000000U /* of all layers together */

struct merge_node;

struct merge {
	struct merge_node *root;
	struct merge_node **table; /* by parent and name */
	size_t nnode, ntable;
	struct squash_object
		*dead;  /* no name leads to them, but the writer still knows them */
	uint32_t layer; /* from 1 */
	uint32_t entries;
	uint32_t numbered; /* of objects, while they are written */
};

/* An entry of a layer's tar. A file's bytes follow it */
struct merge_entry {
	const char *path;
	const char *link;            /* of a hard link, where it leads; else NULL */
	struct squash_object object; /* its target is copied */
};

/* merge_open() - an empty tree.  Return: 0; -ENOMEM in @e; merge_close() in either case, after
 * squash_close()
 */
int merge_open(struct merge *m, struct err *e);
void merge_close(struct merge *m);
/* merge_layer() - the next layer begins */
void merge_layer(struct merge *m);
/* merge_entry() - put @entry in its place.  *@made: the object that a file's bytes are of; NULL: the
 * entry has none, it removes or links.  Return: 0; -errno in @e, and the image cannot be used
 */
int merge_entry(struct merge *m, const struct merge_entry *entry,
		struct squash_object **made, struct err *e);
/* merge_dir() - @path is to be a directory, if there is nothing.  Return: likewise */
int merge_dir(struct merge *m, const char *path, struct err *e);
/* merge_write() - number all, and write the tables.  Return: likewise */
int merge_write(struct merge *m, struct squash *s, struct err *e);

#endif
