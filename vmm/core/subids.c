/* SPDX-License-Identifier: Apache-2.0 */
/* subids - the subordinate ids of this user. */
#include "vmm/core/subids.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "vmm/core/shell.h"
#include "vmm/core/util.h"

#define SUBIDS_NAME_MAX 256

/* By the file alone: a program that is linked statically cannot ask elsewhere */
static void subids_name(uid_t uid, char name[SUBIDS_NAME_MAX])
{
	FILE *f = fopen("/etc/passwd", "re");
	const char *env = getenv("LOGNAME");
	struct passwd *p;

	(void)snprintf(name, SUBIDS_NAME_MAX, "%s", env ? env : "");
	while (f && (p = fgetpwent(f)))
		if (p->pw_uid == uid) {
			(void)snprintf(name, SUBIDS_NAME_MAX, "%s", p->pw_name);
			break;
		}
	if (f)
		(void)fclose(f);
}

uint32_t subids_read(FILE *f, const char *name, uint32_t uid, struct subids_range *r)
{
	char who[SUBIDS_NAME_MAX], number[16];
	char *line = NULL;
	unsigned long first, count;
	size_t room = 0;

	*r = (struct subids_range){0};
	(void)snprintf(number, sizeof(number), "%u", uid);
	while (getline(&line, &room, f) > 0)
		if (sscanf(line, "%255[^:]:%lu:%lu", who, &first, &count) == 3 &&
		    ((name && strcmp(who, name) == 0) || strcmp(who, number) == 0) &&
		    count > r->count && first < UINT32_MAX && count < UINT32_MAX - first)
			*r = (struct subids_range){(uint32_t)first, (uint32_t)count};
	free(line);
	return r->count;
}

static uint32_t subids_in(const char *path, const char *name, struct subids_range *r)
{
	FILE *f = fopen(path, "re");
	uint32_t n = f ? subids_read(f, *name ? name : NULL, geteuid(), r) : 0;

	if (f)
		(void)fclose(f);
	return n;
}

int subids_find(struct subids *s, struct err *e)
{
	char name[SUBIDS_NAME_MAX];

	/* they would say that they may not */
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return err_set(e, ENOENT,
			       "newuidmap can give a process with no_new_privs no ids: "
			       "start it without (systemd: NoNewPrivileges=no)");
	subids_name(geteuid(), name);
	if (!subids_in("/etc/subuid", name, &s->uids) ||
	    !subids_in("/etc/subgid", name, &s->gids))
		return err_set(e, ENOENT,
			       "/etc/subuid and /etc/subgid give this user no ids: "
			       "usermod --add-subuids 100000-165535 --add-subgids "
			       "100000-165535 %.100s",
			       SHELL_WORD(*name ? name : "USER"));
	if (shell_find("newuidmap", s->newuidmap, sizeof(s->newuidmap)) < 0 ||
	    shell_find("newgidmap", s->newgidmap, sizeof(s->newgidmap)) < 0)
		return err_set(e, ENOENT,
			       "newuidmap and newgidmap are not installed: apt install "
			       "uidmap");
	return 0;
}

bool subids_mapped(const char *file, struct subids_range *r)
{
	FILE *f = fopen(file, "re");
	struct subids_range one;

	*r = (struct subids_range){0, 1};
	while (f && fscanf(f, "%u %*u %u", &one.first, &one.count) == 2)
		if (one.count > r->count)
			*r = one;
	if (f)
		(void)fclose(f);
	return r->count > 1;
}

bool subids_given(struct subids_range *uids, struct subids_range *gids)
{
	return subids_mapped("/proc/self/uid_map", uids) &&
	       subids_mapped("/proc/self/gid_map", gids) &&
	       !subids_has(uids, geteuid()) && !subids_has(gids, getegid());
}
