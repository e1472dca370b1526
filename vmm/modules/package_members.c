/* SPDX-License-Identifier: Apache-2.0 */
/*
 * package_members - what is in a package: the part that reads it, in a process of its own.
 *
 * A tar is read in order, and what a module depends on may have been passed by when it is known: then the
 * package is read once more. Those that others often need are asked for early, so that it seldom is.
 */
#include "vmm/modules/package_members.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/archive/archive.h"
#include "vmm/core/arch.h"
#include "vmm/modules/modules.h"

#define MEMBERS_KERNEL_MAX (256 * MIB)
#define MEMBERS_TEXT_MAX   (4 * MIB) /* of control, and of modules.builtin */

struct members {
	char what[300]; /* sentences begin so */
	const char *path;
	int kernel; /* -1: it has come */
	bool wants; /* modules */
	char release[RELEASE_MAX];
	char *control, *builtin;
	bool data; /* there is a data.tar */
	bool late; /* modules came before the kernel, whose release tells whether they are its own */
	struct modules modules;
	struct archive_in ar, tar;
	uint8_t chunk[ARCHIVE_CHUNK];
};

/* ---- texts and files ---- */

/* Return: the member's bytes, @n of them, and a NUL, which the caller frees; NULL with a sentence in @e */
static uint8_t *members_bytes(struct members *s, uint64_t max, size_t *n, struct err *e)
{
	uint64_t size = archive_in_size(&s->tar);
	uint8_t *bytes = size <= max ? malloc((size_t)size + 1) : NULL;
	long got = 1;

	if (!bytes) {
		(void)err_set(e, size > max ? E2BIG : ENOMEM,
			      "%s: %.120s has %llu bytes, which is %s", s->what,
			      archive_in_name(&s->tar), (unsigned long long)size,
			      size > max ? "more than we take"
					 : "more memory than there is");
		return NULL;
	}
	for (*n = 0; got > 0 && *n < size; *n += (size_t)got) {
		got = archive_in_read(&s->tar, bytes + *n, (size_t)size - *n, e);
		if (got < 0) {
			free(bytes);
			return NULL;
		}
	}
	bytes[*n] = '\0';
	return bytes;
}

static int members_text(struct members *s, char **text, struct err *e)
{
	size_t n;

	if (*text)
		return 0;
	*text = (char *)members_bytes(s, MEMBERS_TEXT_MAX, &n, e);
	return *text ? 0 : -e->code;
}

