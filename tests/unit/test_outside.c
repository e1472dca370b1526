/* SPDX-License-Identifier: Apache-2.0 */
/* test_outside - paths by slot number: in this process, and asked of another one. */
#include "vmm/core/outside.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/backend/unix_listen.h"
#include "tests/lib/unit.h"
#include "vmm/core/outside_wire.h"
#include "vmm/core/util.h"

static char dir[] = "/tmp/test-outside-XXXXXX";
static char path[64], other[80];
static struct err e;

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/it", dir);
}

static void teardown(void)
{
	char cmd[64];

	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	(void)!system(cmd);
}

static int make(const char *name, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, mode);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static bool is_there(const char *name)
{
	return access(name, F_OK) == 0;
}

START_TEST(full_log_is_put_aside_and_keeps_its_mode)
{
	int fd = make(path, 0640), slot, next;
	struct stat old, new;

	ck_assert_int_eq(fchmod(fd, 0640), 0);
	slot = outside_log(path, fd);
	ck_assert_int_ge(slot, 0);
	ck_assert_int_eq(fstat(fd, &old), 0);
	next = outside_do(OUTSIDE_ANEW, slot, 0);
	ck_assert_int_ge(next, 0);
	(void)snprintf(other, sizeof(other), "%s.1", path);
	ck_assert_int_eq(stat(other, &new), 0);
	ck_assert_uint_eq(old.st_ino, new.st_ino);
	ck_assert_int_eq(fstat(next, &new), 0);
	ck_assert_uint_eq(new.st_mode & 0777, 0640 & ~(unsigned int)umask(0));
	/* and once more: the second is now ours */
	ck_assert_int_ge(outside_do(OUTSIDE_ANEW, slot, 0), 0);
	ck_assert_int_eq(stat(other, &old), 0);
	ck_assert_uint_eq(old.st_ino, new.st_ino);
}
END_TEST

/* A directory of ours gets another name, and a link to @dir takes its place: as another user who owns
 * a directory above ours can do it
 */
static char ours[80], moved[80];

static void swap_directory(void)
{
	ck_assert_int_eq(rename(ours, moved), 0);
	ck_assert_int_eq(symlink(dir, ours), 0);
}

static const char *in(const char *where, const char *name)
{
	static char text[2][160];
	static unsigned int i;

	i ^= 1;
	(void)snprintf(text[i], sizeof(text[i]), "%s/%s", where, name);
	return text[i];
}

static void make_ours(void)
{
	(void)snprintf(ours, sizeof(ours), "%s/ours", dir);
	(void)snprintf(moved, sizeof(moved), "%s/moved", dir);
	ck_assert_int_eq(mkdir(ours, 0700), 0);
}

START_TEST(link_in_place_of_a_directory_is_not_followed)
{
	int fd, report, first, slot;

	make_ours();
	fd = make(in(ours, "log"), 0600);
	report = outside_file(in(ours, "report"), NULL, &first);
	ck_assert_int_ge(report, 0);
	slot = outside_log(in(ours, "log"), fd);
	ck_assert_int_ge(slot, 0);
	swap_directory();
	ck_assert_int_ge(outside_do(OUTSIDE_ANEW, slot, 0), 0);
	ck_assert_int_ge(outside_do(OUTSIDE_REWRITE, report, 0), 0);
	ck_assert_int_eq(outside_do(OUTSIDE_PUT, report, 1), 0);
	ck_assert(is_there(in(moved, "log.1")) && is_there(in(moved, "report")));
	ck_assert(!is_there(in(dir, "log")) && !is_there(in(dir, "report")));
	outside_drop(slot);
	outside_drop(report);
	close(first);
	close(fd);
	/* what was written for the end and not put there is gone */
	ck_assert_int_eq(unlink(in(moved, "log")) | unlink(in(moved, "log.1")), 0);
	ck_assert_int_eq(unlink(in(moved, "report")), 0);
	ck_assert_int_eq(rmdir(moved), 0);
}
END_TEST

