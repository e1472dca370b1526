/* SPDX-License-Identifier: Apache-2.0 */
/* outside - the table of paths, and what is done for a slot of it. */
#include "vmm/core/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/core/outside_wire.h"
#include "vmm/core/replace.h"
#include "vmm/core/unix_socket.h"
#include "vmm/core/util.h"

enum slot_kind {
	SLOT_FREE,
	SLOT_PEER,
	SLOT_SOCKET,
	SLOT_MADE,
	SLOT_LOG,
	SLOT_FILE,
	SLOT_HELPER
};

/* As the other process is told of it */
struct slot_told {
	uint32_t slot, kind;
	uint64_t dev, ino;
	uint32_t mode, unused;
	char path[PATH_MAX]; /* as much of it as is needed */
};
_Static_assert(sizeof(struct slot_told) <= OUTSIDE_TELL_MAX, "room for one");

static struct slot {
	enum slot_kind kind;
	char *path;
	dev_t dev; /* of a socket, a log, what we made: which file is ours */
	ino_t ino;
	mode_t mode; /* of a log's files */
	struct replace first, again;
	int pidfd; /* of a helper */
	bool both; /* the process that is asked has it from before we parted */
	bool heard;
} slots[OUTSIDE_SLOTS_MAX];

static int slots_wire = -1; /* of outside_part() */

/* ---- the table ---- */

static int slot_new(enum slot_kind kind, const char *path, const struct stat *st)
{
	for (int i = 0; i < OUTSIDE_SLOTS_MAX; i++) {
		struct slot *s = &slots[i];

		if (s->kind != SLOT_FREE)
			continue;
		*s = (struct slot){.kind = kind, .path = strdup(path), .pidfd = -1};
		if (!s->path) {
			s->kind = SLOT_FREE;
			return -ENOMEM;
		}
		if (st) {
			s->dev = st->st_dev;
			s->ino = st->st_ino;
			s->mode = st->st_mode & 0777;
		}
		return i;
	}
	return -ENOSPC;
}

static struct slot *slot_of(uint32_t nr, enum slot_kind kind)
{
	return nr < OUTSIDE_SLOTS_MAX && slots[nr].kind == kind ? &slots[nr] : NULL;
}

int outside_peer(const char *path)
{
	return slot_new(SLOT_PEER, path, NULL);
}

int outside_socket(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? -errno : slot_new(SLOT_SOCKET, path, &st);
}

static int slot_open(enum slot_kind kind, const char *path, int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? -errno : slot_new(kind, path, &st);
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
	int nr = slot_new(SLOT_FILE, path, NULL);

	if (nr < 0)
		return nr;
	*fd = replace_open(&slots[nr].first, path, older);
	if (*fd >= 0)
		return nr;
	outside_drop(nr);
	return *fd;
}

int outside_helper(int pidfd)
{
	int nr = slot_new(SLOT_HELPER, "", NULL);

	if (nr >= 0)
		slots[nr].pidfd = pidfd;
	return nr;
}

const char *outside_path(int nr)
{
	return nr < 0 ? NULL : slots[nr].path;
}