/* A field of the control file, in @value; "" if there is none */
static void members_field(const struct members *s, const char *name, char value[160])
{
	const char *line = s->control ? s->control : "";
	size_t n = strlen(name);

	*value = '\0';
	for (; *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (strncmp(line, name, n) == 0) {
			line += n + strspn(line + n, " ");
			(void)snprintf(value, 160, "%.*s",
				       (int)MIN(strcspn(line, "\n"), 159U), line);
			return;
		}
}

/* ---- the kernel ---- */

static int kernel_copy(struct members *s, struct err *e)
{
	long n, rc = 0;

	if (archive_in_size(&s->tar) > MEMBERS_KERNEL_MAX)
		return err_set(
			e, E2BIG,
			"%s: its kernel has %llu MiB, and no kernel has so many; fetch or "
			"build it again",
			s->what, (unsigned long long)(archive_in_size(&s->tar) / MIB));
	while (rc >= 0 &&
	       (n = archive_in_read(&s->tar, s->chunk, sizeof(s->chunk), e)) != 0) {
		if (n < 0)
			return (int)n;
		rc = write_full(s->kernel, s->chunk, (size_t)n);
	}
	if (rc < 0)
		return err_set(e, (int)-rc,
			       "%s: its kernel cannot be kept: %s; set TMPDIR to a "
			       "directory that has room for it",
			       s->what, strerror((int)-rc));
	s->kernel = -1;
	return 0;
}

static int kernel_member(struct members *s, const char *release, struct err *e)
{
	if (*s->release && strcmp(s->release, release) != 0)
		return err_set(e, EINVAL,
			       "%s: has two kernels, %.100s and %.100s; unpack it "
			       "(dpkg-deb -x) and name one of the files",
			       s->what, s->release, release);
	if (*s->release && s->kernel < 0)
		return 0; /* it came when the package was read before */
	if (!archive_in_is_file(&s->tar))
		return err_set(
			e, EINVAL,
			"%s: its boot/vmlinuz-%.100s is a link, not a kernel; name "
			"the package that has the kernel itself",
			s->what, release);
	(void)snprintf(s->release, sizeof(s->release), "%s", release);
	return kernel_copy(s, e);
}

/* ---- modules ---- */

static int module_member(struct members *s, const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	struct module *k;
	uint8_t *bytes;
	size_t n;

	if (!archive_in_is_file(&s->tar))
		return 0;
	if (slash && strcmp(slash, "/modules.builtin") == 0)
		return members_text(s, &s->builtin, e);
	k = modules_find(&s->modules, path);
	if (!k)
		return 0;
	if (!*s->release) {
		s->late = true;
		return 0;
	}
	(void)snprintf(s->modules.release, sizeof(s->modules.release), "%s", s->release);
	bytes = members_bytes(s, MODULES_FILE_MAX, &n, e);
	return bytes ? modules_put(&s->modules, k, bytes, n, e) : -e->code;
}

/* ---- members ---- */

/* Return: what follows @prefix in @path; NULL: it does not begin so */
static const char *below(const char *path, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(path, prefix, n) == 0 ? path + n : NULL;
}

static int data_member(struct members *s, struct err *e)
{
	const char *path = archive_in_name(&s->tar), *rest;

	path += strspn(path, "./");
	rest = below(path, "boot/vmlinuz-");
	if (rest && *rest && !strchr(rest, '/') && strlen(rest) < RELEASE_MAX)
		return kernel_member(s, rest, e);
	if (s->wants && (below(path, "lib/modules/") || below(path, "usr/lib/modules/")))
		return module_member(s, path, e);
	return 0;
}

/* Early: what is in a package for another machine is not looked at */
static int members_machine(const struct members *s, struct err *e)
{
	char arch[160];

	members_field(s, "Architecture:", arch);
	if (!*arch || strcmp(arch, arch_images) == 0 || strcmp(arch, "all") == 0)
		return 0;
	return err_set(e, ENOEXEC,
		       "%s: is for %.40s, but this host is %s; fetch or build the "
		       "package for %s",
		       s->what, arch, arch_name, arch_images);
}

static int control_member(struct members *s, struct err *e)
{
	const char *path = archive_in_name(&s->tar);

	path += strspn(path, "./");
	if (strcmp(path, "control") != 0)
		return 0;
	return members_text(s, &s->control, e) < 0 ? -e->code : members_machine(s, e);
}

static int members_tar(struct members *s, int (*member)(struct members *s, struct err *e),
		       struct err *e)
{
	int rc = archive_in_open(&s->tar, s->what, ARCHIVE_FORM_TAR, -1, &s->ar, e);

	while (rc == 0 && (rc = archive_in_next(&s->tar, e)) == 1)
		rc = member(s, e);
	archive_in_close(&s->tar);
	return rc;
}

/* Once through the package */
static int members_pass(struct members *s, int in, struct err *e)
{
	int rc;

	if (lseek(in, 0, SEEK_SET) < 0)
		return err_set(e, errno, "%s: cannot be read: %s", s->what,
			       strerror(errno));
	rc = archive_in_open(&s->ar, s->what, ARCHIVE_FORM_AR, in, NULL, e);
	while (rc == 0 && (rc = archive_in_next(&s->ar, e)) == 1) {
		const char *name = archive_in_name(&s->ar);

		rc = 0;
		if (below(name, "control.tar") && !s->control)
			rc = members_tar(s, control_member, e);
		if (!below(name, "data.tar"))
			continue;
		s->data = true;
		rc = members_tar(s, data_member, e);
	}
	archive_in_close(&s->ar);
	return rc;
}

/* ---- what came ---- */

static int members_no_kernel(const struct members *s, struct err *e)
{
	char name[160], depends[160];

	members_field(s, "Package:", name);
	members_field(s, "Depends:", depends);
	if (!s->data || !s->control)
		return err_set(e, ENOEXEC,
			       "%s: is an archive, but no package of Debian's; name a "
			       "linux-image-*.deb, or a kernel",
			       s->what);
	if (below(depends, "linux-image-"))
		return err_set(
			e, ENOENT,
			"%s: %.60s has no kernel itself, it only depends on %.100s; "
			"fetch that: apt-get download PACKAGE",
			s->what, name, depends);
	return err_set(
		e, ENOENT,
		"%s: %.60s has no boot/vmlinuz-*; name a linux-image-*.deb that has "
		"a kernel (no template, no headers)",
		s->what, name);
}

/* Once more, if there are modules that were not asked for when the last pass began. Return: 1: there are */
static int members_again(struct members *s, unsigned int asked)
{
	struct module *k;
	unsigned int i = 0;

	while ((k = modules_next(&s->modules, &i)) && i <= asked)
		modules_none(k);
	return k != NULL;
}

static int members_all(struct members *s, int in, struct err *e)
{
	unsigned int asked;
	int rc;

	do {
		asked = s->modules.n;
		s->late = false;
		rc = members_pass(s, in, e);
		if (rc == 0 && !*s->release)
			rc = members_no_kernel(s, e);
	} while (rc == 0 && members_again(s, s->late ? 0 : asked));
	return rc;
}

int package_members(const char *path, int in, int kernel, int modules, unsigned int *n,
		    struct err *e)
{
	struct members *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return err_set(e, ENOMEM, "kernel %.200s: no memory to read it", path);
	(void)snprintf(s->what, sizeof(s->what), "kernel %.200s", path);
	s->path = path;
	s->kernel = kernel;
	s->wants = modules >= 0;
	if (s->wants) {
		modules_init(&s->modules, s->what, path,
			     "it is put together wrongly: fetch or build it again");
		modules_early(&s->modules);
	}
	rc = members_all(s, in, e);
	if (rc == 0 && s->wants)
		rc = modules_builtin(&s->modules, s->builtin, e);
	if (rc == 0 && s->wants)
		rc = modules_pack(&s->modules, modules, n, e);
	modules_fini(&s->modules);
	free(s->control);
	free(s->builtin);
	free(s);
	return rc;
}
