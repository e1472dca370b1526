/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon_room - a user namespace in which a daemon is root, and a mount namespace in which
 * a directory, or some of the host's root, has a name that we chose.
 */
#include "devices/backend/daemon_room.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/backend/daemon_fence.h"
#include "devices/backend/daemon_tree.h"

/* not every C library allows <sys/mount.h> together with <linux/mount.h> */
#define ROOM_MS_BIND    4096UL
#define ROOM_MS_REC     16384UL
#define ROOM_MS_PRIVATE (1UL << 18)
#define ROOM_MS_SLAVE   (1UL << 19)
#define ROOM_RECURSIVE  0x8000 /* AT_RECURSIVE */

int daemon_room_init(struct daemon_room *r, const struct daemon_spec *s)
{
	*r = (struct daemon_room){.dir = s->dir, .users = s->users};
	if (s->users == DAEMON_OTHER)
		return daemon_map_other(&r->map);
	if (s->users == DAEMON_ROOM)
		daemon_map_ours(&r->map);
	return 0;
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

	if (syscall(SYS_mount, "none", "/", NULL, ROOM_MS_REC | kind, NULL) < 0)
		return -1;
	if (d->host)
		return daemon_tree_mount(d->at);
	if (syscall(SYS_mount, ".", d->at, NULL, ROOM_MS_BIND | ROOM_MS_REC, NULL) < 0 ||
	    chdir("/") < 0)
		return -1;
	if (!d->readonly)
		return 0;
	return (int)syscall(SYS_mount_setattr, AT_FDCWD, d->at, ROOM_RECURSIVE, &ro,
			    sizeof(ro));
}

/* ---- users ---- */

/* Our user alone: what every user may say for itself */
static int room_map_alone(const struct daemon_map *m)
{
	return room_write("/proc/self/setgroups", "deny") < 0 ||
			       room_write("/proc/self/uid_map", m->uids) < 0 ||
			       room_write("/proc/self/gid_map", m->gids) < 0
		       ? -1
		       : 0;
}

/* A process that stays in our user namespace, where it has the rights to give others' ids: it writes
 * the maps of the one whose /proc directory is @proc once it is told to, and ends with the errno
 */
static _Noreturn void room_map_others(const struct daemon_map *m, int proc, int told)
{
	char go;

	if (read(told, &go, 1) == 1 && room_write_at(proc, "uid_map", m->uids) == 0 &&
	    room_write_at(proc, "gid_map", m->gids) == 0)
		_exit(0);
	_exit(errno ? errno : ECANCELED);
}

/* Into the namespaces of @flags, with maps that another process writes.  We may share our memory with
 * what started us, so clone(2) as it is. Return: 0, or -1 with errno
 */
static int room_unshare_with(const struct daemon_map *m, int flags)
{
	int proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC), go[2], status;
	int rc, saved;
	pid_t pid;

	if (proc < 0 || pipe2(go, O_CLOEXEC) < 0)
		return -1;
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0) {
		close(go[1]);
		room_map_others(m, proc, go[0]);
	}
	rc = pid < 0 ? -1 : unshare(flags);
	saved = errno;
	if (rc == 0)
		(void)!write(go[1], "", 1);
	close(go[0]);
	close(go[1]);
	close(proc);
	errno = saved;
	if (pid < 0 || waitpid(pid, &status, 0) != pid || rc < 0)
		return -1;
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	return errno ? -1 : 0;
}

/* The library's own functions would do it to all threads that share our memory */
static int room_become_root(void)
{
	return syscall(SYS_setgroups, 0, NULL) < 0 ||
			       syscall(SYS_setresgid, 0, 0, 0) < 0 ||
			       syscall(SYS_setresuid, 0, 0, 0) < 0
		       ? -1
		       : 0;
}

const char *daemon_room_enter(const struct daemon_room *r)
{
	int flags = (r->users ? CLONE_NEWUSER : 0) | (r->dir ? CLONE_NEWNS : 0);
	bool with = r->users && !r->map.alone;

	if (with && room_unshare_with(&r->map, flags) < 0)
		return "cannot have a user namespace with other users: ";
	if (!with && flags && unshare(flags) < 0)
		return "cannot have namespaces of its own: ";
	if (r->users && ((!with && room_map_alone(&r->map) < 0) ||
			 (r->users == DAEMON_OTHER ? room_become_root()
						   : room_pretend_setgroups()) < 0))
		return "cannot be root in a user namespace: ";
	if (r->dir && room_mount(r->dir) < 0)
		return "cannot have its directory in a namespace of its own: ";
	return NULL;
}
