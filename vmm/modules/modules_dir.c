/* SPDX-License-Identifier: Apache-2.0 */
/*
 * modules_dir - modules in a directory: where they were built, or installed.
 *
 * modules.dep (of depmod) and modules.order (of a build, and of an installation) both name a module's file
 * at the beginning of a line: ".../x.ko: ..." and ".../x.ko", of a build since Linux 6.3 ".../x.o". A build's may
 * begin with "kernel/", which is where it would be installed. An installed one may be packed.
 */
#include "vmm/modules/modules_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_LIST_MAX (64 * MIB) /* of a modules.dep; a distribution's has 0.7 */

static const char *const dir_lists[] = {"modules.dep", "modules.order"};

/* Return: @dir/@name (any of them may be empty), which the caller frees; NULL: there is no memory */
static char *dir_join(const char *dir, const char *middle, const char *name)
{
	char *path;

	return asprintf(&path, "%s%s%s%s%s", dir, *middle ? "/" : "", middle,
			*name ? "/" : "", name) < 0
		       ? NULL
		       : path;
}

/* Return: @path if modules are listed there, else NULL, and it is freed */
static char *dir_if(char *path)
{
	for (size_t i = 0; path && i < ARRAY_SIZE(dir_lists); i++) {
		cleanup_free char *list = dir_join(path, "", dir_lists[i]);

		if (list && access(list, F_OK) == 0)
			return path;
	}
	free(path);
	return NULL;
}

/* The one directory in @dir with modules.  Return: its path, which the caller frees; NULL: none, several */
static char *dir_only(const char *dir)
{
	DIR *d = opendir(dir);
	char *found = NULL;
	struct dirent *de;
	unsigned int n = 0;

	while (d && (de = readdir(d))) {
		char *one = *de->d_name == '.' ? NULL
					       : dir_if(dir_join(dir, "", de->d_name));

		if (!one)
			continue;
		free(found);
		found = one;
		n++;
	}
	if (d)
		closedir(d);
	if (n == 1)
		return found;
	free(found);
	return NULL;
}

char *modules_dir_find(const char *given, const char *release)
{
	static const char *const parents[] = {"lib/modules", "usr/lib/modules", ""};
	char *found = dir_if(dir_join(given, "", ""));

	if (!found)
		found = dir_if(dir_join(given, "modules", ""));
	for (size_t i = 0; !found && *release && i < ARRAY_SIZE(parents); i++)
		found = dir_if(dir_join(given, parents[i], release));
	for (size_t i = 0; !found && i < ARRAY_SIZE(parents); i++) {
		cleanup_free char *parent = dir_join(given, parents[i], "");

		found = parent ? dir_only(parent) : NULL;
	}
	return found;
}

/* ---- files ---- */

/* Return: the bytes of @path and a NUL, which the caller frees; NULL with errno in @rc: -ENOENT and others */
static char *dir_read(const char *path, uint64_t max, size_t *n, int *rc)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	char *text;
	long got;

	if (fd < 0 || fstat(fd, &st) < 0) {
		*rc = -errno;
		return NULL;
	}
	*rc = 0;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > max) {
		*rc = S_ISREG(st.st_mode) ? -EFBIG : -EINVAL;
		return NULL;
	}
	text = malloc((size_t)st.st_size + 1);
	got = text ? pread_full(fd, text, (size_t)st.st_size, 0) : -ENOMEM;
	if (got < 0) {
		*rc = (int)got;
		free(text);
		return NULL;
	}
	text[got] = '\0';
	*n = (size_t)got;
	return text;
}

/* The first line of @list that is the module @name's. Return: its file there, which the caller frees; NULL:
 * there is none
 */
static char *dir_line(const char *list, const char *name)
{
	for (size_t n; *list; list += n + (list[n] == '\n')) {
		char path[4096], base[MODULES_NAME];
		size_t len = MIN(strcspn(list, ":\n"), sizeof(path) - 4);

		n = strcspn(list, "\n");
		(void)snprintf(path, sizeof(path), "%.*s", (int)len, list);
		if (len > 2 && strcmp(path + len - 2, ".o") == 0)
			(void)snprintf(path + len - 1, 4, "ko");
		if (modules_name(path, base) && strcmp(base, name) == 0)
			return strdup(path);
	}
	return NULL;
}

/* Return: the file @line below @dir, as it is found; NULL with -errno in @rc */
static char *dir_open(const char *dir, const char *line, size_t *n, int *rc)
{
	static const char *const packed[] = {"", ".xz", ".zst", ".gz"};
	const char *inner = strncmp(line, "kernel/", 7) == 0 ? line + 7 : NULL;
	char *bytes = NULL;

	*rc = -ENOENT;
	for (size_t i = 0; !bytes && *rc == -ENOENT && i < 2 * ARRAY_SIZE(packed); i++) {
		const char *file = i < ARRAY_SIZE(packed) ? line : inner;
		char path[8192];

		if (!file)
			break;
		(void)snprintf(path, sizeof(path), "%s/%s%s", dir, file,
			       packed[i % ARRAY_SIZE(packed)]);
		bytes = dir_read(path, MODULES_FILE_MAX, n, rc);
	}
	return bytes;
}

static int dir_module(struct modules *m, struct module *k, const char *dir,
		      const char *line, struct err *e)
{
	size_t n = 0;
	int rc;
	char *bytes = dir_open(dir, line, &n, &rc);

	if (bytes)
		return modules_put(m, k, (uint8_t *)bytes, n, e);
	modules_none(k);
	if (rc == -ENOENT)
		return err_set(
			e, ENOENT,
			"%.120s: its module %s is not there, but listed as %.120s; "
			"build it (make modules), or install it again",
			m->from, k->name, line);
	return err_set(e, -rc, "%.120s: its module %s cannot be read: %s; check %.120s",
		       m->from, k->name, strerror(-rc), line);
}

static char *dir_text(const char *dir, const char *name, int *rc)
{
	cleanup_free char *path = dir_join(dir, "", name);
	size_t n;

	*rc = -ENOMEM;
	return path ? dir_read(path, DIR_LIST_MAX, &n, rc) : NULL;
}

int modules_dir_read(struct modules *m, const char *dir, struct err *e)
{
	cleanup_free char *list = NULL, *builtin = NULL;
	struct module *k;
	unsigned int i = 0;
	int rc = 0, ignored;

	for (size_t l = 0; !list && l < ARRAY_SIZE(dir_lists); l++)
		list = dir_text(dir, dir_lists[l], &rc);
	if (!list)
		return err_set(e, -rc,
			       "%.200s: the list of its modules cannot be read: %s",
			       m->from, strerror(-rc));
	rc = 0;
	while (rc == 0 && (k = modules_next(m, &i))) {
		cleanup_free char *line = dir_line(list, k->name);

		if (line)
			rc = dir_module(m, k, dir, line, e);
		else
			modules_none(k);
	}
	builtin = dir_text(dir, "modules.builtin", &ignored);
	return rc < 0 ? rc : modules_builtin(m, builtin, e);
}