/* There is a file of ours with the same name, by which a path would lead to it */
START_TEST(file_is_removed_where_it_was_made)
{
	int slot, made;

	make_ours();
	close(make(in(ours, "s"), 0600));
	slot = outside_ours(in(ours, "s"));
	made = outside_made(in(ours, "m"), make(in(ours, "m"), 0600));
	ck_assert_int_ge(MIN(slot, made), 0);
	ck_assert_int_eq(link(in(ours, "s"), in(dir, "s")), 0);
	ck_assert_int_eq(link(in(ours, "m"), in(dir, "m")), 0);
	swap_directory();
	outside_drop(slot);
	ck_assert_int_eq(outside_do(OUTSIDE_REMOVE, made, 0), 0);
	ck_assert(is_there(in(dir, "s")) && is_there(in(dir, "m")));
	ck_assert(!is_there(in(moved, "s")) && !is_there(in(moved, "m")));
}
END_TEST

START_TEST(log_of_another_process_is_not_renamed)
{
	int fd = make(path, 0600), slot = outside_log(path, fd), next;
	struct stat theirs, new;

	ck_assert_int_eq(unlink(path), 0);
	close(make(path, 0600));
	ck_assert_int_eq(stat(path, &theirs), 0);
	next = outside_do(OUTSIDE_ANEW, slot, 0);
	ck_assert_int_ge(next, 0);
	ck_assert_int_eq(fstat(next, &new), 0);
	ck_assert_uint_eq(theirs.st_ino, new.st_ino);
	(void)snprintf(other, sizeof(other), "%s.1", path);
	ck_assert(!is_there(other));
}
END_TEST

START_TEST(log_that_became_a_link_is_not_followed)
{
	int fd = make(path, 0600), slot = outside_log(path, fd);

	(void)snprintf(other, sizeof(other), "%s/secret", dir);
	close(make(other, 0600));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink(other, path), 0);
	ck_assert_int_eq(outside_do(OUTSIDE_ANEW, slot, 0), -ELOOP);
}
END_TEST

START_TEST(file_that_we_made_is_removed_unless_it_is_another_by_now)
{
	int slot = outside_made(path, make(path, 0600));

	ck_assert_int_eq(outside_do(OUTSIDE_REMOVE, slot, 0), 0);
	ck_assert(!is_there(path));
	close(make(path, 0600));
	ck_assert_int_eq(outside_do(OUTSIDE_REMOVE, slot, 0), 0);
	ck_assert(is_there(path));
	outside_drop(slot);
	slot = outside_made(path, open(path, O_RDONLY));
	outside_drop(slot); /* nobody asked for it */
	ck_assert(is_there(path));
}
END_TEST

START_TEST(peer_is_reached_with_and_without_a_port)
{
	struct unix_listener l, with_port;
	int slot = outside_peer(path);

	(void)snprintf(other, sizeof(other), "%s_1234", path);
	ck_assert_int_eq(outside_do(OUTSIDE_CONNECT, slot, OUTSIDE_NO_PORT), -ENOENT);
	ck_assert_int_eq(unix_listen(&l, "it", path, &e), 0);
	ck_assert_int_eq(unix_listen(&with_port, "it", other, &e), 0);
	ck_assert_int_ge(outside_do(OUTSIDE_CONNECT, slot, OUTSIDE_NO_PORT), 0);
	ck_assert_int_ge(outside_do(OUTSIDE_CONNECT, slot, 1234), 0);
	ck_assert_int_eq(outside_do(OUTSIDE_CONNECT, slot, 1235), -ENOENT);
	unix_unlisten(&l);
	unix_unlisten(&with_port);
	ck_assert(!is_there(path) && !is_there(other));
}
END_TEST

START_TEST(verbs_refuse_slots_of_another_kind)
{
	struct outside_question q = {0};
	int peer = outside_peer(path), fd;
	int log = outside_log("/tmp", open("/tmp", O_RDONLY));

	for (q.verb = 0; q.verb < OUTSIDE_VERBS + 3U; q.verb++)
		for (q.slot = 0; q.slot < OUTSIDE_SLOTS_MAX + 2U; q.slot++) {
			if ((q.verb == OUTSIDE_CONNECT && (int)q.slot == peer) ||
			    (q.verb == OUTSIDE_ANEW && (int)q.slot == log))
				continue;
			ck_assert_int_lt(outside_serve(&q, &fd), 0);
			ck_assert_int_eq(fd, -1);
		}
	q.slot = UINT32_MAX;
	for (q.verb = 0; q.verb < OUTSIDE_VERBS; q.verb++)
		ck_assert_int_lt(outside_serve(&q, &fd), 0);
}
END_TEST

