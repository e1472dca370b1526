/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup - a control group for one machine. */
#include "vmm/jail/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "vmm/core/util.h"

#define CGROUP_MOUNT  "/sys/fs/cgroup"
#define CGROUP_PERIOD 100000 /* microseconds, the kernel's default */
#define CGROUP_END_MS \
	200 /* the last process has ended, and the kernel is not done with it yet */

/* ---- small files ---- */

/* Return: the text's length, it is cut to @size; or -errno */
static long file_read(int dir, const char *name, char *text, size_t size)
{
	cleanup_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	long n = fd < 0 ? -errno : read_full(fd, text, size - 1);

	text[n > 0 ? n : 0] = '\0';
	return n;
}

static int __attribute__((format(printf, 3, 4)))
file_write(int dir, const char *name, const char *fmt, ...)
{
	cleanup_close int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
	va_list ap;
	int n;

	if (fd < 0)
		return -errno;
	va_start(ap, fmt);
	n = vdprintf(fd, fmt, ap);
	va_end(ap);
	return n < 0 ? -errno : 0;
}

/* Is @word in @list, whose words have one space between? */
static bool list_has(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = strstr(list, word); p; p = strstr(p + 1, word))
		if ((p == list || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\n'))
			return true;
	return false;
}

/* ---- the parent ---- */

bool cgroup_here(void)
{
	struct statfs st;

	return statfs(CGROUP_MOUNT, &st) == 0 && st.f_type == CGROUP2_SUPER_MAGIC;
}

/* The group that we are in may be changed by us: it is the root group, as far as we can see; or systemd
 * says so; or another user than root owns it
 */
static bool parent_is_delegated(int dir, const char *path)
{
	static const char *const marks[] = {"trusted.delegate", "user.delegate"};
	struct stat st;
	char one;

	if (strcmp(path, "/") == 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (fgetxattr(dir, marks[i], &one, 1) == 1 && one == '1')
			return true;
	return fstat(dir, &st) == 0 && st.st_uid == geteuid() && st.st_uid != 0;
}

static int parent_open_own(const struct cgroup_want *w, char *path, size_t size,
			   struct err *e)
{
	char text[4096], below[PATH_MAX];
	int fd, rc;

	(void)file_read(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text));
	rc = cgroup_own(text, below, sizeof(below));
	if (rc == 0)
		(void)snprintf(path, size, CGROUP_MOUNT "%s", below);
	fd = rc < 0 ? rc : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(
			e, ENOENT,
			"this process is in no control group of version 2 below " CGROUP_MOUNT
			"; boot the host with "
			"systemd.unified_cgroup_hierarchy=1, or mount cgroup2 there");
	if (!w->delegated || parent_is_delegated(fd, below))
		return fd;
	close(fd);
	return err_set(e, EPERM,
		       "the control group %.200s is not delegated to this process; start "
		       "it as a service with Delegate=yes, or give --cgroup DIR",
		       path);
}

/* Return: a descriptor, and what to call it in @path; or -errno */
static int parent_open(const struct cgroup_want *w, char *path, size_t size,
		       struct err *e)
{
	struct statfs st;
	int fd;

	(void)snprintf(path, size, "%s", w->dir ? w->dir : "");
	fd = w->dir ? open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
		    : parent_open_own(w, path, size, e);
	if (fd < 0)
		return e->code ? fd
			       : err_set(e, errno,
					 "cannot open %.200s: %s; give a directory below " CGROUP_MOUNT
					 " that this user may read",
					 path, strerror(errno));
	if (fstatfs(fd, &st) == 0 && st.f_type == CGROUP2_SUPER_MAGIC)
		return fd;
	close(fd);
	return err_set(e, ENOTSUP,
		       "%.200s is no control group of version 2; give a directory "
		       "below " CGROUP_MOUNT ", on a host that was booted with "
		       "systemd.unified_cgroup_hierarchy=1",
		       path);
}

/* Are we the only process in it, as far as we can see? */
static bool parent_is_ours_alone(int parent)
{
	char text[64];

	(void)file_read(parent, "cgroup.procs", text, sizeof(text));
	return strtol(text, NULL, 10) == getpid() && strchr(text, '\n') &&
	       !strchr(text, '\n')[1];
}

/* The kernel gives controllers to the groups below only if no process is in this one */
static int parent_leave(int parent)
{
	char name[CGROUP_NAME], procs[64];
	int rc;

	if (!parent_is_ours_alone(parent))
		return -EBUSY;
	cgroup_name(name, getpid(), CGROUP_TRIES);
	if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	(void)snprintf(procs, sizeof(procs), "%s/cgroup.procs", name);
	rc = file_write(parent, procs, "0");
	if (rc < 0)
		(void)unlinkat(parent, name, AT_REMOVEDIR);
	return rc;
}

static int parent_refuses(const char *path, int code, struct err *e)
{
	if (code == EBUSY)
		return err_set(
			e, code,
			"%.200s has processes of its own, so a group below it can have "
			"no limits; give one without, or start microvm alone in it",
			path);
	return err_set(e, code,
		       "no group can be made in %.200s: %s; have it delegated to this "
		       "user (Delegate=yes in a systemd unit, without "
		       "ProtectControlGroups=)",
		       path, strerror(code));
}

static const char *const controllers[] = {"memory", "pids", "cpu"};

static size_t controllers_of(const struct cgroup_want *w)
{
	return w->cpus_milli ? 3 : 2;
}

static int parent_has(int parent, const char *path, const struct cgroup_want *w,
		      struct err *e)
{
	char has[512];

	(void)file_read(parent, "cgroup.controllers", has, sizeof(has));
	for (size_t i = 0; i < controllers_of(w); i++)
		if (!list_has(has, controllers[i]))
			return err_set(
				e, ENOTSUP,
				"%.200s has no controller \"%s\"; write +%s to "
				"cgroup.subtree_control of the group above it, or use a "
				"host without that controller in version 1",
				path, controllers[i], controllers[i]);
	return 0;
}

static int parent_enable(int parent, const char *path, const struct cgroup_want *w,
			 struct err *e)
{
	char on[512], add[64] = "";
	int rc = parent_has(parent, path, w, e);

	if (rc < 0)
		return rc;
	(void)file_read(parent, "cgroup.subtree_control", on, sizeof(on));
	for (size_t i = 0; i < controllers_of(w); i++)
		if (!list_has(on, controllers[i]))
			(void)snprintf(add + strlen(add), sizeof(add) - strlen(add),
				       "+%s ", controllers[i]);
	rc = add[0] ? file_write(parent, "cgroup.subtree_control", "%s", add) : 0;
	if (rc == -EBUSY) {
		rc = parent_leave(parent);
		if (rc == 0)
			rc = file_write(parent, "cgroup.subtree_control", "%s", add);
	}
	return rc < 0 ? parent_refuses(path, -rc, e) : 0;
}

/* ---- groups of ours below it ---- */

/* A broker holds the lock on its group for as long as it lives; the group's mode keeps other users from
 * locking it
 */
static void group_sweep(int parent, const char *name)
{
	cleanup_close int fd = -1;
	pid_t pid = cgroup_broker(name);

	if (!pid)
		return; /* an operator's, with nothing in it yet */
	if (pid != getpid() && (kill(pid, 0) == 0 || errno != ESRCH))
		return; /* most likely it lives, and this is quick */
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		(void)unlinkat(parent, name, AT_REMOVEDIR);
}

static void parent_sweep(int parent)
{
	int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *x;

	while (d && (x = readdir(d)))
		if (x->d_type == DT_DIR)
			group_sweep(parent, x->d_name);
	if (d)
		closedir(d);
	else
		cleanup_close_fd(&fd);
}

static int group_limit(int dir, const struct cgroup_want *w)
{
	int rc = file_write(dir, "memory.swap.max", "0");

	if (rc == 0 || rc == -ENOENT) /* a kernel without swap */
		rc = file_write(dir, "memory.max", "%llu", (unsigned long long)w->memory);
	if (rc == 0)
		rc = file_write(dir, "pids.max", "%u", w->tasks);
	if (rc == 0 && w->cpus_milli)
		rc = file_write(dir, "cpu.max", "%llu %d",
				(unsigned long long)w->cpus_milli * CGROUP_PERIOD / 1000,
				CGROUP_PERIOD);
	return rc;
}

static int group_try(struct cgroup *g, const struct cgroup_want *w, int nth)
{
	int rc;

	cgroup_name(g->name, getpid(), nth);
	if (mkdirat(g->parent, g->name, 0700) < 0)
		return -errno;
	g->dir = openat(g->parent, g->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = g->dir < 0 || flock(g->dir, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
	if (rc == 0)
		rc = group_limit(g->dir, w);
	if (rc == 0) {
		g->events = openat(g->dir, "memory.events", O_RDONLY | O_CLOEXEC);
		rc = g->events < 0 ? -errno : 0;
	}
	if (rc == 0)
		return 0;
	/* else a sweep removes it, and another process may have the name by now */
	if (rc != -EWOULDBLOCK)
		(void)unlinkat(g->parent, g->name, AT_REMOVEDIR);
	cleanup_close_fd(&g->dir);
	g->dir = -1;
	return rc;
}

int cgroup_look(const struct cgroup_want *w, struct err *e)
{
	char path[sizeof(CGROUP_MOUNT) + PATH_MAX];
	cleanup_close int parent = -1;

	*e = (struct err){0};
	parent = parent_open(w, path, sizeof(path), e);
	return parent < 0 ? parent : parent_has(parent, path, w, e);
}

int cgroup_make(struct cgroup *g, const struct cgroup_want *w, struct err *e)
{
	char path[sizeof(CGROUP_MOUNT) + PATH_MAX];
	int rc;

	*g = (struct cgroup){.parent = -1, .dir = -1, .events = -1, .memory = w->memory};
	*e = (struct err){0};
	rc = g->parent = parent_open(w, path, sizeof(path), e);
	if (rc >= 0)
		rc = parent_enable(g->parent, path, w, e);
	if (rc == 0) {
		parent_sweep(g->parent);
		/* a process of the same number in another pid namespace has the name, or has just
		 * taken the group for one that was left behind
		 */
		for (int i = 0; i == 0 || (rc < 0 && i < CGROUP_TRIES); i++)
			rc = group_try(g, w, i);
		if (rc < 0)
			parent_refuses(path, -rc, e);
	}
	if (rc < 0)
		cgroup_close(g);
	return rc;
}

/* ---- its end ---- */

int cgroup_starved(const struct cgroup *g, struct err *e)
{
	char events[512] = "";
	long n = g->events < 0 ? 0 : read(g->events, events, sizeof(events) - 1);

	events[n > 0 ? n : 0] = '\0';
	if (!cgroup_count(events, "oom_kill"))
		return 0;
	if (!cgroup_count(events, "oom"))
		return err_set(
			e, ENOMEM,
			"the host, or a control group above the machine's, ran out of "
			"memory, and the kernel killed the machine; give it more, or "
			"--memory less");
	return err_set(
		e, ENOMEM,
		"the machine's control group ran out of memory (memory.max %llu "
		"MiB, which has room for the guest's memory and for us): its guest "
		"may have taken the process over; if not, see --cgroup off",
		(unsigned long long)(g->memory / MIB));
}

void cgroup_close(struct cgroup *g)
{
	cleanup_close_fd(&g->parent);
	cleanup_close_fd(&g->dir);
	cleanup_close_fd(&g->events);
	*g = (struct cgroup){.parent = -1, .dir = -1, .events = -1};
}

void cgroup_remove(struct cgroup *g)
{
	for (int ms = 0; g->dir >= 0 && ms < CGROUP_END_MS; ms++) {
		if (unlinkat(g->parent, g->name, AT_REMOVEDIR) == 0 || errno != EBUSY)
			break;
		(void)poll(NULL, 0, 1);
	}
	cgroup_close(g);
}
