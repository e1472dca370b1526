/* SPDX-License-Identifier: Apache-2.0 */
/* merge_write - the tree goes into the image: directories after all that is in them. */
#include "vmm/image/merge_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/core/sort.h"
#include "vmm/core/util.h"

static int by_name(const void *a, const void *b)
{
	const struct merge_node *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* The names of @dir in the order of a directory of squashfs */
static int sort(struct merge_node *dir, struct err *e)
{
	cleanup_free struct merge_node **all = NULL;
	size_t n = 0;

	for (struct merge_node *c = dir->child; c; c = c->next)
		n++;
	all = calloc(n + 1, sizeof(struct merge_node *));
	if (!all)
		return err_set(e, ENOMEM, "no memory for the names of the image's files");
	n = 0;
	for (struct merge_node *c = dir->child; c; c = c->next)
		all[n++] = c;
	sort_in_place(all, n, sizeof(struct merge_node *), by_name);
	for (size_t i = 0; i < n; i++) {
		all[i]->next = all[i + 1];
		all[i]->link = i ? &all[i - 1]->next : &dir->child;
	}
	dir->child = all[0];
	return 0;
}

/* A directory has to know its parent's number before that is written */
static int number(struct merge *m, struct merge_node *n, struct err *e)
{
	if (sort(n, e) < 0)
		return -e->code;
	for (struct merge_node *c = n->child; c; c = c->next)
		if (tree_is_dir(c) && number(m, c, e) < 0)
			return -e->code;
		else if (!c->object->number)
			c->object->number = ++m->numbered;
	if (!n->parent)
		n->object->number = ++m->numbered;
	return 0;
}

static int write_dir(struct merge *m, struct squash *s, struct merge_node *dir,
		     struct err *e)
{
	uint32_t links = 2,
		 above = dir->parent ? dir->parent->object->number : m->numbered + 1;
	int rc = 0;

	for (struct merge_node *c = dir->child; rc == 0 && c; c = c->next) {
		struct squash_object *o = c->object;

		links += tree_is_dir(c);
		if (tree_is_dir(c))
			rc = write_dir(m, s, c, e);
		else if (!o->written)
			rc = squash_inode(s, o, o->number, e);
		o->written = true;
	}
	if (rc == 0)
		rc = squash_dir_begin(s, e);
	for (struct merge_node *c = dir->child; rc == 0 && c; c = c->next)
		rc = squash_dir_add(s, c->name, c->object, e);
	return rc < 0 ? rc
		      : squash_dir_end(s, dir->object, dir->object->number, links, above,
				       e);
}

int merge_write(struct merge *m, struct squash *s, struct err *e)
{
	int rc = number(m, m->root, e);

	if (rc == 0)
		rc = squash_tables(s, e);
	if (rc == 0)
		rc = write_dir(m, s, m->root, e);
	return rc < 0 ? rc : squash_finish(s, m->root->object, m->numbered, e);
}
