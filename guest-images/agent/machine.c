/* SPDX-License-Identifier: Apache-2.0 */
/* machine - what MACHINE says: the root, what lies over it, and the network */
#include "guest-images/agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest-images/agent/net.h"
#include "guest-images/agent/root.h"
#include "guest-images/agent/spec.h"

static char hostname[65] = "microvm";
static int volumes[ROOT_VOLUMES];
static unsigned int nvolumes;

const char *machine_hostname(void)
{
	return hostname;
}

void machine_flush(void)
{
	for (unsigned int i = 0; i < nvolumes; i++)
		(void)syncfs(volumes[i]);
}

/* A part of "TAG:ro:DST", ended in place.  Return: what follows, or NULL */
static char *split(char *text)
{
	char *colon = strchr(text, ':');

	if (colon)
		*colon++ = '\0';
	return colon;
}

/* Mount a virtiofs device where the jobs do not see it; later steps put it in its place */
static bool add_volume(struct root *r, char *value, char why[AGENT_SENTENCE + 1])
{
	struct root_volume *v = &r->volumes[r->nvolumes];
	char *mode = split(value), *dst = mode ? split(mode) : NULL;
	char path[64];

	if (!dst || *dst != '/' || (strcmp(mode, "ro") != 0 && strcmp(mode, "rw") != 0))
		return sentence(why,
				"the agent does not understand a volume of microvm's");
	if (r->nvolumes == ROOT_VOLUMES)
		return sentence(why, "there are more than %d volumes", ROOT_VOLUMES);
	(void)snprintf(path, sizeof(path), "/run/volume%u", r->nvolumes);
	(void)mkdir(path, 0755);
	modules_load("virtiofs");
	if (!root_mount(value, path, "virtiofs", *(mode + 1) == 'o' ? MS_RDONLY : 0, NULL,
			why))
		return false;
	volumes[r->nvolumes] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	v->dst = dst;
	v->src = r->nvolumes++;
	if (*(mode + 1) == 'w' && volumes[v->src] >= 0)
		nvolumes = r->nvolumes;
	return true;
}

static bool take(struct root *r, const char *name, char *value,
		 char why[AGENT_SENTENCE + 1])
{
	if (!strcmp(name, "hostname")) {
		(void)snprintf(hostname, sizeof(hostname), "%s", value);
	} else if (!strcmp(name, "root")) {
		r->kind = value;
		r->source = split(value);
	} else if (!strcmp(name, "scratch")) {
		r->scratch = value;
	} else if (!strcmp(name, "volume")) {
		return add_volume(r, value, why);
	} else if (!strcmp(name, "tmpfs")) {
		if (r->ntmpfs == ROOT_VOLUMES)
			return sentence(why, "there are more than %d --tmpfs",
					ROOT_VOLUMES);
		r->tmpfs[r->ntmpfs++] = value;
	} else if (!strcmp(name, "files")) {
		char *size = split(value);

		r->files = value;
		return (size && number(size, INT64_MAX, &r->nfiles)) ||
		       sentence(why, "the agent does not understand files=%.100s", value);
	} else if (!strcmp(name, "net")) {
		return strcmp(value, "dhcp") == 0
			       ? net_up(&r->nameserver, why)
			       : sentence(why, "the agent does not understand net=%.100s",
					  value);
	} else {
		return sentence(
			why,
			"the agent does not understand %.40s=%.200s: make it again, by guest-images/agent/prepare",
			name, value);
	}
	return true;
}

bool machine_make(char *text, size_t len, char why[AGENT_SENTENCE + 1])
{
	const char *name, *value;
	struct root r = {0};
	size_t at = 0;
	int rc;

	while ((rc = agent_text_next(text, len, &at, &name, &value)) == 1)
		if (!take(&r, name, (char *)value, why))
			return false;
	if (rc < 0 || !r.kind || !r.source)
		return sentence(why, "the agent was told of no root");
	(void)sethostname(hostname, strlen(hostname));
	net_lo();
	return root_make(&r, why) && root_furnish(&r, why);
}
