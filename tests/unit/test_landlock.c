/* SPDX-License-Identifier: Apache-2.0 */
/* test_landlock - what a process may still open, and hosts that have no Landlock. */
#include "vmm/core/landlock.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <unistd.h>

#include "devices/backend/daemon_fence.h"
#include "tests/lib/unit.h"
#include "vmm/core/util.h"

static char dir[32], file[64], beside[64];
static struct err e;

static void put(char path[64], const char *name)
{
	int fd;

	(void)snprintf(path, 64, "%s/%s", dir, name);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_eq(write(fd, "text", 4), 4);
	close(fd);
}

static void setup(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/test-landlock-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	put(file, "file");
	put(beside, "beside");
}

static void teardown(void)
{
	unlink(file);
	unlink(beside);
	rmdir(dir);
}

/* Run @fn in a process of its own, which what it enters ends with. Return: its status */
static int alone(int (*fn)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Return: the errno of opening @path, 0: it is open */
static int opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int enter(const struct landlock_rule *r, unsigned int n)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return 1;
	return landlock_restrict(r, n, &e) < 0 ? 2 : 0;
}

#define MUST(x)                                 \
	do {                                    \
		if (!(x))                       \
			return __LINE__ & 0x7f; \
	} while (0)

static int reads_one_file(void)
{
	const struct landlock_rule r[] = {
		{"/nowhere/at/all", -1, LANDLOCK_EXEC},
		/* also the rights that only a directory has */
		{file, -1, LANDLOCK_READ},
	};

	MUST(enter(r, ARRAY_SIZE(r)) == 0);
	MUST(opens(file, O_RDONLY) == 0);
	MUST(opens(file, O_WRONLY) == EACCES);
	MUST(landlock_abi() < 3 || truncate(file, 0) < 0);
	MUST(opens(beside, O_RDONLY) == EACCES);
	MUST(opens(dir, O_RDONLY | O_DIRECTORY) == EACCES);
	MUST(unlink(beside) < 0 && errno == EACCES);
	return 0;
}

static int writes_below_a_directory(void)
{
	int fd = open(dir, O_PATH | O_CLOEXEC);
	const struct landlock_rule r = {NULL, fd, LANDLOCK_READ | LANDLOCK_WRITE};

	MUST(enter(&r, 1) == 0);
	MUST(opens(file, O_RDWR | O_TRUNC) == 0);
	MUST(opens("/dev/null", O_RDWR) == EACCES);
	MUST(unlink(beside) < 0 && errno == EACCES);
	return 0;
}

static int has_what_is_open(void)
{
	struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(1)};
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = ""};
	int fd = open(file, O_RDONLY | O_CLOEXEC), s = socket(AF_INET, SOCK_STREAM, 0),
	    l = socket(AF_UNIX, SOCK_STREAM, 0), u = socket(AF_UNIX, SOCK_STREAM, 0);
	socklen_t len = sizeof(name);
	pid_t child;
	char c;

	MUST(bind(l, (struct sockaddr *)&name, sizeof(sa_family_t)) == 0);
	MUST(listen(l, 1) == 0 && getsockname(l, (struct sockaddr *)&name, &len) == 0);
	child = fork();
	if (child > 0) {
		int status = -1;

		(void)waitpid(child, &status, 0);
		return WEXITSTATUS(status);
	}
	MUST(enter(NULL, 0) == 0);
	MUST(read(fd, &c, 1) == 1);
	MUST(opens(file, O_RDONLY) == EACCES && opens("/", O_RDONLY) == EACCES);
	peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	MUST(landlock_abi() < 4 ||
	     (connect(s, (struct sockaddr *)&peer, sizeof(peer)) < 0 && errno == EACCES));
	MUST(landlock_abi() < 6 ||
	     (connect(u, (struct sockaddr *)&name, len) < 0 && errno == EPERM));
	MUST(landlock_abi() < 6 || (kill(getppid(), 0) < 0 && errno == EPERM));
	return 0;
}

START_TEST(rules_allow_what_they_say)
{
	static int (*const cases[])(void) = {reads_one_file, writes_below_a_directory,
					     has_what_is_open};

	if (landlock_abi() >= 1)
		ck_assert_int_eq(alone(cases[_i]), 0);
}
END_TEST

/* ---- hosts without it ---- */

static const struct {
	unsigned int code;
	const char *says;
} hosts[] = {{ENOSYS, "since 5.13"}, {EOPNOTSUPP, "lsm="}, {EPERM, "this container"}};
static unsigned int host;

static int is_not_there(void)
{
	const unsigned int call = SYS_landlock_create_ruleset;

	MUST(room_answer(&call, 1, hosts[host].code) == 0);
	MUST(landlock_abi() == -(int)hosts[host].code);
	MUST(landlock_restrict(NULL, 0, &e) == -(int)hosts[host].code);
	MUST(strstr(e.msg, hosts[host].says) != NULL);
	MUST(opens(file, O_RDONLY) == 0);
	return 0;
}

START_TEST(host_without_it_is_said_with_its_cure)
{
	host = (unsigned int)_i;
	ck_assert_int_eq(alone(is_not_there), 0);
}
END_TEST

UNIT_MAIN("landlock", setup, teardown, t)
{
	tcase_add_loop_test(t, rules_allow_what_they_say, 0, 3);
	tcase_add_loop_test(t, host_without_it_is_said_with_its_cure, 0,
			    (int)ARRAY_SIZE(hosts));
}
