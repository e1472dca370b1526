/* SPDX-License-Identifier: Apache-2.0 */
/* merge_tree - the names of merge: a tree, and a table to find them by. */
#include "vmm/image/merge_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/core/util.h"

#define TABLE_FIRST 1024 /* a power of two */

static uint32_t hash_of(const struct merge_node *dir, const char *name, size_t len)
{
	uint64_t h = (uint64_t)(uintptr_t)dir * UINT64_C(0x9e3779b97f4a7c15);

	while (len--)
		h = (h ^ (uint8_t)*name++) * UINT64_C(0x100000001b3);
	return (uint32_t)(h ^ h >> 32);
}

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "no memory for the names of the image's files");
}

bool tree_is_dir(const struct merge_node *n)
{
	return S_ISDIR(n->object->mode);
}

struct merge_node *tree_find(const struct merge *m, const struct merge_node *dir,
			     const char *name, size_t len)
{
	uint32_t hash = hash_of(dir, name, len);
	struct merge_node *n = m->table[hash & (m->ntable - 1)];

	while (n && !(n->hash == hash && n->parent == dir && n->len == len &&
		      memcmp(n->name, name, len) == 0))
		n = n->chain;
	return n;
}

static void table_put(struct merge *m, struct merge_node *n)
{
	struct merge_node **at = &m->table[n->hash & (m->ntable - 1)];

	n->chain = *at;
	*at = n;
}

static int table_grow(struct merge *m, struct err *e)
{
	struct merge_node **old = m->table;
	size_t nold = m->ntable, want = nold ? nold * 2 : TABLE_FIRST;
	struct merge_node **more = calloc(want, sizeof(struct merge_node *));

	if (!more)
		return no_memory(e);
	m->table = more;
	m->ntable = want;
	for (size_t i = 0; i < nold; i++)
		for (struct merge_node *n = old[i], *next; n; n = next) {
			next = n->chain;
			table_put(m, n);
		}
	free(old);
	return 0;
}

void tree_touch(const struct merge *m, struct merge_node *n)
{
	for (; n && n->layer != m->layer; n = n->parent)
		n->layer = m->layer;
}

struct merge_node *tree_add(struct merge *m, struct merge_node *dir, const char *name,
			    size_t len, struct err *e)
{
	struct merge_node *n;

	if (m->nnode >= m->ntable && table_grow(m, e) < 0)
		return NULL;
	n = calloc(1, sizeof(*n) + len + 1);
	if (!n) {
		no_memory(e);
		return NULL;
	}
	memcpy(n->name, name, len);
	n->len = (uint16_t)len;
	n->layer = m->layer;
	n->parent = dir;
	if (dir) {
		tree_touch(m, dir);
		n->depth = (uint16_t)(dir->depth + 1);
		n->hash = hash_of(dir, name, len);
		n->next = dir->child;
		n->link = &dir->child;
		if (n->next)
			n->next->link = &n->next;
		dir->child = n;
		table_put(m, n);
		m->nnode++;
	}
	return n;
}

/* The writer may still write to an object that had bytes: it stays until the end */
static void object_drop(struct merge *m, struct squash_object *o)
{
	if (!o || --o->names)
		return;
	free(o->target);
	o->target = NULL;
	if (S_ISREG(o->mode)) {
		o->next = m->dead;
		m->dead = o;
	} else {
		free(o);
	}
}

static void node_free(struct merge *m, struct merge_node *n)
{
	struct merge_node **at = &m->table[n->hash & (m->ntable - 1)];

	while (*at != n)
		at = &(*at)->chain;
	*at = n->chain;
	*n->link = n->next;
	if (n->next)
		n->next->link = n->link;
	m->nnode--;
	object_drop(m, n->object);
	free(n);
}

/* Leaf by leaf, without a stack */
void tree_remove(struct merge *m, struct merge_node *n)
{
	const struct merge_node *top = n->parent;

	while (n != top) {
		struct merge_node *up = n->parent;

		if (n->child) {
			n = n->child;
		} else {
			node_free(m, n);
			n = up;
		}
	}
}

void tree_set(struct merge *m, struct merge_node *n, struct squash_object *o)
{
	struct squash_object *was = n->object;

	o->names++;
	n->object = o;
	object_drop(m, was);
}

struct squash_object *tree_object(const struct squash_object *like, struct err *e)
{
	struct squash_object *o = malloc(sizeof(*o));

	if (o) {
		*o = *like;
		o->target = like->target ? strdup(like->target) : NULL;
		o->inode = NULL;
		o->next = NULL;
		o->written = false;
		o->names = o->number = 0;
	}
	if (!o || (like->target && !o->target)) {
		free(o);
		no_memory(e);
		return NULL;
	}
	return o;
}

int merge_open(struct merge *m, struct err *e)
{
	const struct squash_object dir = {.mode = S_IFDIR | 0755,
					  .xattrs = SQUASH_NO_XATTRS};
	struct squash_object *o;

	*m = (struct merge){0};
	if (table_grow(m, e) < 0)
		return -e->code;
	m->root = tree_add(m, NULL, "", 0, e);
	o = m->root ? tree_object(&dir, e) : NULL;
	if (!o)
		return -e->code;
	tree_set(m, m->root, o);
	return 0;
}

static void object_free(struct squash_object *o)
{
	free(o->inode);
	free(o);
}

void merge_close(struct merge *m)
{
	while (m->root && m->root->child)
		tree_remove(m, m->root->child);
	while (m->dead) {
		struct squash_object *o = m->dead;

		m->dead = o->next;
		object_free(o);
	}
	if (m->root)
		free(m->root->object);
	free(m->root);
	free(m->table);
	*m = (struct merge){0};
}
