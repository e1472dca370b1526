/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup_text - names of control groups, and what the kernel's files say of them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/jail/cgroup.h"

#define CGROUP_OURS "microvm-" /* and the broker's number */

void cgroup_name(char name[CGROUP_NAME], pid_t broker, int nth)
{
	if (nth < CGROUP_TRIES)
		(void)snprintf(name, CGROUP_NAME, CGROUP_OURS "%d.%d", broker, nth);
	else
		(void)snprintf(name, CGROUP_NAME, CGROUP_OURS "%d.broker", broker);
}

pid_t cgroup_broker(const char *name)
{
	bool begins = strncmp(name, CGROUP_OURS, strlen(CGROUP_OURS)) == 0;
	pid_t pid = begins ? atoi(name + strlen(CGROUP_OURS)) : 0;
	char ours[CGROUP_NAME];

	for (int nth = 0; pid > 0 && nth <= CGROUP_TRIES; nth++) {
		cgroup_name(ours, pid, nth);
		if (strcmp(name, ours) == 0)
			return pid;
	}
	return 0;
}

int cgroup_own(const char *text, char *path, size_t size)
{
	static const char gone[] = " (deleted)";
	const char *p = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
	size_t len;

	if (!p)
		return -ENOENT;
	p = strchr(p, '/');
	len = p ? strcspn(p, "\n") : 0;
	if (!len || (len >= sizeof(gone) &&
		     memcmp(p + len + 1 - sizeof(gone), gone, sizeof(gone) - 1) == 0))
		return -ENOENT;
	if (len >= size)
		return -ENAMETOOLONG;
	memcpy(path, p, len);
	path[len] = '\0';
	return 0;
}

/* The beginning of the line "@key ..." in @text, behind the key */
static const char *line_of(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (const char *p = text; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, key, len) == 0 && p[len] == ' ')
			return p + len;
	}
	return NULL;
}

uint64_t cgroup_count(const char *text, const char *event)
{
	const char *p = line_of(text, event);

	return p ? strtoull(p, NULL, 10) : 0;
}