/* Does @s's path still lead to the file that is ours? */
static bool slot_is_there(const struct slot *s)
{
	struct stat st;

	return lstat(s->path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino;
}

static int slot_remove(const struct slot *s)
{
	return slot_is_there(s) && unlink(s->path) < 0 ? -errno : 0;
}

static void slot_drop(struct slot *s)
{
	if (s->kind == SLOT_SOCKET)
		(void)slot_remove(s);
	replace_drop(&s->first);
	replace_drop(&s->again);
}

void outside_drop(int nr)
{
	struct slot *s = nr < 0 ? NULL : &slots[nr];

	if (!s || s->kind == SLOT_FREE)
		return;
	if (!outside_asks())
		slot_drop(s);
	if (s->heard)
		cleanup_close_fd(&s->pidfd);
	free(s->path);
	*s = (struct slot){.kind = SLOT_FREE};
}

void outside_drop_heard(void)
{
	for (int i = 0; i < OUTSIDE_SLOTS_MAX; i++)
		if (slots[i].heard)
			outside_drop(i);
}

/* ---- what can be asked for ---- */

static int slot_connect(const struct slot *s, uint32_t port)
{
	char path[PATH_MAX + 16];

	if (port == OUTSIDE_NO_PORT)
		return unix_connect(s->path);
	(void)snprintf(path, sizeof(path), "%s_%u", s->path, port);
	return unix_connect(path);
}

/* The file under our name, if it is still ours, becomes PATH.1 */
static int slot_put_aside(const struct slot *s, int dir, const char *base)
{
	char old[NAME_MAX + 3];
	struct stat named;

	if (fstatat(dir, base, &named, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno; /* it was moved already */
	if (named.st_dev != s->dev || named.st_ino != s->ino)
		return 0;
	(void)snprintf(old, sizeof(old), "%s.1", base);
	return renameat(dir, base, dir, old) < 0 ? -errno : 0;
}

static int slot_anew(struct slot *s)
{
	const int flags = O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC |
			  O_CREAT | O_NOFOLLOW;
	struct stat st;
	const char *base;
	cleanup_close int dir = replace_dir(s->path, &base);
	int fd, rc = dir < 0 ? dir : slot_put_aside(s, dir, base);

	if (rc < 0)
		return rc;
	fd = openat(dir, base, flags, s->mode);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EEXIST;
	}
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	return fd;
}

/* Like the first one, which is like the older file was */
static int slot_rewrite(struct slot *s)
{
	struct stat like;
	bool is = (s->first.tmp && stat(s->first.tmp, &like) == 0) ||
		  stat(s->path, &like) == 0;

	replace_drop(&s->again);
	return replace_open(&s->again, s->path, is ? &like : NULL);
}

static int slot_put(struct slot *s, bool again)
{
	struct replace *r = again ? &s->again : &s->first;

	return r->tmp ? replace_put(r, s->path) : -EINVAL;
}

static int slot_end(const struct slot *s, bool now)
{
	int sig = now ? SIGKILL : SIGTERM;

	return syscall(SYS_pidfd_send_signal, s->pidfd, sig, NULL, 0) < 0 ? -errno : 0;
}

int outside_serve(const struct outside_question *q, int *fd)
{
	struct slot *s;
	int rc = -EINVAL;

	*fd = -1;
	switch (q->verb) {
	case OUTSIDE_CONNECT:
		s = slot_of(q->slot, SLOT_PEER);
		rc = s ? slot_connect(s, q->arg) : rc;
		break;
	case OUTSIDE_ANEW:
		s = slot_of(q->slot, SLOT_LOG);
		rc = s ? slot_anew(s) : rc;
		break;
	case OUTSIDE_REWRITE:
		s = slot_of(q->slot, SLOT_FILE);
		rc = s ? slot_rewrite(s) : rc;
		break;
	case OUTSIDE_PUT:
		s = slot_of(q->slot, SLOT_FILE);
		return s ? slot_put(s, q->arg != 0) : rc;
	case OUTSIDE_REMOVE:
		s = slot_of(q->slot, SLOT_MADE);
		return s ? slot_remove(s) : rc;
	case OUTSIDE_END:
		s = slot_of(q->slot, SLOT_HELPER);
		return s ? slot_end(s, q->arg != 0) : rc;
	default:
		return -ENOSYS;
	}
	*fd = MAX(rc, -1);
	return MIN(rc, 0);
}

int outside_do(enum outside_verb verb, int nr, uint32_t arg)
{
	struct outside_question q = {.verb = verb, .slot = (uint32_t)nr, .arg = arg};
	int fd, rc = outside_asks() ? wire_ask(&q, &fd) : outside_serve(&q, &fd);

	return rc == 0 && fd >= 0 ? fd : rc;
}

int outside_peak_rss_of(int pid)
{
	char name[48], text[4096];
	cleanup_close int fd = -1;
	const char *line;
	long n;

	if (pid)
		(void)snprintf(name, sizeof(name), "/proc/%d/status", pid);
	fd = open(pid ? name : "/proc/self/status", O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read_full(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	line = strstr(text, "\nVmHWM:");
	return line ? (int)strtol(line + strlen("\nVmHWM:"), NULL, 10) : 0;
}

int outside_peak_rss_kib(void)
{
	return outside_asks() ? MAX(outside_do(OUTSIDE_PEAK_RSS, 0, 0), 0)
			      : outside_peak_rss_of(0);
}

/* ---- the table, told to another process ---- */

void outside_part(int wire)
{
	slots_wire = wire;
	for (int i = 0; i < OUTSIDE_SLOTS_MAX; i++)
		slots[i].both = slots[i].kind != SLOT_FREE;
}

static int slot_tell(uint32_t nr)
{
	const struct slot *s = &slots[nr];
	struct slot_told t = {.slot = nr,
			      .kind = s->kind,
			      .dev = s->dev,
			      .ino = s->ino,
			      .mode = s->mode};
	size_t len = strlen(s->path);

	if (len >= sizeof(t.path))
		return -ENAMETOOLONG;
	memcpy(t.path, s->path, len);
	return wire_send(slots_wire, &t, offsetof(struct slot_told, path) + len + 1,
			 false, s->pidfd);
}

int outside_ask(void)
{
	const struct outside_question q = {.verb = OUTSIDE_LOCKED};
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < OUTSIDE_SLOTS_MAX; i++)
		if (slots[i].kind != SLOT_FREE && !slots[i].both)
			rc = slot_tell(i);
	if (rc < 0)
		return rc;
	wire_open(slots_wire);
	return wire_send(slots_wire, &q, sizeof(q), false, -1);
}

bool outside_is_gone(void)
{
	return wire_is_closed(slots_wire);
}

/* A file to be replaced is made by the one that is asked, before the two part */
static bool told_is_one(const struct slot_told *t, size_t len, int passed)
{
	const size_t head = offsetof(struct slot_told, path);

	if (len <= head || len > sizeof(*t) || t->path[len - head - 1] != '\0' ||
	    t->slot >= OUTSIDE_SLOTS_MAX || slots[t->slot].kind != SLOT_FREE)
		return false;
	return passed < 0 ? t->kind == SLOT_PEER || t->kind == SLOT_SOCKET ||
				    t->kind == SLOT_MADE || t->kind == SLOT_LOG
			  : t->kind == SLOT_HELPER;
}

int outside_hear(const void *msg, size_t len, int passed)
{
	const struct slot_told *t = msg;
	struct slot *s;

	if (!told_is_one(t, len, passed)) {
		cleanup_close_fd(&passed);
		return -EINVAL;
	}
	s = &slots[t->slot];
	*s = (struct slot){.kind = (enum slot_kind)t->kind,
			   .path = strdup(t->path),
			   .dev = t->dev,
			   .ino = t->ino,
			   .mode = t->mode & 0777,
			   .pidfd = passed,
			   .heard = true};
	if (!s->path)
		outside_drop((int)t->slot);
	return s->path ? 0 : -ENOMEM;
}
