/* SPDX-License-Identifier: Apache-2.0 */
/* broker_users - newuidmap and newgidmap, which have rights that we have not. */
#include "vmm/jail/broker_users.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/core/log.h"
#include "vmm/core/subids.h"
#include "vmm/core/util.h"

#define USERS_SAID_MAX 200

/* Run @argv, with its words in @said.  Return: 0; else its status, or -errno */
static int users_run(const char *const *argv, char said[USERS_SAID_MAX])
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	char *no_env[] = {NULL};
	int ends[2], status = 0, rc;
	long n;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	/* ours are held: a Ctrl-C ends one that waits for a directory service */
	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
	rc = posix_spawn(&pid, argv[0], &actions, &attr, (char *const *)(uintptr_t)argv,
			 no_env);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	close(ends[1]);
	n = rc == 0 ? read_full(ends[0], said, USERS_SAID_MAX - 1) : 0;
	close(ends[0]);
	said[MAX(n, 0)] = '\0';
	said[strcspn(said, "\n")] = '\0';
	if (rc)
		return -rc;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status;
}

static bool users_map(const char *program, pid_t pid, unsigned int ours,
		      const struct subids_range *r)
{
	char of[16], us[16], first[16], count[16], said[USERS_SAID_MAX] = "";
	const char *const argv[] = {program, of, us, us, "1", first, first, count, NULL};
	int rc;

	(void)snprintf(of, sizeof(of), "%d", (int)pid);
	(void)snprintf(us, sizeof(us), "%u", ours);
	(void)snprintf(first, sizeof(first), "%u", r->first);
	(void)snprintf(count, sizeof(count), "%u", r->count);
	rc = users_run(argv, said);
	if (rc)
		log_warn("shared directories have one user alone, %s did not give the "
			 "others: %s; see /etc/subuid and /etc/subgid",
			 program,
			 *said    ? said
			 : rc < 0 ? strerror(-rc)
				  : "it failed");
	return rc == 0;
}

bool broker_users(pid_t pid)
{
	struct subids s;
	struct err e;

	return subids_find(&s, &e) == 0 &&
	       users_map(s.newuidmap, pid, geteuid(), &s.uids) &&
	       users_map(s.newgidmap, pid, getegid(), &s.gids);
}
