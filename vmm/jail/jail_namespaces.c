/* SPDX-License-Identifier: Apache-2.0 */
/* jail_namespaces - namespaces of its own, and a root with nothing in it. */
#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/core/util.h"
#include "vmm/jail/jail_steps.h"

static const struct {
	enum jail_layer layer;
	int flag;
} namespaces[] = {
	{JAIL_USER_NS, CLONE_NEWUSER},     {JAIL_MOUNT_NS, CLONE_NEWNS},
	{JAIL_IPC_NS, CLONE_NEWIPC},       {JAIL_UTS_NS, CLONE_NEWUTS},
	{JAIL_CGROUP_NS, CLONE_NEWCGROUP}, {JAIL_NET_NS, CLONE_NEWNET},
};

/* Those that unshare(2) is asked for. A network namespace costs more than all the rest
 * (docs/security.md), and the filters allow no socket
 */
static bool namespace_wanted(const struct jail *j, enum jail_layer l)
{
	if (l == JAIL_USER_NS)
		return !j->user_ns && !j->root;
	return l != JAIL_NET_NS || j->mode == JAIL_STRICT;
}

void jail_namespaces(struct jail *j,
		     void (*note)(struct jail *j, enum jail_layer l, int rc))
{
	bool at_once;
	int all = 0;

	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++)
		if (namespace_wanted(j, namespaces[i].layer))
			all |= namespaces[i].flag;
	at_once = unshare(all) == 0;
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		enum jail_layer l = namespaces[i].layer;
		int rc = 0;

		if (l == JAIL_USER_NS && j->root)
			continue;
		if (!namespace_wanted(j, l))
			rc = l == JAIL_NET_NS ? -EALREADY : 0;
		else if (!at_once && unshare(namespaces[i].flag) < 0)
			rc = -errno;
		note(j, l, rc);
	}
	/* A process cannot move itself into a pid namespace and have threads there. */
	note(j, JAIL_PID_NS, j->pid_ns ? 0 : -(j->clone_errno ? j->clone_errno : EPERM));
}

int jail_user_namespace(void)
{
	return unshare(CLONE_NEWUSER) < 0 ? -errno : 0;
}

/* Go into an empty directory, from which every path begins after jail_root_enter() */
int jail_root_cover(void)
{
	/* any directory that there is */
	static const char *const places[] = {"/proc", "/dev", "/tmp", "/usr"};
	const unsigned long flags = MS_NODEV | MS_NOEXEC | MS_NOSUID | MS_RDONLY;
	int rc = -ENOENT;

	/* nothing below may reach the host's own mounts */
	if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		return -errno;
	for (size_t i = 0; rc < 0 && i < ARRAY_SIZE(places); i++)
		rc = mount("none", places[i], "tmpfs", flags, "nr_inodes=2,nr_blocks=1") <
				     0
			     ? -errno
			     : chdir(places[i]);
	return rc < 0 ? -errno : 0;
}

/* The old root goes away with its last descriptor. An initramfs cannot be pivoted away */
int jail_root_swap(void)
{
	if (syscall(SYS_pivot_root, ".", ".") == 0)
		return umount2(".", MNT_DETACH) < 0 ? -errno : 0;
	return mount(".", "/", NULL, MS_MOVE, NULL) < 0 ? -errno : 0;
}

int jail_root_enter(void)
{
	return chroot(".") < 0 || chdir("/") < 0 ? -errno : 0;
}
