/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job_copier - the copier: it unpacks what a guest sends, and puts it in place.
 *
 * What it makes it makes itself, as this user, from bytes: set-user-ID bits, device nodes, owners,
 * access lists and hard links of a guest's cannot reach the host, because the archive has no words for
 * them.  It runs under a filter (vmm/jail/filter_rules_copier.c).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest-images/agent/tree.h"
#include "vmm/core/util.h"
#include "vmm/job/job_copy.h"

/* ---- what did not become whole is removed ---- */

/* Directories that are being emptied, from the outermost: tree_unpack() makes no deeper ones */
static struct removal {
	DIR *dir[TREE_DEPTH + 1];
	char name[TREE_DEPTH + 1][TREE_NAME];
	unsigned int depth;
} removal;

/* Return: is @name a directory, which is then being emptied? */
static bool remove_into(int at, const char *name)
{
	struct removal *r = &removal;
	int fd;

	if (r->depth > TREE_DEPTH)
		return false;
	/* tree_unpack() makes none that we may not read; @name's mode could be that of a link's end */
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		(void)fchmod(fd, 0700);
	r->dir[r->depth] = fd < 0 ? NULL : fdopendir(fd);
	if (!r->dir[r->depth]) {
		cleanup_close_fd(&fd);
		return false;
	}
	(void)snprintf(r->name[r->depth++], TREE_NAME, "%s", name);
	return true;
}

static void remove_one(int at, const char *name)
{
	if (unlinkat(at, name, 0) < 0 && (errno == EISDIR || errno == EPERM))
		(void)remove_into(at, name);
}

static void remove_tree(int at, const char *name)
{
	struct removal *r = &removal;

	remove_one(at, name);
	while (r->depth) {
		DIR *dir = r->dir[r->depth - 1];
		struct dirent *de = readdir(dir);

		if (!de) {
			(void)closedir(dir);
			r->depth--;
			(void)unlinkat(r->depth ? dirfd(r->dir[r->depth - 1]) : at,
				       r->name[r->depth], AT_REMOVEDIR);
		} else if (strcmp(de->d_name, ".") != 0 &&
			   strcmp(de->d_name, "..") != 0) {
			remove_one(dirfd(dir), de->d_name);
		}
	}
}

/* ---- trees ---- */

/* The first that failed whole, the others as far as there is room */
static void say(char why[AGENT_SENTENCE + 1], const struct job_place *p, const char *said)
{
	size_t n = strlen(why);

	if (n)
		(void)snprintf(why + n, AGENT_SENTENCE + 1 - n, "; %.60s: %.100s", p->src,
			       said);
	else
		(void)snprintf(why, AGENT_SENTENCE + 1,
			       "--copy-out %.100s:%.100s: %.180s", p->src, p->dst, said);
}

static bool put(const struct job_place *p, struct tree_reader *t, mode_t mask,
		char why[AGENT_SENTENCE + 1])
{
	char said[AGENT_SENTENCE + 1] = "";
	bool ok = tree_unpack(t, p->dir, p->tmp, mask, said);
	size_t n;

	if (ok && renameat(p->dir, p->tmp, p->dir, p->name) < 0) {
		ok = false;
		(void)tree_failed(said, "it cannot become %.100s: %s; move that away",
				  p->name, strerror(errno));
	}
	if (ok)
		return true;
	n = strlen(said);
	if (t->full)
		(void)snprintf(said + n, sizeof(said) - n,
			       "; give more: --copy-out-limit");
	remove_tree(p->dir, p->tmp);
	say(why, p, said);
	return false;
}

void job_copier_serve(const struct job_copier *p, int in, int out)
{
	static struct tree_reader t;
	char why[AGENT_SENTENCE + 1] = "";
	unsigned int n = 0;
	int rc;

	t = (struct tree_reader){
		.fd = in, .left = UINT64_MAX, .most = p->most, .solid = p->solid};
	while ((rc = tree_next(&t)) == 1 && n < p->n)
		(void)put(&p->place[n++], &t, p->mask, why);
	if (rc || n < p->n)
		(void)(*why ||
		       tree_failed(why, "--copy-out: not all of it came: what "
					"packs it in the guest was ended, or has no "
					"memory"));
	(void)write_full(out, why, strlen(why) + 1);
}
