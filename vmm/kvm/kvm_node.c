/* SPDX-License-Identifier: Apache-2.0 */
/* kvm_node - the cure for a user who may not open /dev/kvm. */
#include "vmm/kvm/kvm_node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/core/shell.h"
#include "vmm/core/util.h"

#define NODE_GROUP_RW (S_IRGRP | S_IWGRP)

/* Is @line "NAME:PASSWORD:GID:MEMBERS" with @gid?  It then ends after the name. */
static bool node_is_group(char *line, gid_t gid)
{
	char *password = strchr(line, ':'), *number, *end;
	unsigned long n;

	number = password ? strchr(password + 1, ':') : NULL;
	if (!number)
		return false;
	errno = 0;
	n = strtoul(number + 1, &end, 10);
	if (errno || end == number + 1 || *end != ':' || n != gid)
		return false;
	*password = '\0';
	return true;
}

/* A static program cannot ask the host's name services, so getgrgid() will not do. */
static bool node_group(const char *groups, gid_t gid, char *name, size_t size)
{
	FILE *f = fopen(groups, "re");
	char line[512];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = node_is_group(line, gid) && strlen(line) < size;
	if (f)
		(void)fclose(f);
	if (found)
		memcpy(name, line, strlen(line) + 1);
	return found;
}

void kvm_node_cure(const char *node, const char *groups, char *to, size_t size)
{
	char group[64], setfacl[512];
	struct stat st;

	/* joining root's group would give more than this */
	if (stat(node, &st) == 0 && (st.st_mode & NODE_GROUP_RW) == NODE_GROUP_RW &&
	    st.st_gid != 0 && node_group(groups, st.st_gid, group, sizeof(group)))
		(void)snprintf(to, size,
			       "join its group: sudo usermod -aG %s $USER, then log in "
			       "again",
			       SHELL_WORD(group));
	else if (shell_find("setfacl", setfacl, sizeof(setfacl)) == 0)
		(void)snprintf(to, size, "sudo setfacl -m u:$USER:rw %s",
			       SHELL_WORD(node));
	else
		(void)snprintf(
			to, size,
			"sudo chmod 0666 %s, which lets every user of this host run "
			"machines",
			SHELL_WORD(node));
}
