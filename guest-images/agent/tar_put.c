/* SPDX-License-Identifier: Apache-2.0 */
/* tar_put - a member of a tar becomes a file.  Names are resolved with the directory as the root. */
#include "guest-images/agent/tar.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Links inside count from the root, so none leads out; ".." stays in as well */
static int open_inside(int root, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
			       .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};

	return (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));
}

static bool failed(struct tar_place *place, const char *name)
{
	if (errno == ENOSPC || errno == EDQUOT)
		return sentence(
			place->why,
			"the tar does not fit at %.200s: give more room by --memory or --scratch",
			name);
	return sentence(place->why, "the tar's %.200s cannot be made: %s", name,
			strerror(errno));
}

static void forget_dir(struct tar_place *place)
{
	if (place->dir >= 0)
		close(place->dir);
	place->dir = -1;
}

/* Make the directories of @path that are missing.  Return: the last one, or -1 */
static int make_dirs(int root, char *path)
{
	int dir = open_inside(root, "");
	char *p = path;

	while (dir >= 0 && *p) {
		char *end = strchrnul(p, '/'), c = *end;
		int next;

		*end = '\0';
		next = open_inside(root, path);
		if (next < 0 && errno == ENOENT && mkdirat(dir, p, 0755) == 0)
			next = open_inside(root, path);
		*end = c;
		close(dir);
		dir = next;
		p = end + (c == '/');
	}
	return dir;
}

/* The directory that @name is in, and where its last part begins */
static bool enter(struct tar_place *place, const char *name, const char **last)
{
	const char *slash = strrchr(name, '/');
	size_t len = slash ? (size_t)(slash - name) : 0;
	char path[TAR_NAME];

	*last = slash ? slash + 1 : name;
	memcpy(path, name, len);
	path[len] = '\0';
	if (place->dir >= 0 && !strcmp(place->dir_name, path))
		return true;
	forget_dir(place);
	place->dir = open_inside(place->root, path);
	if (place->dir < 0 && errno == ENOENT)
		place->dir = make_dirs(place->root, path);
	if (place->dir < 0)
		return failed(place, name);
	strcpy(place->dir_name, path);
	return true;
}

/* A name without "/" at its ends, without "." and empty parts: in place.  ".." is refused */
static bool tidy_name(struct tar_place *place, char *name)
{
	char *in = name, *out = name;

	while (*in) {
		char *end = strchrnul(in, '/');
		size_t len = (size_t)(end - in);

		if (len == 2 && in[0] == '.' && in[1] == '.')
			return sentence(
				place->why,
				"the tar has a name with \"..\" in it, %.200s: such names are refused",
				name);
		if (len > 255)
			return sentence(place->why,
					"the tar has a name that no file can have");
		if (len && !(len == 1 && *in == '.')) {
			if (out != name)
				*out++ = '/';
			memmove(out, in, len);
			out += len;
		}
		in = *end ? end + 1 : end;
	}
	*out = '\0';
	return true;
}

/* Away with what has the name already; a directory goes if it is empty */
static bool make_way(struct tar_place *place, const char *last)
{
	if (unlinkat(place->dir, last, 0) == 0)
		return true;
	if (errno != EISDIR && errno != EPERM)
		return errno == ENOENT;
	return unlinkat(place->dir, last, AT_REMOVEDIR) == 0;
}

static bool put_bytes(struct tar *t, int fd, uint64_t *data, bool *read_failed)
{
	while (*data) {
		size_t n = *data < SIZE_MAX ? (size_t)*data : SIZE_MAX;
		const uint8_t *p;

		*read_failed = !tar_take(t, &p, &n);
		if (*read_failed)
			return false;
		*data -= n;
		while (n) {
			ssize_t done = write(fd, p, n);

			if (done < 0 && errno != EINTR)
				return false;
			p += done > 0 ? done : 0;
			n -= done > 0 ? (size_t)done : 0;
		}
	}
	return true;
}