START_TEST(slots_are_used_again_and_have_an_end)
{
	int first = outside_peer(path), n;

	for (n = 1; outside_peer(path) >= 0; n++)
		;
	ck_assert_int_eq(n, OUTSIDE_SLOTS_MAX);
	ck_assert_int_eq(outside_peer(path), -ENOSPC);
	outside_drop(first);
	outside_drop(-1);
	ck_assert_int_eq(outside_peer(path), first);
}
END_TEST

START_TEST(helper_is_ended_by_its_descriptor)
{
	int status, fd, slot;
	pid_t pid;

	(void)signal(SIGTERM, SIG_DFL); /* not as Check has it */
	pid = fork();
	if (pid == 0) {
		(void)pause();
		_exit(0);
	}
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	slot = outside_helper(fd);
	ck_assert_int_eq(outside_do(OUTSIDE_END, slot, 0), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(WTERMSIG(status), SIGTERM);
	ck_assert_int_eq(outside_do(OUTSIDE_END, slot, 1), -ESRCH);
}
END_TEST

/* ---- asked of another process ---- */

/* What the broker does, without the rest of it: until the other end is closed */
static void serve(int wire)
{
	uint8_t msg[OUTSIDE_TELL_MAX] __attribute__((aligned(8)));
	bool locked = false;
	long n;
	int fd, passed;

	while ((n = wire_receive(wire, msg, sizeof(msg), false, &passed)) > 0) {
		struct outside_question q;
		int32_t answer = 0;

		if (!locked && (size_t)n != sizeof(q)) {
			ck_assert_int_eq(outside_hear(msg, (size_t)n, passed), 0);
			continue;
		}
		ck_assert_int_eq(n, sizeof(q));
		memcpy(&q, msg, sizeof(q));
		locked = true;
		if (q.verb == OUTSIDE_LOCKED)
			continue;
		answer = outside_serve(&q, &fd);
		ck_assert_int_eq(wire_send(wire, &answer, sizeof(answer), false, fd), 0);
		if (fd >= 0)
			close(fd);
	}
	outside_drop_heard();
}

/* Run @asker in a child that can name no file, and serve it here */
static void ask(void (*before)(void), void (*after)(void))
{
	int wire[2], status;
	pid_t pid;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, wire), 0);
	pid = fork();
	if (pid == 0) {
		close(wire[0]);
		outside_part(wire[1]);
		before();
		ck_assert_int_eq(outside_ask(), 0);
		ck_assert(outside_asks());
		ck_assert_int_eq(chdir("/"), 0);
		after();
		_exit(0);
	}
	close(wire[1]);
	serve(wire[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

static struct unix_listener socket_of_ours;
static int slots[3], report_fd, report_slot;
static pid_t helper;

static void makes_one_of_each(void)
{
	(void)snprintf(other, sizeof(other), "%s/log", dir);
	ck_assert_int_eq(unix_listen(&socket_of_ours, "it", path, &e), 0);
	slots[0] = outside_peer(path);
	slots[1] = outside_log(other, make(other, 0600));
	(void)signal(SIGTERM, SIG_DFL);
	helper = fork();
	if (helper == 0) {
		(void)pause();
		_exit(0);
	}
	slots[2] = outside_helper((int)syscall(SYS_pidfd_open, helper, 0));
}

static void asks_for_each(void)
{
	int fd = outside_do(OUTSIDE_CONNECT, slots[0], OUTSIDE_NO_PORT), status;

	ck_assert_int_ge(fd, 0);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	fd = outside_do(OUTSIDE_ANEW, slots[1], 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "second", 6), 6);
	ck_assert_int_eq(outside_do(OUTSIDE_CONNECT, slots[1], OUTSIDE_NO_PORT), -EINVAL);
	ck_assert_int_eq(outside_do(OUTSIDE_CONNECT, -1, OUTSIDE_NO_PORT), -EINVAL);
	unix_unlisten(&socket_of_ours); /* it cannot, and leaves it */
	ck_assert(is_there(path));
	ck_assert_int_eq(outside_do(OUTSIDE_END, slots[2], 0), 0);
	ck_assert_int_eq(waitpid(helper, &status, 0), helper);
	ck_assert_int_eq(WTERMSIG(status), SIGTERM);
	/* the report, from before the two parted */
	ck_assert_int_eq(write(report_fd, "late", 4), 4);
	fd = outside_do(OUTSIDE_REWRITE, report_slot, 0);
	ck_assert_int_eq(write(fd, "early", 5), 5);
	ck_assert_int_eq(outside_do(OUTSIDE_PUT, report_slot, 1), 0);
	ck_assert_int_eq(outside_do(OUTSIDE_PUT, report_slot, 1), -EINVAL);
	ck_assert_int_eq(outside_do(OUTSIDE_PUT, report_slot, 0), 0);
}

START_TEST(another_process_does_it_all)
{
	char report[80], text[16] = "";
	int fd;

	(void)snprintf(report, sizeof(report), "%s/report", dir);
	(void)snprintf(other, sizeof(other), "%s/log", dir);
	report_slot = outside_file(report, NULL, &report_fd);
	ck_assert_int_ge(report_slot, 0);
	ask(makes_one_of_each, asks_for_each);
	ck_assert(!is_there(path)); /* what stayed is removed at the child's end */
	fd = open(other, O_RDONLY);
	ck_assert_int_eq(read(fd, text, sizeof(text)), 6);
	ck_assert_str_eq(text, "second");
	memset(text, 0, sizeof(text));
	fd = open(report, O_RDONLY);
	ck_assert_int_eq(read(fd, text, sizeof(text)), 4);
	ck_assert_str_eq(text, "late");
	outside_drop(report_slot);
	ck_assert(is_there(report));
}
END_TEST

START_TEST(slots_that_are_none_are_not_heard)
{
	struct {
		uint32_t slot, kind;
		uint64_t dev, ino;
		uint32_t mode, unused;
		char path[16];
	} told = {.slot = 3, .kind = 1, .path = "/tmp/x"};
	const size_t head = sizeof(told) - sizeof(told.path);

	ck_assert_int_eq(outside_hear(&told, head, -1), -EINVAL);
	ck_assert_int_eq(outside_hear(&told, head + 3, -1), -EINVAL); /* no end */
	for (uint32_t kind = 0; kind < 9; kind++) {
		told.kind = kind;
		told.slot = 10 + kind;
		ck_assert_int_eq(outside_hear(&told, head + 7, -1),
				 kind == 1 ? 0 : -EINVAL);
		told.slot += 10;
		/* a helper has a process, all others their directory */
		ck_assert_int_eq(outside_hear(&told, head + 7, open("/tmp", O_PATH)),
				 (kind >= 2 && kind <= 4) || kind == 6 ? 0 : -EINVAL);
		told.slot += 10;
		ck_assert_int_eq(outside_hear(&told, head + 7, open("/dev/null", O_PATH)),
				 kind == 6 ? 0 : -EINVAL);
	}
	told.kind = 1;
	told.slot = 11; /* is taken */
	ck_assert_int_eq(outside_hear(&told, head + 7, -1), -EINVAL);
	told.slot = OUTSIDE_SLOTS_MAX;
	ck_assert_int_eq(outside_hear(&told, head + 7, -1), -EINVAL);
	told.slot = 3;
	ck_assert_int_eq(outside_hear(&told, head + 7, dup(0)), -EINVAL);
	ck_assert_int_eq(outside_hear(&told, head + 7, -1), 0);
	ck_assert_str_eq(outside_path(3), "/tmp/x");
}
END_TEST

UNIT_MAIN("outside", setup, teardown, t)
{
	tcase_add_test(t, full_log_is_put_aside_and_keeps_its_mode);
	tcase_add_test(t, file_that_we_made_is_removed_unless_it_is_another_by_now);
	tcase_add_test(t, link_in_place_of_a_directory_is_not_followed);
	tcase_add_test(t, file_is_removed_where_it_was_made);
	tcase_add_test(t, log_of_another_process_is_not_renamed);
	tcase_add_test(t, log_that_became_a_link_is_not_followed);
	tcase_add_test(t, peer_is_reached_with_and_without_a_port);
	tcase_add_test(t, verbs_refuse_slots_of_another_kind);
	tcase_add_test(t, slots_are_used_again_and_have_an_end);
	tcase_add_test(t, helper_is_ended_by_its_descriptor);
	tcase_add_test(t, another_process_does_it_all);
	tcase_add_test(t, slots_that_are_none_are_not_heard);
}
