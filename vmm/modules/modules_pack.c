/* SPDX-License-Identifier: Apache-2.0 */
/*
 * modules_pack - the modules as an initramfs: a cpio archive of the form "newc" (Linux'
 * Documentation/driver-api/early-userspace/buffer-format.rst).
 *
 * Linux unpacks one archive after the other into the same tree, and a later file takes the place of an
 * earlier one: so /modules/groups of the agent's own image is replaced.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "guest-images/agent/groups.h"
#include "vmm/core/limits.h"
#include "vmm/modules/modules.h"

#define PACK_ALIGN  4
#define PACK_GROUPS 4096 /* what the agent has room for */

struct pack {
	int fd;
	unsigned int n;     /* entries */
	int error;          /* errno of a write */
	unsigned int group; /* the number of the one that is being packed, from 1 */
};

static void pack_bytes(struct pack *p, const void *bytes, size_t len)
{
	static const char zeroes[PACK_ALIGN];
	long rc = p->error ? 0 : write_full(p->fd, bytes, len);

	if (rc >= 0 && !p->error && len % PACK_ALIGN)
		rc = write_full(p->fd, zeroes, PACK_ALIGN - len % PACK_ALIGN);
	if (rc < 0)
		p->error = (int)-rc;
}

static void pack_entry(struct pack *p, const char *name, mode_t mode, const void *bytes,
		       size_t len)
{
	char head[256];
	size_t n = strlen(name) + 1;

	/* inode, mode, two owners, links, time, size, four of devices, the name's length, no sum */
	(void)snprintf(head, sizeof(head),
		       "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s",
		       ++p->n, (unsigned int)mode, 0U, 0U, S_ISDIR(mode) ? 2U : 1U, 0U,
		       (unsigned int)len, 0U, 0U, 0U, 0U, (unsigned int)n, 0U, name);
	pack_bytes(p, head, strlen(head) + 1);
	pack_bytes(p, bytes, len);
}

/* The module's file, and before it those of what it depends on. Their names go to @line, each once */
static void pack_module(struct modules *m, struct pack *p, const char *name, char *line,
			size_t size)
{
	struct module *k = NULL;
	char path[MODULES_NAME + 16];
	size_t len;

	for (unsigned int i = 0; i < m->n && !k; i++)
		if (strcmp(m->module[i].name, name) == 0)
			k = &m->module[i];
	if (!k || k->state != MODULE_FOUND || k->group == p->group)
		return;
	k->group = p->group; /* before the others: they may depend on it in turn */
	for (const char *at = k->depends; *at; at += strspn(at, ",")) {
		char next[MODULES_NAME] = "";
		size_t n = strcspn(at, ",");

		for (size_t i = 0; i < n && i < sizeof(next) - 1; i++)
			next[i] = at[i] == '-' ? '_' : at[i];
		pack_module(m, p, next, line, size);
		at += n;
	}
	(void)snprintf(path, sizeof(path), "modules/%s.ko", k->name);
	if (!k->out)
		pack_entry(p, path, S_IFREG | 0644, k->bytes, k->len);
	k->out = true;
	len = strlen(line);
	(void)snprintf(line + len, size - len, " %s.ko", k->name);
}

/* A line of the groups becomes one of the image's, unless nothing is left of it */
static void pack_group(struct modules *m, struct pack *p, char *words, char *text,
		       size_t size)
{
	char line[PACK_GROUPS] = "", *group = strsep(&words, " "), *name;
	size_t n = strlen(text);

	p->group++;
	while ((name = strsep(&words, " ")))
		pack_module(m, p, name, line, sizeof(line));
	if (*line)
		(void)snprintf(text + n, size - n, "%s%s\n", group, line);
}

int modules_pack(struct modules *m, int fd, unsigned int *n, struct err *e)
{
	struct pack p = {.fd = fd};
	char text[PACK_GROUPS] = "";
	const char *line = AGENT_GROUPS;

	*n = 0;
	pack_entry(&p, "modules", S_IFDIR | 0755, "", 0);
	for (const char *end; (end = strchr(line, '\n')); line = end + 1) {
		char words[256];

		(void)snprintf(words, sizeof(words), "%.*s", (int)(end - line), line);
		pack_group(m, &p, words, text, sizeof(text));
	}
	pack_entry(&p, "modules/groups", S_IFREG | 0644, text, strlen(text));
	pack_entry(&p, "TRAILER!!!", 0, "", 0);
	for (unsigned int i = 0; i < m->n; i++)
		*n += m->module[i].out;
	if (p.error) {
		const char *cure = limits_cure(p.error);

		return err_set(e, p.error, "%.200s: its modules cannot be packed: %s; %s",
			       m->from, strerror(p.error),
			       cure ? cure
				    : "set TMPDIR to a directory that has room for them");
	}
	return strlen(text) + 1 < sizeof(text)
		       ? 0
		       : err_set(e, E2BIG, "%.200s: a job's modules depend on too many",
				 m->from);
}
