/* SPDX-License-Identifier: Apache-2.0 */
/* test_unix_listen - what may be in the way of a listening socket, and what is left of it. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/backend/unix_listen.h"
#include "tests/lib/unit.h"
#include "vmm/core/unix_socket.h"

static char dir[64], path[96];
static struct unix_listener l;
static struct err e;

static void setup(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/unix-listen-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/v", dir);
}

static void teardown(void)
{
	unix_unlisten(&l);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void expect_failure(const char *at, int code, const char *says)
{
	ck_assert_int_eq(unix_listen(&l, "vsock", at, &e), -code);
	ck_assert_int_eq(l.fd, -1);
	ck_assert_msg(strstr(e.msg, says) && strstr(e.msg, at), "%s", e.msg);
}

START_TEST(clients_connect_and_only_our_user_may)
{
	struct stat st;
	int fd;

	ck_assert_int_eq(unix_listen(&l, "vsock", path, &e), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	fd = unix_connect(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	unix_unlisten(&l);
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

START_TEST(socket_of_the_dead_is_replaced)
{
	ck_assert_int_eq(unix_listen(&l, "vsock", path, &e), 0);
	close(l.fd); /* as a kill -9 would */
	ck_assert_int_eq(unix_connect(path), -ECONNREFUSED);
	ck_assert_int_eq(unix_listen(&l, "vsock", path, &e), 0);
	close(unix_connect(path));
}
END_TEST

static void *close_in_a_moment(void *fd)
{
	usleep(50000);
	close(*(int *)fd);
	return NULL;
}

/* A machine that was killed is gone before the process that has its sockets */
START_TEST(socket_of_the_dying_is_replaced)
{
	pthread_t thread;
	int fd;

	ck_assert_int_eq(unix_listen(&l, "vsock", path, &e), 0);
	fd = l.fd;
	ck_assert_int_eq(pthread_create(&thread, NULL, close_in_a_moment, &fd), 0);
	ck_assert_msg(unix_listen(&l, "vsock", path, &e) == 0, "%s", e.msg);
	pthread_join(thread, NULL);
	close(unix_connect(path));
}
END_TEST

START_TEST(socket_of_the_living_stays)
{
	struct unix_listener first;

	ck_assert_int_eq(unix_listen(&first, "vsock", path, &e), 0);
	expect_failure(path, EADDRINUSE, "another process listens");
	close(unix_connect(path));
	unix_unlisten(&first);
}
END_TEST

START_TEST(successor_keeps_its_socket)
{
	struct unix_listener next;

	ck_assert_int_eq(unix_listen(&l, "vsock", path, &e), 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(unix_listen(&next, "vsock", path, &e), 0);
	unix_unlisten(&l);
	ck_assert_int_eq(access(path, F_OK), 0);
	unix_unlisten(&next);
}
END_TEST

START_TEST(file_in_the_way_stays)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	ck_assert_int_ge(fd, 0);
	close(fd);
	expect_failure(path, EEXIST, "no socket");
	ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(directory_is_missing)
{
	char at[128];

	(void)snprintf(at, sizeof(at), "%s/no/v", dir);
	expect_failure(at, ENOENT, "directory does not exist");
}
END_TEST

START_TEST(directory_is_another_users)
{
	ck_assert_int_eq(chmod(dir, 0555), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	expect_failure(path, EACCES, "may not write");
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(chmod(dir, 0700), 0);
}
END_TEST

START_TEST(path_is_too_long)
{
	char at[160];

	memset(at, 'a', sizeof(at) - 1);
	at[sizeof(at) - 1] = '\0';
	expect_failure(at, ENAMETOOLONG, "too long");
	ck_assert_int_eq(unix_connect(at), -ENAMETOOLONG);
}
END_TEST

UNIT_MAIN("unix_listen", setup, teardown, t)
{
	tcase_add_test(t, clients_connect_and_only_our_user_may);
	tcase_add_test(t, socket_of_the_dead_is_replaced);
	tcase_add_test(t, socket_of_the_dying_is_replaced);
	tcase_add_test(t, socket_of_the_living_stays);
	tcase_add_test(t, successor_keeps_its_socket);
	tcase_add_test(t, file_in_the_way_stays);
	tcase_add_test(t, directory_is_missing);
	tcase_add_test(t, directory_is_another_users);
	tcase_add_test(t, path_is_too_long);
}
