/* SPDX-License-Identifier: Apache-2.0 */
/* daemon_users - the maps of a daemon's user namespace, from those of our own. */
#include "devices/backend/daemon_users.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "vmm/core/subids.h"

/* As root: just above those that machines have for themselves (vmm/jail/jail_identity.c), in a range
 * that distributions leave alone
 */
#define USERS_OTHER 0x7a010000U

void daemon_map_ours(struct daemon_map *m)
{
	unsigned int uid = geteuid(), gid = getegid();
	struct subids_range u, g;

	m->alone = !subids_given(&u, &g);
	(void)snprintf(m->uids, sizeof(m->uids), "0 %u 1", uid);
	(void)snprintf(m->gids, sizeof(m->gids), "0 %u 1", gid);
	if (m->alone)
		return;
	(void)snprintf(m->uids, sizeof(m->uids), "0 %u 1\n1 %u %u", uid, u.first,
		       u.count);
	(void)snprintf(m->gids, sizeof(m->gids), "0 %u 1\n1 %u %u", gid, g.first,
		       g.count);
}

/* The last one of a range is the least likely to own anything */
static unsigned int users_other(const struct subids_range *r)
{
	return subids_has(r, USERS_OTHER) ? USERS_OTHER : r->first + (r->count - 1);
}

int daemon_map_other(struct daemon_map *m)
{
	struct subids_range u, g;

	/* root may take any that there is */
	if (geteuid() != 0 ? !subids_given(&u, &g)
			   : !subids_mapped("/proc/self/uid_map", &u) ||
				     !subids_mapped("/proc/self/gid_map", &g))
		return -ENOENT;
	m->alone = false;
	(void)snprintf(m->uids, sizeof(m->uids), "0 %u 1", users_other(&u));
	(void)snprintf(m->gids, sizeof(m->gids), "0 %u 1", users_other(&g));
	return 0;
}
