/* SPDX-License-Identifier: Apache-2.0 */
/* tree_pack - files and directories become a stream of bytes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guest-images/agent/tree.h"

bool tree_failed(char why[AGENT_SENTENCE + 1], const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(why, AGENT_SENTENCE + 1, fmt, args);
	va_end(args);
	for (char *p = why; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	return false;
}

/* ---- bytes ---- */

static void flush(struct tree_writer *w)
{
	size_t at = 0;

	while (!w->error && at < w->n) {
		ssize_t n = write(w->fd, w->buf + at, w->n - at);

		if (n < 0 && errno != EINTR)
			w->error = errno;
		at += n > 0 ? (size_t)n : 0;
	}
	w->n = 0;
}

static void put(struct tree_writer *w, const void *p, size_t n)
{
	if (n > sizeof(w->buf) - w->n)
		flush(w);
	memcpy(w->buf + w->n, p, n);
	w->n += n;
}

static void put_head(struct tree_writer *w, enum tree_type type, const char *name,
		     const char *target, const struct stat *st)
{
	struct tree_head h = {.type = (uint8_t)type,
			      .name = (uint16_t)strlen(name),
			      .target = (uint16_t)strlen(target)};

	if (st) {
		h.mode = st->st_mode & 0777;
		h.s = st->st_mtim.tv_sec;
		h.ns = (uint32_t)st->st_mtim.tv_nsec;
	}
	put(w, &h, sizeof(h));
	put(w, name, h.name);
	put(w, target, h.target);
}

/* ---- files ---- */

/* The bytes of a chunk are read to where they are sent from */
static ssize_t put_chunk(struct tree_writer *w, int fd, size_t most)
{
	uint64_t len;
	size_t room;
	ssize_t n;

	if (sizeof(w->buf) - w->n < sizeof(w->buf) / 2)
		flush(w);
	room = sizeof(w->buf) - w->n - sizeof(len);
	n = read(fd, w->buf + w->n + sizeof(len), most < room ? most : room);
	if (n <= 0)
		return n;
	len = (uint64_t)n;
	memcpy(w->buf + w->n, &len, sizeof(len));
	w->n += sizeof(len) + (size_t)n;
	return n;
}

/* Step over a hole at *@at, to where the data end.  Return: where that is.  A file system that
 * knows of no holes has none
 */
static off_t skip_hole(struct tree_writer *w, int fd, off_t size, off_t *at)
{
	off_t data = lseek(fd, *at, SEEK_DATA), end;
	uint64_t hole;

	if (data < 0)
		data = errno == ENXIO ? size : *at; /* to its end */
	hole = (uint64_t)(data - *at) | TREE_HOLE;
	if (data > *at)
		put(w, &hole, sizeof(hole));
	*at = data;
	end = lseek(fd, data, SEEK_HOLE);
	(void)lseek(fd, data, SEEK_SET);
	return end > data ? end : size;
}

/* As long as it was when it was looked at; files of the kernel say 0, and are read to their end */
static bool put_file(struct tree_writer *w, int fd, const char *name,
		     const struct stat *st)
{
	bool sparse = st->st_blocks < st->st_size / 512;
	off_t at = 0, end = sparse ? 0 : INT64_MAX;
	const uint64_t last = 0;
	ssize_t n = 1;

	put_head(w, TREE_FILE, name, "", st);
	while (n > 0 && !w->error && (!st->st_size || at < st->st_size)) {
		if (sparse && at == end)
			end = skip_hole(w, fd, st->st_size, &at);
		if (at == end)
			continue;
		n = put_chunk(w, fd, (size_t)(end - at));
		if (n < 0 && errno == EINTR)
			n = 1;
		else
			at += n > 0 ? n : 0;
	}
	put(w, &last, sizeof(last));
	return n >= 0;
}

/* ---- directories ---- */

/* The directories that are being read, from the outermost */
struct walk {
	struct tree_writer *w;
	DIR *dir[TREE_DEPTH];
	unsigned int depth;
	const char *src;
	char *why;
};

