/* SPDX-License-Identifier: Apache-2.0 */
/* tree_unpack - a stream of bytes, which anybody may have written, becomes files and directories. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "guest-images/agent/tree.h"

#define BROKEN "what came is no archive of files, or is cut"

/* ---- bytes ---- */

/* At most @n bytes, at the returned place until the next call.  Return: NULL, there are none */
static const uint8_t *take(struct tree_reader *t, size_t *n)
{
	const uint8_t *p;

	while (t->at == t->have && !t->broken) {
		size_t want = t->left < sizeof(t->buf) ? (size_t)t->left : sizeof(t->buf);
		ssize_t got = want ? read(t->fd, t->buf, want) : 0;

		if (got < 0 && errno == EINTR)
			continue;
		t->broken = got <= 0;
		t->at = 0;
		t->have = got > 0 ? (size_t)got : 0;
		t->left -= t->have;
	}
	if (t->broken)
		return NULL;
	p = t->buf + t->at;
	if (*n > t->have - t->at)
		*n = t->have - t->at;
	t->at += *n;
	return p;
}

static bool get(struct tree_reader *t, void *dst, size_t len)
{
	while (len) {
		size_t n = len;
		const uint8_t *p = take(t, &n);

		if (!p)
			return false;
		dst = mempcpy(dst, p, n);
		len -= n;
	}
	return true;
}

static bool get_text(struct tree_reader *t, char *text, size_t room, size_t len)
{
	if (len >= room || !get(t, text, len) || memchr(text, '\0', len))
		return false;
	text[len] = '\0';
	return true;
}

/* @n bytes more of a disk.  Return: may they be taken? */
static bool charge(struct tree_reader *t, uint64_t n)
{
	t->full |= t->most && n > t->most - t->took;
	t->took += t->full ? 0 : n;
	t->broken |= t->full;
	return !t->full;
}

static bool is_name(const char *name)
{
	return *name && !strchr(name, '/') && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0;
}

/* Return: is there one?  If not, it is broken */
static bool next_head(struct tree_reader *t)
{
	struct tree_head *h = &t->head;
	bool ok = get(t, h, sizeof(*h)) && h->type && h->type < TREE_TYPES && !h->zero &&
		  !h->zeroes && h->ns < 1000000000 &&
		  get_text(t, t->name, sizeof(t->name), h->name) &&
		  get_text(t, t->target, sizeof(t->target), h->target) &&
		  (!*t->name || is_name(t->name));

	t->broken |= !ok;
	return ok;
}

int tree_next(struct tree_reader *t)
{
	if (t->broken || !next_head(t))
		return -1;
	if (t->head.type == TREE_END)
		return 0;
	t->broken = t->head.type != TREE_BEGIN;
	return t->broken ? -1 : 1;
}

/* ---- entries ---- */

struct level {
	int fd;    /* -1: after a failure */
	bool made; /* by us */
	struct tree_head head;
};

struct unpack {
	struct tree_reader *t;
	int dir;
	const char *name;
	mode_t mask;
	char *why;
	bool failed; /* what follows is read and dropped */
	bool begun;  /* the outermost entry came */
	unsigned int depth;
	struct level level[TREE_DEPTH];
};

static void failed(struct unpack *u, const char *name)
{
	if (!u->failed)
		(void)tree_failed(u->why, "%.200s: %s", *name ? name : "it",
				  strerror(errno));
	u->failed = true;
}

static int place(const struct unpack *u)
{
	return u->depth ? u->level[u->depth - 1].fd : u->dir;
}

static const char *name_of(const struct unpack *u)
{
	return u->depth ? u->t->name : u->name;
}

static void finish(const struct unpack *u, int fd, const struct tree_head *h,
		   mode_t least)
{
	struct timespec time = {.tv_sec = h->s, .tv_nsec = h->ns};

	(void)fchmod(fd, (h->mode & 0777 & ~u->mask) | least);
	(void)futimens(fd, (struct timespec[]){time, time});
}

