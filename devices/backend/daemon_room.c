/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon_room - a user namespace in which a daemon is root, and a mount namespace in which
 * a directory has a name that we chose.
 */
#include "devices/backend/daemon_room.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "devices/backend/daemon_fence.h"

/* not every C library allows <sys/mount.h> together with <linux/mount.h> */
#define ROOM_MS_BIND    4096UL
#define ROOM_MS_REC     16384UL
#define ROOM_MS_PRIVATE (1UL << 18)
#define ROOM_MS_SLAVE   (1UL << 19)
#define ROOM_RECURSIVE  0x8000 /* AT_RECURSIVE */

void daemon_room_init(struct daemon_room *r, const struct daemon_spec *s)
{
	*r = (struct daemon_room){.dir = s->dir, .userns = s->userns};
	(void)snprintf(r->uids, sizeof(r->uids), "0 %u 1", geteuid());
	(void)snprintf(r->gids, sizeof(r->gids), "0 %u 1", getegid());
}

/* A process that is not root outside may not leave its groups. virtiofsd tries to, for safety,
 * and gives up if it cannot: let the call succeed without effect.
 */
static int room_pretend_setgroups(void)
{
	static const unsigned int call = SYS_setgroups;

	return room_answer(&call, 1, 0);
}

/* unshare(2) copies all mounts.  A descriptor still refers to the old ones, which cannot be
 * mounted in the new namespace; the current directory is moved to the copy.
 */
const char *daemon_room_stand(const struct daemon_room *r)
{
	if (r->dir && fchdir(r->dir->fd) < 0)
		return "cannot enter its directory: ";
	return NULL;
}

/* Mount the current directory at @d->at.  What the host mounts in it later appears there as
 * well, unless @d is read-only: such a mount would be writable.
 */
static int room_mount(const struct daemon_dir *d)
{
	struct mount_attr ro = {.attr_set = MOUNT_ATTR_RDONLY};
	unsigned long kind = d->readonly ? ROOM_MS_PRIVATE : ROOM_MS_SLAVE;

	if (syscall(SYS_mount, "none", "/", NULL, ROOM_MS_REC | kind, NULL) < 0 ||
	    syscall(SYS_mount, ".", d->at, NULL, ROOM_MS_BIND | ROOM_MS_REC, NULL) < 0 ||
	    chdir("/") < 0)
		return -1;
	if (!d->readonly)
		return 0;
	return (int)syscall(SYS_mount_setattr, AT_FDCWD, d->at, ROOM_RECURSIVE, &ro,
			    sizeof(ro));
}

const char *daemon_room_enter(const struct daemon_room *r)
{
	int flags = (r->userns ? CLONE_NEWUSER : 0) | (r->dir ? CLONE_NEWNS : 0);

	if (flags && unshare(flags) < 0)
		return "cannot have namespaces of its own: ";
	if (r->userns && (room_write("/proc/self/setgroups", "deny") < 0 ||
			  room_write("/proc/self/uid_map", r->uids) < 0 ||
			  room_write("/proc/self/gid_map", r->gids) < 0 ||
			  room_pretend_setgroups() < 0))
		return "cannot be root in a user namespace: ";
	if (r->dir && room_mount(r->dir) < 0)
		return "cannot have its directory in a namespace of its own: ";
	return NULL;
}
