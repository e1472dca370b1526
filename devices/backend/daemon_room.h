/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon_room - namespaces around a daemon: entered by the new process before it becomes
 * the program, while it still uses our memory.
 */
#ifndef MICROVM_BACKEND_DAEMON_ROOM_H
#define MICROVM_BACKEND_DAEMON_ROOM_H

#include "devices/backend/daemon.h"
#include "devices/backend/daemon_users.h"

struct daemon_room {
	const struct daemon_dir *dir; /* as in the spec */
	enum daemon_users users;      /* likewise */
	struct daemon_map map;
};

/* daemon_room_init() - what @s asks for; before the new process starts.  Return: 0; -ENOENT: there
 * is no user that is DAEMON_OTHER
 */
int daemon_room_init(struct daemon_room *r, const struct daemon_spec *s);
/* Both in the new process: system calls only. Return: NULL, or what failed, errno set.
 * daemon_room_stand() - while our descriptors are still open; daemon_room_enter() - later
 */
const char *daemon_room_stand(const struct daemon_room *r);
const char *daemon_room_enter(const struct daemon_room *r);

#endif
