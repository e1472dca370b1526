/* SPDX-License-Identifier: Apache-2.0 */
/* merge_impl - what the files of merge share: the tree itself. */
#ifndef MICROVM_IMAGE_MERGE_IMPL_H
#define MICROVM_IMAGE_MERGE_IMPL_H

#include "vmm/image/merge.h"

/* A name in a directory */
struct merge_node {
	struct merge_node *parent, *child, *next, **link; /* @link: what points here */
	struct merge_node *chain; /* of the same place in the table */
	struct squash_object *object;
	uint32_t hash;
	uint32_t layer; /* the last one that has something at this name or below it */
	uint16_t depth;
	uint16_t len;
	char name[];
};

/* tree_find() - the name of @len bytes in @dir.  Return: NULL, there is none */
struct merge_node *tree_find(const struct merge *m, const struct merge_node *dir,
			     const char *name, size_t len);
/* tree_touch() - this layer has something at @n or below it */
void tree_touch(const struct merge *m, struct merge_node *n);
/* tree_add() - a new name, without an object, that this layer has.  Return: NULL with @e */
struct merge_node *tree_add(struct merge *m, struct merge_node *dir, const char *name,
			    size_t len, struct err *e);
/* tree_remove() - a name and all below it */
void tree_remove(struct merge *m, struct merge_node *n);
/* tree_set() - @n leads to @o, which has one more name; and no longer to what it was */
void tree_set(struct merge *m, struct merge_node *n, struct squash_object *o);
/* tree_object() - a new one like @like.  Return: NULL with @e */
struct squash_object *tree_object(const struct squash_object *like, struct err *e);
bool tree_is_dir(const struct merge_node *n);

/* path_last() - the last part of @path but "." and "/"; *@len 0: there is none.
 * Return: 0; -errno in @e: there is a ".." anywhere in it, or the part is too long
 */
int path_last(const char *path, const char **name, size_t *len, struct err *e);

/* path_parent() - the directory of the last part of @path, which is in *@name and *@len, all links before
 * it followed; it is made if it is not there. *@len 0: the root itself.
 * Return: NULL with @e
 */
struct merge_node *path_parent(struct merge *m, const char *path, bool make,
			       const char **name, size_t *len, struct err *e);

#endif
