/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-images/agent/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest-images/agent/root.h"
#include "guest-images/agent/tree.h"

static int cannot(char *why, const char *path)
{
	if (!*why)
		(void)sentence(why, "--copy-in: %.200s: %s", path, strerror(errno));
	return -1;
}

/*
 * The directory that a tree goes to, as docker cp has it: a directory that is there, or is written as
 * one ("DST/"), gets it under its own name; else DST is its new name.  @name, the tree's own, becomes
 * what it is called there.
 */
static int copy_place(const char *dst, char name[TREE_NAME], char why[AGENT_SENTENCE + 1])
{
	size_t len = strlen(dst);
	char dir[TREE_TARGET];
	struct stat st;
	int fd;

	(void)snprintf(dir, sizeof(dir), "%s", dst);
	if (*name && dst[len - 1] != '/' &&
	    (stat(dst, &st) < 0 || !S_ISDIR(st.st_mode))) {
		tree_base(dst, name);
		*strrchr(dir, '/') = '\0';
	}
	if (*dir && !root_make_dir(dir, why))
		return cannot(why, dir);
	fd = open(*dir ? dir : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? cannot(why, dir) : fd;
}

bool copy_in(int fd, uint64_t size, char why[AGENT_SENTENCE + 1])
{
	static struct tree_reader t;
	char said[AGENT_SENTENCE + 1], name[TREE_NAME], dst[TREE_TARGET];
	int rc, dir;
	bool ok;

	t.fd = fd;
	t.left = size;
	while ((rc = tree_next(&t)) == 1) {
		strcpy(name, t.name);
		strcpy(dst, t.target);
		dir = *dst == '/' ? copy_place(dst, name, why) : -1;
		if (dir < 0)
			return false;
		ok = tree_unpack(&t, dir, name, 0, said);
		close(dir);
		if (!ok)
			return sentence(why, "--copy-in: %.150s cannot be made: %.180s%s",
					dst, said,
					strstr(said, strerror(ENOSPC))
						? "; give more by --memory or --scratch"
						: "; give another DST");
	}
	return rc == 0 || sentence(why, "--copy-in: what microvm packed came cut");
}

bool copy_out(struct copy *c, char *const *src, unsigned int n)
{
	static struct tree_writer w;
	char why[AGENT_SENTENCE + 1];
	int fds[2];

	c->begun = true;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return false;
	(void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
	(void)fcntl(fds[1], F_SETPIPE_SZ, AGENT_WINDOW);
	c->pid = fork();
	if (c->pid == 0) {
		w.fd = fds[1];
		if (chroot(AGENT_ROOT) < 0 || chdir("/") < 0)
			_exit(1);
		for (unsigned int i = 0; i < n && !w.error; i++)
			(void)tree_pack(&w, src[i], "", why); /* and says why not in it */
		_exit(tree_end(&w) < 0);
	}
	close(fds[1]);
	if (c->pid > 0) {
		c->fd = fds[0];
		return true;
	}
	c->pid = 0;
	close(fds[0]);
	return false;
}
