/* SPDX-License-Identifier: Apache-2.0 */
/* command_save - see command_save.h. */
#include "vmm/command_save.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/control/ctl.h"
#include "vmm/core/signals.h"
#include "vmm/core/util.h"
#include "vmm/snapshot/snapshot.h"

struct save {
	char tmp[PATH_MAX]; /* it is written there; "": not made */
	const char *path;
	int dir, state, memory;
	bool said; /* how far it is */
};

static int save_begin(struct save *s, struct err *e)
{
	size_t n = strlen(s->path);

	while (n > 1 && s->path[n - 1] == '/')
		n--;
	if (access(s->path, F_OK) == 0)
		return err_set(e, EEXIST, "%.200s is there; give another directory",
			       s->path);
	if (snprintf(s->tmp, sizeof(s->tmp), "%.*s.XXXXXX", (int)MIN(n, (size_t)PATH_MAX),
		     s->path) >= (int)sizeof(s->tmp))
		return err_set(e, ENAMETOOLONG, "%.100s: too long", s->path);
	if (mkdtemp(s->tmp))
		return 0;
	s->tmp[0] = '\0';
	return err_set(e, errno, "cannot make a directory beside %.200s: %s", s->path,
		       strerror(errno));
}

static int save_file(const struct save *s, const char *name, struct err *e)
{
	int fd = openat(s->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd < 0 ? err_set(e, errno, "cannot make %.200s/%s: %s", s->tmp, name,
				strerror(errno))
		      : fd;
}

static int save_open(struct save *s, struct err *e)
{
	s->dir = open(s->tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0)
		return err_set(e, errno, "%.200s: %s", s->tmp, strerror(errno));
	s->state = save_file(s, SNAPSHOT_STATE, e);
	s->memory = s->state < 0 ? -1 : save_file(s, SNAPSHOT_MEMORY, e);
	return s->memory < 0 ? -e->code : 0;
}

/* How much there will be only the machine knows */
static void save_look(void *ctx)
{
	struct save *s = ctx;
	struct stat st;

	if (!isatty(STDERR_FILENO) || fstat(s->memory, &st) < 0)
		return;
	s->said = true;
	(void)fprintf(stderr, "\r%llu MiB of memory are saved ",
		      (unsigned long long)st.st_blocks * 512 / MIB);
}

/* Both files are on stable storage; so is the name that they get, under which nothing is yet */
static int save_name(const struct save *s, struct err *e)
{
	int rc = fsync(s->dir);

	if (rc == 0)
		rc = renameat2(AT_FDCWD, s->tmp, AT_FDCWD, s->path, RENAME_NOREPLACE);
	if (rc < 0 && errno == EINVAL) /* a file system that cannot say so, like NFS */
		rc = rename(s->tmp, s->path);
	if (rc < 0)
		return err_set(e, errno, "%.200s: %s", s->path, strerror(errno));
	return 0;
}

static void save_sync_parent(const char *path)
{
	char parent[PATH_MAX];
	cleanup_close int fd = -1;

	if (snprintf(parent, sizeof(parent), "%s/..", path) >= (int)sizeof(parent))
		return;
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		(void)fsync(fd);
}

static void save_remove(const struct save *s)
{
	if (!s->tmp[0])
		return;
	if (s->dir >= 0) {
		(void)unlinkat(s->dir, SNAPSHOT_STATE, 0);
		(void)unlinkat(s->dir, SNAPSHOT_MEMORY, 0);
	}
	(void)rmdir(s->tmp);
}

json_t *command_save(const char *socket, const char *path, struct err *e)
{
	struct save s = {.path = path, .dir = -1, .state = -1, .memory = -1};
	struct ctl_patience patience = {save_look, &s};
	json_t *result = NULL;

	signals_hold();
	if (save_begin(&s, e) == 0 && save_open(&s, e) == 0)
		result = ctl_ask(socket, json_pack("{ss}", "command", "save"),
				 (int[]){s.state, s.memory}, 2, &patience, e);
	if (s.said)
		(void)fprintf(stderr, "\r\033[K");
	if (result && save_name(&s, e) < 0) {
		json_decref(result);
		result = NULL;
	}
	if (result)
		save_sync_parent(path);
	else
		save_remove(&s);
	cleanup_close_fd(&s.dir);
	cleanup_close_fd(&s.state);
	cleanup_close_fd(&s.memory);
	return result;
}
