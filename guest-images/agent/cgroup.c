/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup - /jobs is for all jobs together and has the limits; /jobs/N is for one.  A job is the
 * root of its own cgroup namespace, so the limits are above all that it can reach.
 */
#include "guest-images/agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define CGROUPS "/sys/fs/cgroup"
#define JOBS    CGROUPS "/jobs"

static unsigned long limit;

/* "MemAvailable:  12345 kB", in bytes; 0 if there is no such line */
static unsigned long meminfo(const char *text, const char *name)
{
	const char *p = strstr(text, name);

	return p ? strtoul(p + strlen(name), NULL, 10) * 1024 : 0;
}

/* What is left for jobs: the kernel and the agent need some, or the machine hangs instead of a job */
static void limit_jobs(void)
{
	char text[4096];
	unsigned long available, total, keep;

	if (read_file("/proc/meminfo", text, sizeof(text)) < 0)
		return;
	available = meminfo(text, "MemAvailable:");
	total = meminfo(text, "MemTotal:");
	keep = total / 16 + (4UL << 20);
	limit = available > 4 * keep ? available - keep : available / 4 * 3;
	(void)snprintf(text, sizeof(text), "%lu", limit);
	(void)write_file(JOBS "/memory.max", text);
	if (read_file("/proc/sys/kernel/threads-max", text, sizeof(text)) > 0) {
		unsigned long threads = strtoul(text, NULL, 10);

		(void)snprintf(text, sizeof(text), "%lu",
			       threads > 256 ? threads - 128 : threads / 2);
		(void)write_file(JOBS "/pids.max", text);
	}
}

void cgroup_init(void)
{
	(void)mount("cgroup2", CGROUPS, "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		    NULL);
	/* one by one: a kernel may lack some */
	for (const char *const *c =
		     (const char *const[]){"memory", "pids", "cpu", "io", "cpuset", NULL};
	     *c; c++) {
		char word[16];

		(void)snprintf(word, sizeof(word), "+%s", *c);
		(void)write_file(CGROUPS "/cgroup.subtree_control", word);
	}
	(void)mkdir(JOBS, 0755);
	for (const char *const *c =
		     (const char *const[]){"memory", "pids", "cpu", "io", "cpuset", NULL};
	     *c; c++) {
		char word[16];

		(void)snprintf(word, sizeof(word), "+%s", *c);
		(void)write_file(JOBS "/cgroup.subtree_control", word);
	}
}

static void place(char path[64], unsigned int slot, const char *file)
{
	(void)snprintf(path, 64, JOBS "/%u%s", slot, file);
}

int cgroup_make(unsigned int slot)
{
	char path[64];

	if (!limit)
		limit_jobs();
	place(path, slot, "");
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return -1;
	place(path, slot, "/memory.oom.group");
	(void)write_file(path, "1");
	place(path, slot, "");
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

bool cgroup_oom(unsigned int slot)
{
	char path[64], text[512];
	const char *p;

	place(path, slot, "/memory.events");
	if (read_file(path, text, sizeof(text)) < 0)
		return false;
	p = strstr(text, "oom_kill ");
	return p && strtoul(p + strlen("oom_kill "), NULL, 10) > 0;
}

void cgroup_remove(unsigned int slot)
{
	char path[64];

	place(path, slot, "/cgroup.kill");
	(void)write_file(path, "1");
	place(path, slot, "");
	(void)rmdir(path);
}

unsigned long cgroup_limit(void)
{
	return limit;
}
