/* SPDX-License-Identifier: Apache-2.0 */
/* modules - those of a kernel's modules that the agent needs, with what they depend on. */
#include "vmm/modules/modules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/unpack.h"
#include "guest-images/agent/groups.h"
#include "vmm/core/arch.h"
#include "vmm/modules/modinfo.h"

bool modules_name(const char *path, char name[MODULES_NAME])
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	const char *end = strstr(base, ".ko");
	size_t n = end ? (size_t)(end - base) : 0;

	if (n == 0 || n >= MODULES_NAME || (end[3] && end[3] != '.'))
		return false;
	for (size_t i = 0; i < n; i++)
		name[i] = base[i] == '-' ? '_' : base[i];
	name[n] = '\0';
	return true;
}

static struct module *modules_of(struct modules *m, const char *name)
{
	for (unsigned int i = 0; i < m->n; i++)
		if (strcmp(m->module[i].name, name) == 0)
			return &m->module[i];
	return NULL;
}

/* Words of @text, with @separator between, are asked for. Return: 0; -E2BIG: too many */
static int modules_ask(struct modules *m, const char *text, const char *separators,
		       bool early)
{
	char name[MODULES_NAME];

	for (;;) {
		struct module *k;
		size_t n;

		text += strspn(text, separators);
		n = strcspn(text, separators);
		if (!n)
			return 0;
		if (n < sizeof(name)) {
			for (size_t i = 0; i < n; i++)
				name[i] = text[i] == '-' ? '_' : text[i];
			name[n] = '\0';
			k = modules_of(m, name);
			if (!k && m->n == MODULES_MAX)
				return -E2BIG;
			if (!k) {
				k = &m->module[m->n++];
				*k = (struct module){.early = early};
				memcpy(k->name, name, n + 1);
			}
			k->early &= early;
		}
		text += n;
	}
}

void modules_init(struct modules *m, const char *from, const char *kernel,
		  const char *cure)
{
	const char *line = AGENT_GROUPS;
	bool first = true; /* without this group the agent does not come up */

	*m = (struct modules){.from = from, .kernel = kernel, .cure = cure};
	for (const char *end; (end = strchr(line, '\n')); line = end + 1) {
		char words[256];

		(void)snprintf(words, sizeof(words), "%.*s", (int)(end - line), line);
		(void)modules_ask(m, strchr(words, ' '), " ", false);
		for (unsigned int i = 0; i < m->n && first; i++)
			m->module[i].must = true;
		first = false;
	}
}

/* What Debian's and others' kernels need for those of the groups. One that is missing here costs time
 * alone: what is read in order is read once more
 */
void modules_early(struct modules *m)
{
	(void)modules_ask(
		m,
		"virtio virtio_ring fuse failover net_failover jbd2 mbcache "
		"crc16 libcrc32c crc32c_generic crc32c_cryptoapi lz4_decompress "
		"lz4hc_compress lz4_compress zstd_decompress zstd_common xxhash "
		"netfs fscache dax",
		" ", true);
}

void modules_fini(struct modules *m)
{
	for (unsigned int i = 0; i < m->n; i++)
		free(m->module[i].bytes);
	m->n = 0;
}

struct module *modules_next(struct modules *m, unsigned int *i)
{
	while (*i < m->n) {
		struct module *k = &m->module[(*i)++];

		if (k->state == MODULE_ASKED)
			return k;
	}
	return NULL;
}

struct module *modules_find(struct modules *m, const char *path)
{
	char name[MODULES_NAME];
	struct module *k = modules_name(path, name) ? modules_of(m, name) : NULL;

	return k && k->state == MODULE_ASKED ? k : NULL;
}

void modules_none(struct module *k)
{
	k->state = MODULE_NONE;
}

static bool modules_listed(const char *text, const char *name)
{
	char path[4096], base[MODULES_NAME];

	for (size_t n; *text; text += n + (text[n] == '\n')) {
		n = strcspn(text, "\n");
		(void)snprintf(path, sizeof(path), "%.*s", (int)MIN(n, sizeof(path)),
			       text);
		if (modules_name(path, base) && strcmp(base, name) == 0)
			return true;
	}
	return false;
}

