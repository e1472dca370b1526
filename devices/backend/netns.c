/* SPDX-License-Identifier: Apache-2.0 */
/* netns - a thread that enters a network namespace and never leaves it. */
#include "devices/backend/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "vmm/core/limits.h"
#include "vmm/core/util.h"

struct netns_job {
	const char *path;
	int (*fn)(void *arg, struct err *e);
	void *arg;
	struct err *e;
	int rc;
};

static int netns_enter(const char *path, struct err *e)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set(
			e, errno,
			"netns %s: cannot open it: %s; `ip netns add` makes one in "
			"/run/netns",
			path, strerror(errno));
	if (setns(fd, CLONE_NEWNET) == 0)
		return 0;
	if (errno == EINVAL)
		return err_set(
			e, EINVAL,
			"netns %s is no network namespace; give one of /run/netns, "
			"or /proc/PID/ns/net",
			path);
	if (errno == EPERM)
		return err_set(
			e, EPERM,
			"netns %s: this user may not enter it; start as root, or give "
			"the tap as fd=",
			path);
	return err_set(e, errno, "netns %s: cannot enter it: %s", path, strerror(errno));
}

static void *netns_thread(void *arg)
{
	struct netns_job *j = arg;

	j->rc = netns_enter(j->path, j->e);
	if (j->rc == 0)
		j->rc = j->fn(j->arg, j->e);
	return NULL;
}

int netns_run(const char *path, int (*fn)(void *arg, struct err *e), void *arg,
	      struct err *e)
{
	struct netns_job job = {.path = path, .fn = fn, .arg = arg, .e = e};
	pthread_attr_t attr;
	pthread_t t;
	int rc;

	if (!path)
		return fn(arg, e);
	limits_thread_attr(&attr);
	rc = pthread_create(&t, &attr, netns_thread, &job);
	pthread_attr_destroy(&attr);
	if (rc)
		return err_set(e, rc, "netns %s: no thread to enter it: %s%s", path,
			       strerror(rc), limits_thread_cure(rc));
	(void)pthread_join(t, NULL);
	return job.rc;
}