static void put_dir(struct unpack *u)
{
	struct level *l = &u->level[u->depth];
	const char *name = name_of(u);
	int at = place(u);

	*l = (struct level){.fd = -1, .head = u->t->head};
	if (!u->failed) {
		l->made = *name && mkdirat(at, name, 0700) == 0;
		if (*name && !l->made && errno != EEXIST)
			failed(u, name);
	}
	if (!u->failed) {
		l->fd = openat(at, *name ? name : ".",
			       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (l->fd < 0)
			failed(u, name);
	}
	u->depth++;
}

static void go_up(struct unpack *u)
{
	struct level *l = &u->level[--u->depth];

	if (l->fd < 0)
		return;
	if (l->made) /* who removes it has to open it first */
		finish(u, l->fd, &l->head, S_IRUSR);
	close(l->fd);
}

static void put_link(struct unpack *u)
{
	const char *name = name_of(u);

	if (u->failed)
		return;
	if (symlinkat(u->t->target, place(u), name) == 0)
		return;
	if (errno != EEXIST || unlinkat(place(u), name, 0) < 0 ||
	    symlinkat(u->t->target, place(u), name) < 0)
		failed(u, name);
}

static int make_file(const struct unpack *u)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(place(u), name_of(u), flags, 0600);

	if (fd < 0 && errno == EEXIST && unlinkat(place(u), name_of(u), 0) == 0)
		fd = openat(place(u), name_of(u), flags, 0600);
	return fd;
}

/* Return: were they written, if there is an @fd? */
static bool put_bytes(struct tree_reader *t, int fd, uint64_t len)
{
	bool ok = true;

	while (len) {
		size_t n = len < SIZE_MAX ? (size_t)len : SIZE_MAX;
		const uint8_t *p = take(t, &n);

		if (!p || (fd >= 0 && ok && !charge(t, n)))
			return ok;
		len -= n;
		while (n && fd >= 0 && ok) {
			ssize_t done = write(fd, p, n);

			ok = done >= 0 || errno == EINTR;
			p += done > 0 ? done : 0;
			n -= done > 0 ? (size_t)done : 0;
		}
	}
	return ok;
}

/* A file without an @fd is read all the same.  Return: is all of it there? */
static bool put_chunks(struct tree_reader *t, int fd)
{
	uint64_t len, size = 0;
	bool ok = true, hole = false;

	while (get(t, &len, sizeof(len)) && len) {
		hole = len & TREE_HOLE;
		len &= ~TREE_HOLE;
		if (len > INT64_MAX - size) {
			t->broken = true;
			break;
		}
		size += len;
		if (!hole)
			ok = put_bytes(t, ok ? fd : -1, len) && ok;
		else if (ok && fd >= 0)
			ok = charge(t, t->solid ? len : TREE_EDGES) &&
			     lseek(fd, (off_t)size, SEEK_SET) >= 0;
	}
	if (hole && ok && fd >= 0)
		ok = ftruncate(fd, (off_t)size) == 0;
	return ok;
}

static void put_file(struct unpack *u)
{
	const struct tree_head h = u->t->head;
	int fd = u->failed ? -1 : make_file(u);

	if (fd < 0)
		failed(u, name_of(u));
	if (!put_chunks(u->t, fd))
		failed(u, name_of(u));
	if (fd < 0)
		return;
	finish(u, fd, &h, 0);
	close(fd);
}

/* ---- trees ---- */

/* May this record come now? */
static bool in_order(const struct unpack *u)
{
	const struct tree_reader *t = u->t;

	switch (t->head.type) {
	case TREE_UP:
		return u->depth > 0;
	case TREE_DONE:
		return u->begun && !u->depth;
	case TREE_ERROR:
		return *t->target; /* says why */
	case TREE_DIR:
		return u->depth < TREE_DEPTH && (u->depth ? *t->name : !u->begun);
	case TREE_FILE: /* what is in it is not meant */
		return u->depth ? *t->name : !u->begun && *u->name;
	case TREE_LINK: /* an operator would follow it */
		return u->depth && *t->name && *t->target;
	default:
		return false;
	}
}

static void put_entry(struct unpack *u)
{
	u->begun = true;
	if (u->t->head.type != TREE_UP && !u->failed && !charge(u->t, TREE_ENTRY))
		return;
	switch (u->t->head.type) {
	case TREE_DIR:
		put_dir(u);
		break;
	case TREE_FILE:
		put_file(u);
		break;
	case TREE_LINK:
		put_link(u);
		break;
	default:
		go_up(u);
	}
}

bool tree_unpack(struct tree_reader *t, int dir, const char *name, mode_t mask,
		 char why[AGENT_SENTENCE + 1])
{
	struct unpack u = {.t = t, .dir = dir, .name = name, .mask = mask, .why = why};

	while (next_head(t)) {
		if (!in_order(&u)) {
			t->broken = true;
			break;
		}
		if (t->head.type == TREE_DONE || t->head.type == TREE_ERROR)
			break;
		put_entry(&u);
	}
	while (u.depth)
		go_up(&u);
	if (t->full)
		return tree_failed(why, "all of it takes more than %llu MiB",
				   (unsigned long long)t->most >> 20);
	if (t->broken)
		return tree_failed(why, BROKEN);
	if (t->head.type == TREE_ERROR)
		return tree_failed(why, "%s", t->target);
	return !u.failed;
}
