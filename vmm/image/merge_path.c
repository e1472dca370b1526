/* SPDX-License-Identifier: Apache-2.0 */
/* merge_path - where a path leads in the tree, as it would below a root of its own. */
#include "vmm/image/merge_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/core/util.h"

#define PATH_LINKS 40 /* as the kernel has it */

/* The way that is left */
struct way {
	char text[2 * (MERGE_PATH + 1)];
	char *p;
	unsigned int links;
};

static bool part_is(const char *part, size_t len, const char *name)
{
	return len == strlen(name) && memcmp(part, name, len) == 0;
}

/* A link on the way: its target comes before what is left */
static int way_link(struct way *w, const char *target, struct err *e)
{
	char rest[sizeof(w->text)];
	int n = snprintf(rest, sizeof(rest), "%s/%s", target, w->p);

	if (++w->links > PATH_LINKS)
		return err_set(e, ELOOP, "there are more than %d links on the way",
			       PATH_LINKS);
	if (n < 0 || (size_t)n >= sizeof(rest))
		return err_set(e, ENAMETOOLONG, "its path is too long");
	memcpy(w->text, rest, (size_t)n + 1);
	w->p = w->text;
	return 0;
}

static struct merge_node *way_make(struct merge *m, struct merge_node *dir,
				   const char *part, size_t len, struct err *e)
{
	const struct squash_object like = {.mode = S_IFDIR | 0755,
					   .xattrs = SQUASH_NO_XATTRS};
	struct squash_object *o = tree_object(&like, e);
	struct merge_node *n = o ? tree_add(m, dir, part, len, e) : NULL;

	if (n)
		tree_set(m, n, o);
	else
		free(o);
	return n;
}

/* One part of the way, from @dir.  Return: where it leads; NULL with @e */
static struct merge_node *way_step(struct merge *m, struct way *w, struct merge_node *dir,
				   const char *part, size_t len, bool make, struct err *e)
{
	struct merge_node *n;

	if (part_is(part, len, "."))
		return dir;
	if (part_is(part, len, "..")) /* of a link: a root has no other side */
		return dir->parent ? dir->parent : dir;
	n = tree_find(m, dir, part, len);
	if (!n && make && len <= MERGE_NAME && dir->depth < MERGE_DEPTH)
		return way_make(m, dir, part, len, e);
	if (!n) {
		err_set(e, make ? ENAMETOOLONG : ENOENT, "%s",
			make ? "its path is too long or too deep" : "it is not there");
		return NULL;
	}
	if (S_ISLNK(n->object->mode)) {
		const char *to = n->object->target;

		if (way_link(w, to, e) < 0)
			return NULL;
		return *to == '/' ? m->root : dir;
	}
	if (tree_is_dir(n))
		return n;
	err_set(e, ENOTDIR, "something on the way is no directory");
	return NULL;
}

int path_last(const char *path, const char **name, size_t *len, struct err *e)
{
	*name = path;
	*len = 0;
	while (*path) {
		size_t n;

		path += strspn(path, "/");
		n = strcspn(path, "/");
		if (part_is(path, n, ".."))
			return err_set(e, EINVAL, "it has a \"..\" in it");
		if (n && !part_is(path, n, ".")) {
			*name = path;
			*len = n;
		}
		path += n;
	}
	if (*len > MERGE_NAME)
		return err_set(e, ENAMETOOLONG, "its name is longer than %d bytes",
			       MERGE_NAME);
	return 0;
}

struct merge_node *path_parent(struct merge *m, const char *path, bool make,
			       const char **name, size_t *len, struct err *e)
{
	struct merge_node *dir = m->root;
	struct way w = {.p = w.text};

	if (strlen(path) > MERGE_PATH) {
		err_set(e, ENAMETOOLONG, "its path is longer than %d bytes", MERGE_PATH);
		return NULL;
	}
	if (path_last(path, name, len, e) < 0)
		return NULL;
	memcpy(w.text, path, (size_t)(*name - path));
	w.text[*name - path] = '\0';
	while (dir && *w.p) {
		char part[MERGE_PATH + 1];
		size_t n;

		w.p += strspn(w.p, "/");
		n = strcspn(w.p, "/");
		if (!n)
			break;
		if (n > MERGE_PATH) {
			err_set(e, ENAMETOOLONG, "its path is too long");
			return NULL;
		}
		memcpy(part, w.p, n); /* a link writes over what is left */
		w.p += n;
		dir = way_step(m, &w, dir, part, n, make, e);
	}
	return dir;
}
