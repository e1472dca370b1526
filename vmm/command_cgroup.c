/* SPDX-License-Identifier: Apache-2.0 */
/* command_cgroup - the limits of a machine and of its control group, from its settings. */
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "vmm/command_jail.h"
#include "vmm/core/disk_format.h"
#include "vmm/core/util.h"

/* Beside the guest's RAM: what we, KVM and the kernel keep for a machine, and the pages of files that
 * are being written. KVM's page tables and their way back take a thirty-second of the RAM at most (its
 * own limit is a fiftieth)
 */
#define GROUP_MEMORY        (128 * MIB)
#define GROUP_MEMORY_SHARE  32
#define GROUP_MEMORY_HELPER (128 * MIB)
/* The loop, 64 workers, io_uring's threads, vhost's and KVM's; a vCPU and its helper */
#define GROUP_TASKS        256
#define GROUP_TASKS_VCPU   2
#define GROUP_TASKS_HELPER 128

static bool disk_is_helpers(const struct config_disk *d)
{
	return d->path &&
	       (d->format == DISK_FORMAT_BY_NAME ? disk_format_of_path(d->path)
						 : d->format) != DISK_FORMAT_RAW;
}

/* Programs that we start: virtiofsd, passt, qemu-storage-daemon. They are in the group */
static unsigned int group_helpers(const struct config *cfg)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < cfg->nshare; i++)
		n += !cfg->share[i].socket;
	for (unsigned int i = 0; i < cfg->nnet; i++)
		n += cfg->net[i].user;
	for (unsigned int i = 0; i < cfg->ndisk; i++)
		n += disk_is_helpers(&cfg->disk[i]);
	return n;
}

/* A file system in memory keeps what is written to it there, and that is the writer's: as much as it may
 * still take
 */
static uint64_t group_free(const struct stat *st, int rc, const struct statfs *s)
{
	if (rc < 0 || (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode)) ||
	    (s->f_type != TMPFS_MAGIC && s->f_type != RAMFS_MAGIC))
		return 0;
	return s->f_blocks ? (uint64_t)s->f_bavail * (uint64_t)s->f_bsize : UINT64_MAX;
}

static uint64_t group_free_at(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	cleanup_free char *dir = slash ? strndup(path, (size_t)(slash - path) + 1)
				       : strdup(".");
	struct statfs s;
	struct stat st;

	if (!path || !dir)
		return 0;
	if (stat(path, &st) < 0) /* it is not made yet */
		path = dir;
	return group_free(&st, stat(path, &st) < 0 ? -1 : statfs(path, &s), &s);
}

static uint64_t group_free_of(int fd)
{
	struct statfs s;
	struct stat st;

	return group_free(&st, fstat(fd, &st) < 0 ? -1 : fstatfs(fd, &s), &s);
}

/* Whatever the machine may write to in memory, but all of the host's at most */
static uint64_t group_files(const struct config *cfg)
{
	struct sysinfo host;
	uint64_t most = MAX(group_free_of(STDOUT_FILENO), group_free_of(STDERR_FILENO));

	for (unsigned int i = 0; i < cfg->ndisk; i++) {
		const struct config_disk *d = &cfg->disk[i];

		if (!d->readonly || d->overlay)
			most = MAX(most,
				   group_free_at(d->overlay ? d->overlay : d->path));
	}
	for (unsigned int i = 0; i < cfg->npmem; i++)
		most = MAX(most, group_free_at(cfg->pmem[i].path));
	for (unsigned int i = 0; i < cfg->nshare; i++)
		if (!cfg->share[i].readonly)
			most = MAX(most, group_free_at(cfg->share[i].path));
	for (unsigned int i = 0; i < cfg->nport; i++)
		most = MAX(most, group_free_at(cfg->port[i].end.path));
	most = MAX(most, group_free_at(cfg->console_end.path));
	if (most && sysinfo(&host) == 0)
		most = MIN(most, (uint64_t)host.totalram * host.mem_unit);
	return most;
}

unsigned int command_tasks(const struct config *cfg)
{
	return GROUP_TASKS + cfg->ncpu * GROUP_TASKS_VCPU +
	       group_helpers(cfg) * GROUP_TASKS_HELPER;
}

bool command_cgroup(const struct config *cfg, struct cgroup_want *w)
{
	bool off = cfg->cgroup && strcmp(cfg->cgroup, "off") == 0;
	bool is_dir = cfg->cgroup && cfg->cgroup[0] == '/';

	*w = (struct cgroup_want){.dir = is_dir ? cfg->cgroup : NULL,
				  .delegated = !cfg->cgroup,
				  .must = cfg->cgroup || cfg->cpu_limit,
				  .cpus_milli = cfg->cpu_limit};
	/* an ordinary user has hardly ever a group, and does not pay for a look */
	if (cfg->jail == JAIL_OFF || off ||
	    (!w->must && (geteuid() != 0 || !cgroup_here())))
		return false;
	w->memory = cfg->memory + cfg->memory / GROUP_MEMORY_SHARE + GROUP_MEMORY +
		    group_helpers(cfg) * GROUP_MEMORY_HELPER + group_files(cfg);
	w->tasks = command_tasks(cfg);
	return true;
}

/* ---- the largest file that it may write ---- */

#define FILE_SIZE_REPORT MIB         /* one that cannot be replaced is written over */
#define FILE_SIZE_SAVED  (256 * MIB) /* besides its memory, and holes in that */
#define FILE_SIZE_ANY    UINT64_MAX

static uint64_t file_size_of_fd(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? FILE_SIZE_ANY : 0;
}

static uint64_t file_size_of_end(const struct config_end *end)
{
	if (end->kind == END_FD)
		return file_size_of_fd(end->fd);
	if (end->kind != END_FILE)
		return 0;
	return end->file_size ? end->file_size : FILE_SIZE_ANY;
}

/* An overlay has its size from the beginning; any other file may grow, which SIGUSR2 makes known */
static uint64_t file_size_of_disk(const struct config_disk *d)
{
	struct stat st;

	if (!d->path || (!d->overlay && (d->readonly || disk_is_helpers(d))))
		return 0;
	if (stat(d->overlay ? d->overlay : d->path, &st) < 0)
		return FILE_SIZE_ANY;
	if (!S_ISREG(st.st_mode))
		return 0;
	return d->overlay ? (uint64_t)st.st_size : FILE_SIZE_ANY;
}

uint64_t command_file_size(const struct config *cfg)
{
	uint64_t most =
		MAX(file_size_of_fd(STDOUT_FILENO), file_size_of_fd(STDERR_FILENO));

	for (unsigned int i = 0; i < cfg->ndisk; i++)
		most = MAX(most, file_size_of_disk(&cfg->disk[i]));
	for (unsigned int i = 0; i < cfg->nport; i++)
		most = MAX(most, file_size_of_end(&cfg->port[i].end));
	most = MAX(most, file_size_of_end(&cfg->console_end));
	if (cfg->control) /* it may be saved */
		most = MAX(most, cfg->memory + FILE_SIZE_SAVED);
	return most == FILE_SIZE_ANY ? 0 : MAX(most, FILE_SIZE_REPORT);
}