int modules_builtin(const struct modules *m, const char *text, struct err *e)
{
	for (unsigned int i = 0; text && i < m->n; i++) {
		const struct module *k = &m->module[i];

		if (k->must && k->state == MODULE_NONE && !modules_listed(text, k->name))
			return err_set(
				e, ENOEXEC,
				"kernel %.200s: has no %s, neither built in nor as a "
				"module, and without it no agent starts; build it "
				"with what guest-images/kernel/guest.config has",
				m->kernel, k->name);
	}
	return 0;
}

/* ---- a file ---- */

static int modules_damaged(const struct modules *m, const struct module *k,
			   const char *why, struct err *e)
{
	return err_set(e, ENOEXEC, "%.200s: its module %s %s; fetch or build it again",
		       m->from, k->name, why);
}

/* In place of a packed one, what it is unpacked to */
static int modules_unpack(const struct modules *m, struct module *k, struct err *e)
{
	const struct packing *p = k->len > UNPACK_MAGIC_MAX ? packing_of(k->bytes) : NULL;
	uint8_t *room, *less;
	int64_t n;

	if (!p)
		return 0;
	room = malloc(MODULES_FILE_MAX);
	n = room ? p->how(k->bytes, k->len, room, MODULES_FILE_MAX) : -ENOMEM;
	free(k->bytes);
	k->bytes = room;
	k->len = n > 0 ? (size_t)n : 0;
	if (n == -EFBIG)
		return modules_damaged(m, k, "is unpacked to more than 64 MiB", e);
	if (n == -ENOMEM)
		return err_set(e, ENOMEM, "%.200s: no memory to unpack its module %s",
			       m->from, k->name);
	if (n <= 0)
		return modules_damaged(m, k, "cannot be unpacked to its end", e);
	less = realloc(room, k->len);
	k->bytes = less ? less : room;
	return 0;
}

static int modules_check(const struct modules *m, const struct module *k,
			 const struct modinfo *info, struct err *e)
{
	if (info->machine != arch_elf)
		return err_set(e, ENOEXEC,
			       "%.200s: its module %s is for another machine (ELF number "
			       "%u), but this host is %s; fetch or build them for %s",
			       m->from, k->name, info->machine, arch_name, arch_images);
	if (!*m->release || !info->release_len ||
	    (strlen(m->release) == info->release_len &&
	     memcmp(m->release, info->release, info->release_len) == 0))
		return 0;
	err_set(e, ENOEXEC,
		"%.120s: its module %s is of kernel %.*s, but %.100s is %s; %s", m->from,
		k->name, (int)MIN(info->release_len, (size_t)RELEASE_MAX), info->release,
		m->kernel, m->release, m->cure);
	text_printable(e->msg, strlen(e->msg));
	return -e->code;
}

int modules_put(struct modules *m, struct module *k, uint8_t *bytes, size_t len,
		struct err *e)
{
	struct modinfo info;
	int rc;

	k->state = MODULE_FOUND;
	k->bytes = bytes;
	k->len = len;
	k->depends = "";
	rc = modules_unpack(m, k, e);
	if (rc < 0)
		return rc;
	m->total += k->len;
	if (m->total > MODULES_TOTAL_MAX)
		return err_set(
			e, EFBIG,
			"%.200s: the modules that a job needs have more than %llu "
			"MiB; strip them (make INSTALL_MOD_STRIP=1 modules_install)",
			m->from, (unsigned long long)(MODULES_TOTAL_MAX / MIB));
	if (modinfo_read(k->bytes, k->len, &info) < 0)
		return modules_damaged(m, k, "is no module of Linux, or is damaged", e);
	rc = modules_check(m, k, &info, e);
	if (rc < 0)
		return rc;
	k->depends = info.depends;
	if (modules_ask(m, k->depends, ",", k->early) < 0)
		return modules_damaged(m, k, "depends on too many", e);
	return 0;
}