static bool refused(const struct walk *k, const char *name)
{
	return tree_failed(k->why, "%s, %.200s in it: %s", k->src, name, strerror(errno));
}

static bool walk_into(struct walk *k, int fd, const char *name, const struct stat *st)
{
	DIR *dir = k->depth < TREE_DEPTH ? fdopendir(fd) : NULL;

	if (!dir) {
		if (k->depth < TREE_DEPTH)
			(void)refused(k, name);
		else
			(void)tree_failed(
				k->why, "%s has more than %d directories in one another",
				k->src, TREE_DEPTH);
		close(fd);
		return false;
	}
	k->dir[k->depth++] = dir;
	put_head(k->w, TREE_DIR, name, "", st);
	return true;
}

static bool walk_link(struct walk *k, int at, const char *name, const struct stat *st)
{
	char target[TREE_TARGET];
	ssize_t n = readlinkat(at, name, target, sizeof(target) - 1);

	if (n < 0)
		return refused(k, name);
	target[n] = '\0';
	put_head(k->w, TREE_LINK, name, target, st);
	return true;
}

static bool walk_entry(struct walk *k, const char *name)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	int at = dirfd(k->dir[k->depth - 1]), fd;
	struct stat st;
	bool ok;

	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT || refused(k, name); /* gone meanwhile */
	if (S_ISLNK(st.st_mode))
		return walk_link(k, at, name, &st);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return true;
	fd = openat(at, name, flags);
	if (fd < 0 || fstat(fd, &st) < 0)
		return errno == ENOENT || refused(k, name);
	if (S_ISDIR(st.st_mode))
		return walk_into(k, fd, name, &st);
	ok = !S_ISREG(st.st_mode) || put_file(k->w, fd, name, &st) || refused(k, name);
	close(fd);
	return ok;
}

static bool walk(struct walk *k)
{
	bool ok = true;

	while (ok && k->depth && !k->w->error) {
		struct dirent *de = readdir(k->dir[k->depth - 1]);

		if (!de) {
			put_head(k->w, TREE_UP, "", "", NULL);
			(void)closedir(k->dir[--k->depth]);
		} else if (strcmp(de->d_name, ".") != 0 &&
			   strcmp(de->d_name, "..") != 0) {
			ok = walk_entry(k, de->d_name);
		}
	}
	while (k->depth)
		(void)closedir(k->dir[--k->depth]);
	return ok;
}

/* ---- trees ---- */

void tree_base(const char *path, char name[TREE_NAME])
{
	const char *end = path + strlen(path), *p;

	while (end > path && end[-1] == '/')
		end--;
	for (p = end; p > path && p[-1] != '/';)
		p--;
	(void)snprintf(name, TREE_NAME, "%.*s", (int)(end - p), p);
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		*name = '\0';
}

/* Of the open @fd, which it closes */
static bool pack(struct walk *k, int fd, const char *name)
{
	struct stat st;
	bool ok;

	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		return walk_into(k, fd, name, &st) && walk(k);
	if (!S_ISREG(st.st_mode))
		ok = tree_failed(k->why, "%s is neither a file nor a directory", k->src);
	else
		ok = put_file(k->w, fd, name, &st) ||
		     tree_failed(k->why, "%s: %s", k->src, strerror(errno));
	close(fd);
	return ok;
}

bool tree_pack(struct tree_writer *w, const char *src, const char *dst,
	       char why[AGENT_SENTENCE + 1])
{
	int fd = open(src, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct walk k = {.w = w, .src = src, .why = why};
	char name[TREE_NAME];
	bool ok;

	tree_base(src, name);
	put_head(w, TREE_BEGIN, name, dst, NULL);
	ok = fd < 0 ? tree_failed(why, "%s: %s", src, strerror(errno)) : pack(&k, fd, "");
	put_head(w, ok ? TREE_DONE : TREE_ERROR, "", ok ? "" : why, NULL);
	if (!w->error)
		return ok;
	return tree_failed(why, "%s cannot be passed on: %s", src, strerror(w->error));
}

int tree_end(struct tree_writer *w)
{
	put_head(w, TREE_END, "", "", NULL);
	flush(w);
	return -w->error;
}
