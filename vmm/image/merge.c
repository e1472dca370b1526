/* SPDX-License-Identifier: Apache-2.0 */
/* merge - an entry of a layer takes its place, or makes another go. */
#include "vmm/image/merge_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/core/util.h"

#define WHITEOUT ".wh."
#define OPAQUE   ".wh..wh..opq"
#define OTHERS   ".wh..wh." /* what aufs kept for itself */

void merge_layer(struct merge *m)
{
	m->layer++;
}

/* All of it that layers below have goes: what this one put there stays, and what that is in */
static void prune(struct merge *m, struct merge_node *n)
{
	if (n->layer < m->layer) {
		tree_remove(m, n);
		return;
	}
	for (struct merge_node *c = n->child, *next; c; c = next) {
		next = c->next;
		prune(m, c);
	}
}

static bool begins(const char *name, size_t len, const char *with)
{
	return len >= strlen(with) && memcmp(name, with, strlen(with)) == 0;
}

/* @dir: where the whiteout is */
static int white_out(struct merge *m, struct merge_node *dir, const char *name,
		     size_t len, struct err *e)
{
	struct merge_node *n;

	if (len == strlen(OPAQUE) && begins(name, len, OPAQUE)) {
		for (struct merge_node *c = dir->child, *next; c; c = next) {
			next = c->next;
			prune(m, c);
		}
		return 0;
	}
	if (begins(name, len, OTHERS))
		return 0;
	name += strlen(WHITEOUT);
	len -= strlen(WHITEOUT);
	if (!len || (len == 1 && *name == '.') || (len == 2 && !memcmp(name, "..", 2)))
		return err_set(e, EINVAL, "it is a whiteout of nothing");
	n = tree_find(m, dir, name, len);
	if (n)
		prune(m, n);
	return 0;
}

static int put_white_out(struct merge *m, const char *path, struct err *e)
{
	const char *name;
	size_t len;
	struct merge_node *dir = path_parent(m, path, false, &name, &len, e);

	if (!dir) /* what is not there needs none */
		return e->code == ENOENT || e->code == ENOTDIR ? 0 : -e->code;
	return white_out(m, dir, name, len, e);
}

/* The object that a hard link leads to.  Return: NULL with @e */
static struct squash_object *link_target(struct merge *m, const char *link, struct err *e)
{
	const char *name;
	size_t len;
	struct merge_node *dir = path_parent(m, link, false, &name, &len, e);
	struct merge_node *n = dir && len ? tree_find(m, dir, name, len) : NULL;

	if (n && !tree_is_dir(n))
		return n->object;
	if (!dir && e->code != ENOENT)
		return NULL;
	if (n || (dir && !len))
		err_set(e, EISDIR, "it is a hard link to %.100s, a directory", link);
	else
		err_set(e, ENOENT, "it is a hard link to %.100s, which is not there",
			link);
	return NULL;
}

/* @name in @dir is @o from now on; what is not a directory, or becomes none, goes with all below it */
static int put(struct merge *m, struct merge_node *dir, const char *name, size_t len,
	       struct squash_object *o, struct err *e)
{
	struct merge_node *n = len ? tree_find(m, dir, name, len) : dir;

	if (!len && !S_ISDIR(o->mode))
		return err_set(e, ENOTDIR, "the root is to be no directory");
	if (n && n->object == o)
		return 0;
	if (n && !(tree_is_dir(n) && S_ISDIR(o->mode))) {
		o->names++; /* it may have been below, or have no other name */
		tree_remove(m, n);
		o->names--;
		n = NULL;
	}
	if (!n && dir->depth >= MERGE_DEPTH)
		return err_set(e, ENAMETOOLONG, "it is more than %d directories deep",
			       MERGE_DEPTH);
	if (!n)
		n = tree_add(m, dir, name, len, e);
	if (!n)
		return -e->code;
	tree_set(m, n, o);
	tree_touch(m, n);
	return 0;
}

static int put_entry(struct merge *m, const struct merge_entry *entry,
		     struct squash_object **made, struct err *e)
{
	struct squash_object *o = NULL;
	struct merge_node *dir;
	const char *name;
	size_t len;
	int rc;

	dir = path_parent(m, entry->path, true, &name, &len, e);
	if (!dir)
		return -e->code;
	o = entry->link ? link_target(m, entry->link, e) : tree_object(&entry->object, e);
	if (!o)
		return -e->code;
	rc = put(m, dir, name, len, o, e);
	if (rc < 0 && !entry->link) {
		free(o->target);
		free(o);
	}
	if (rc == 0 && !entry->link && S_ISREG(o->mode))
		*made = o;
	return rc;
}

int merge_entry(struct merge *m, const struct merge_entry *entry,
		struct squash_object **made, struct err *e)
{
	const char *last;
	size_t len;
	int rc;

	*made = NULL;
	e->code = 0;
	if (++m->entries > MERGE_ENTRIES)
		return err_set(e, E2BIG,
			       "the image has more than %u files, the most that "
			       "is taken",
			       MERGE_ENTRIES);
	/* one with a slash at its end is one as well */
	rc = path_last(entry->path, &last, &len, e);
	if (rc == 0 && begins(last, len, WHITEOUT))
		rc = put_white_out(m, entry->path, e);
	else if (rc == 0)
		rc = put_entry(m, entry, made, e);
	return rc < 0 ? err_wrap(e, "%.200s", entry->path) : 0;
}

int merge_dir(struct merge *m, const char *path, struct err *e)
{
	char deeper[MERGE_PATH + 3];
	const char *name;
	size_t len;

	if (strlen(path) > MERGE_PATH)
		return err_set(e, ENAMETOOLONG, "%.60s: its path is too long", path);
	(void)snprintf(deeper, sizeof(deeper), "%s/x", path);
	return path_parent(m, deeper, true, &name, &len, e) ? 0
							    : err_wrap(e, "%.200s", path);
}
