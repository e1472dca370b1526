/* SPDX-License-Identifier: Apache-2.0 */
/* broker_users - newuidmap and newgidmap, which have rights that we have not. */
#include "vmm/jail/broker_users.h"

#include <stdio.h>
#include <unistd.h>

#include "vmm/core/log.h"
#include "vmm/core/program.h"
#include "vmm/core/subids.h"

static bool users_map(const char *program, pid_t pid, unsigned int ours,
		      const struct subids_range *r)
{
	char of[16], us[16], first[16], count[16];
	const char *const argv[] = {program, of, us, us, "1", first, first, count, NULL};
	struct err e;

	(void)snprintf(of, sizeof(of), "%d", (int)pid);
	(void)snprintf(us, sizeof(us), "%u", ours);
	(void)snprintf(first, sizeof(first), "%u", r->first);
	(void)snprintf(count, sizeof(count), "%u", r->count);
	if (program_run(program, argv, -1, &e) == 0)
		return true;
	log_warn(
		"shared directories have one user alone, the others were not given: %s; see "
		"/etc/subuid and /etc/subgid",
		e.msg);
	return false;
}

bool broker_users(pid_t pid)
{
	struct subids s;
	struct err e;

	return subids_find(&s, &e) == 0 &&
	       users_map(s.newuidmap, pid, geteuid(), &s.uids) &&
	       users_map(s.newgidmap, pid, getegid(), &s.gids);
}
