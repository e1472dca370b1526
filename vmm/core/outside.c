/* SPDX-License-Identifier: Apache-2.0 */
/* outside - the table of paths. */
#include "vmm/core/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/core/outside_impl.h"
#include "vmm/core/outside_wire.h"
#include "vmm/core/util.h"

struct slot outside_slots[OUTSIDE_SLOTS_MAX];
unsigned int outside_slots_end;

static int status_fd = -1; /* of outside_watch() */

const char *slot_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The directory of @path.  @links: those in it are followed, else it has none, as realpath(3)
 * returns it, and one that another user has put there meanwhile is refused (before Linux 5.6 it is
 * followed).  Return: a descriptor (O_PATH) or -errno
 */
static int slot_dir(const char *path, bool links)
{
	struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
			       .resolve = links ? 0 : RESOLVE_NO_SYMLINKS};
	size_t len = (size_t)(slot_base(path) - path);
	char dir[PATH_MAX] = ".";
	long fd;

	if (len >= sizeof(dir))
		return -ENAMETOOLONG;
	if (len) {
		memcpy(dir, path, len);
		dir[len] = '\0';
	}
	fd = syscall(SYS_openat2, AT_FDCWD, dir, &how, sizeof(how));
	if (fd < 0 && (errno == ENOSYS || errno == EPERM)) /* or a container's filter */
		fd = open(dir, (int)how.flags);
	return fd < 0 ? -errno : (int)fd;
}

/* @fd: of a directory, ours from now on, or -errno; of a helper, or -1 */
static int slot_new(enum slot_kind kind, const char *path, int fd, const struct stat *st)
{
	int rc = -ENOSPC;

	if (slot_has_dir(kind) && fd < 0)
		return fd;
	for (int i = 0; i < OUTSIDE_SLOTS_MAX; i++) {
		struct slot *s = &outside_slots[i];

		if (s->kind != SLOT_FREE)
			continue;
		*s = (struct slot){.path = strdup(path), .fd = fd, .like = -1};
		rc = s->path ? i : -ENOMEM;
		if (rc < 0)
			break;
		outside_slots_end = MAX(outside_slots_end, (unsigned int)i + 1);
		s->kind = kind;
		s->base = slot_base(s->path);
		if (st) {
			s->dev = st->st_dev;
			s->ino = st->st_ino;
			s->mode = st->st_mode & 0777;
		}
		return i;
	}
	if (slot_has_dir(kind))
		close(fd);
	return rc;
}

int outside_peer(const char *path)
{
	return slot_new(SLOT_PEER, path, -1, NULL);
}

int outside_ours(const char *path)
{
	struct stat st;
	int dir = slot_dir(path, true), rc;

	if (dir < 0)
		return dir;
	if (fstatat(dir, slot_base(path), &st, AT_SYMLINK_NOFOLLOW) == 0)
		return slot_new(SLOT_OURS, path, dir, &st);
	rc = -errno;
	close(dir);
	return rc;
}

static int slot_open(enum slot_kind kind, const char *path, int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0
		       ? -errno
		       : slot_new(kind, path, slot_dir(path, kind == SLOT_MADE), &st);
}

int outside_made(const char *path, int fd)
{
	return slot_open(SLOT_MADE, path, fd);
}

int outside_log(const char *path, int fd)
{
	return slot_open(SLOT_LOG, path, fd);
}

int outside_file(const char *path, const struct stat *older, int *fd)
{
	int nr = slot_new(SLOT_FILE, path, slot_dir(path, false), NULL);
	struct slot *s;

	if (nr < 0)
		return nr;
	s = &outside_slots[nr];
	*fd = s->like = replace_open(&s->first, s->fd, s->base, older, path);
	if (*fd >= 0)
		return nr;
	outside_drop(nr);
	return *fd;
}

int outside_helper(int pidfd)
{
	return slot_new(SLOT_HELPER, "", pidfd, NULL);
}

const char *outside_path(int nr)
{
	return nr < 0 ? NULL : outside_slots[nr].path;
}

/* The directory is the same one all the time: a user who may put another file there between the two
 * calls may as well remove that file
 */
int slot_remove(const struct slot *s)
{
	struct stat st;

	if (fstatat(s->fd, s->base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (st.st_dev != s->dev || st.st_ino != s->ino)
		return 0;
	return unlinkat(s->fd, s->base, 0) < 0 ? -errno : 0;
}

static void slot_drop(struct slot *s)
{
	if (s->kind == SLOT_OURS)
		(void)slot_remove(s);
	replace_drop(&s->first, s->fd);
	replace_drop(&s->again, s->fd);
}

void outside_drop(int nr)
{
	struct slot *s = nr < 0 ? NULL : &outside_slots[nr];

	if (!s || s->kind == SLOT_FREE)
		return;
	if (!outside_asks())
		slot_drop(s);
	if (s->heard || s->kind != SLOT_HELPER)
		cleanup_close_fd(&s->fd);
	free(s->path);
	*s = (struct slot){.kind = SLOT_FREE};
}

int outside_do(enum outside_verb verb, int nr, uint32_t arg)
{
	struct outside_question q = {.verb = verb, .slot = (uint32_t)nr, .arg = arg};
	int fd, rc = outside_asks() ? wire_ask(&q, &fd) : outside_serve(&q, &fd);

	return rc == 0 && fd >= 0 ? fd : rc;
}

/* ---- how much memory a process had ---- */

static int peak_rss_open(const char *name)
{
	return open(name, O_RDONLY | O_CLOEXEC);
}

void outside_watch(int pid)
{
	char name[48];

	cleanup_close_fd(&status_fd);
	(void)snprintf(name, sizeof(name), "/proc/%d/status", pid);
	status_fd = peak_rss_open(name);
}

int outside_peak_rss_kib(void)
{
	cleanup_close int own = -1;
	char text[4096];
	const char *line;
	long n;

	if (outside_asks())
		return MAX(outside_do(OUTSIDE_PEAK_RSS, 0, 0), 0);
	if (status_fd < 0)
		own = peak_rss_open("/proc/self/status");
	n = pread_full(MAX(status_fd, own), text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	line = strstr(text, "\nVmHWM:");
	return line ? (int)strtol(line + strlen("\nVmHWM:"), NULL, 10) : 0;
}
