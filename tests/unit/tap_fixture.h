/* SPDX-License-Identifier: Apache-2.0 */
/* tap_fixture - real taps, in a network namespace of the test's own. */
#ifndef MICROVM_TAP_FIXTURE_H
#define MICROVM_TAP_FIXTURE_H

#include <check.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static inline bool enter_own_namespace(void)
{
	return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 || unshare(CLONE_NEWNET) == 0;
}

static inline bool have_namespace(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int fd = -1;

		if (enter_own_namespace())
			fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
		_exit(fd < 0);
	}
	return waitpid(pid, &status, 0) == pid && status == 0;
}

static inline void enter_namespace(void)
{
	ck_assert(enter_own_namespace());
}

/* How many frames came from us, as the host counts them */
static inline unsigned long interface_received(const char *name)
{
	FILE *f = fopen("/proc/thread-self/net/dev", "re");
	unsigned long n = 0;
	char line[512], *p;

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f)) {
		p = strstr(line, name);
		if (p && sscanf(p + strlen(name), ": %*u %lu", &n) == 1)
			break;
	}
	fclose(f);
	return n;
}

#endif
