/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon_users - which users of the host the users of a daemon's own user namespace are.
 *
 * What we may choose from is in our own namespace: an ordinary user's machine is in one where, if
 * the host gives subordinate ids, those are there beside the user (vmm/jail/broker_users.c).
 */
#ifndef MICROVM_BACKEND_DAEMON_USERS_H
#define MICROVM_BACKEND_DAEMON_USERS_H

#include <stdbool.h>

/* What becomes uid_map and gid_map (user_namespaces(7)) */
struct daemon_map {
	char uids[64], gids[64];
	bool alone; /* it has our user and no other one, which needs no right over others */
};

/* daemon_map_ours() - its root is our user; the other users, from 1 on, are our subordinate ids if
 * there are any
 */
void daemon_map_ours(struct daemon_map *m);
/* daemon_map_other() - its root is a user and a group that no other process and no file of the host
 * should have, and there are no other users.  Return: 0; -ENOENT: we have no such user to give
 */
int daemon_map_other(struct daemon_map *m);

#endif