static bool put_file(struct tar_place *place, struct tar *t, const char *last,
		     uint64_t *data)
{
	struct timespec times[2] = {t->m.mtime, t->m.mtime};
	int fd = openat(place->dir, last,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	const char *name, *value;
	size_t at = 0, len;
	bool read_failed = false, ok;

	if (fd < 0)
		return failed(place, t->m.name);
	ok = put_bytes(t, fd, data, &read_failed);
	if (!ok && !read_failed)
		(void)failed(place, t->m.name);
	/* owner first: a change of it drops set-user-ID and capabilities */
	if (fchown(fd, t->m.uid, t->m.gid) < 0 && errno != EPERM && errno != EINVAL && ok)
		ok = failed(place, t->m.name);
	(void)fchmod(fd, t->m.mode);
	while (tar_next_xattr(t, &at, &name, &value, &len))
		(void)fsetxattr(fd, name, value, len,
				0); /* as far as the file system has them */
	(void)futimens(fd, times);
	close(fd);
	return ok;
}

/* Directories come again and again, and some are links to others already */
static bool put_dir(struct tar_place *place, struct tar *t, const char *last)
{
	int dir;

	if (mkdirat(place->dir, last, 0755) < 0) {
		if (errno != EEXIST)
			return failed(place, t->m.name);
		dir = open_inside(place->root, t->m.name);
		if (dir < 0 &&
		    (!make_way(place, last) || mkdirat(place->dir, last, 0755) < 0))
			return failed(place, t->m.name);
		if (dir >= 0)
			close(dir);
	}
	dir = open_inside(place->root, t->m.name);
	if (dir < 0)
		return failed(place, t->m.name);
	(void)!fchownat(dir, "", t->m.uid, t->m.gid, AT_EMPTY_PATH);
	(void)!fchmodat(dir, ".", t->m.mode, 0);
	close(dir);
	return true;
}

/* A hard link to a member that came before, by its name from the root */
static bool put_link(struct tar_place *place, struct tar *t, const char *last)
{
	const char *slash = strrchr(t->m.link, '/'),
		   *name = slash ? slash + 1 : t->m.link;
	char path[TAR_NAME];
	int dir;
	bool ok;

	memcpy(path, t->m.link, (size_t)(name - t->m.link));
	path[name - t->m.link] = '\0';
	dir = open_inside(place->root, path);
	ok = dir >= 0 && linkat(dir, name, place->dir, last, 0) == 0;
	if (!ok)
		(void)sentence(
			place->why,
			"the tar's %.150s is a link to %.150s, which cannot be made: %s",
			t->m.name, t->m.link, strerror(errno));
	if (dir >= 0)
		close(dir);
	return ok;
}

static bool put_node(struct tar_place *place, struct tar *t, const char *last)
{
	static const struct {
		char type;
		mode_t mode;
	} kinds[] = {{'3', S_IFCHR}, {'4', S_IFBLK}, {'6', S_IFIFO}};
	dev_t dev = makedev(t->m.major, t->m.minor);
	int rc = -1;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].type == t->m.type)
			rc = mknodat(place->dir, last, kinds[i].mode | t->m.mode, dev);
	if (rc < 0)
		return errno == EPERM || failed(place, t->m.name);
	(void)!fchownat(place->dir, last, t->m.uid, t->m.gid, AT_SYMLINK_NOFOLLOW);
	(void)!fchmodat(place->dir, last, t->m.mode, 0);
	return true;
}

static bool put_symlink(struct tar_place *place, struct tar *t, const char *last)
{
	struct timespec times[2] = {t->m.mtime, t->m.mtime};

	if (symlinkat(t->m.link, place->dir, last) < 0)
		return failed(place, t->m.name);
	(void)!fchownat(place->dir, last, t->m.uid, t->m.gid, AT_SYMLINK_NOFOLLOW);
	(void)utimensat(place->dir, last, times, AT_SYMLINK_NOFOLLOW);
	return true;
}

static bool put_as(struct tar_place *place, struct tar *t, const char *last,
		   uint64_t *data)
{
	switch (t->m.type) {
	case '1':
		return put_link(place, t, last);
	case '2':
		return put_symlink(place, t, last);
	case '3':
	case '4':
	case '6':
		return put_node(place, t, last);
	case 'S':
		return sentence(
			place->why,
			"the tar has sparse files, which are not unpacked here: make it without --sparse");
	case '0':
	case '7':
	case '\0':
		return put_file(place, t, last, data);
	default:
		return sentence(
			place->why,
			"the tar's %.200s is of a kind that is not unpacked here: '%c'",
			t->m.name, t->m.type);
	}
}

bool tar_put(struct tar_place *place, struct tar *t, uint64_t *data)
{
	size_t len = strlen(t->m.name);
	bool dir = t->m.type == '5' || (len && t->m.name[len - 1] == '/' &&
					(t->m.type == '0' || t->m.type == '\0'));
	const char *last;

	if (!tidy_name(place, t->m.name) ||
	    (t->m.type == '1' && !tidy_name(place, t->m.link)))
		return false;
	if (!enter(place, t->m.name, &last))
		return false;
	if (dir)
		return !*last || put_dir(place, t, last);
	if (!*last)
		return sentence(place->why, "the tar has a member without a name");
	/* a link to itself has to stay */
	if (t->m.type == '1' && !strcmp(t->m.name, t->m.link))
		return true;
	if (!make_way(place, last))
		return failed(place, t->m.name);
	return put_as(place, t, last, data);
}
