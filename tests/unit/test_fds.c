/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors that are numbered by their role. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "vmm/core/fds.h"

static void number(void)
{
	struct err e = {0};

	ck_assert_int_eq(fds_number(&e), 0);
}

static int other(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_lt(fd, FD_VM_FIRST);
	return fd;
}

START_TEST(without_a_jail_a_descriptor_stays)
{
	int fd = other();

	ck_assert(!fds_numbered());
	ck_assert_int_eq(fd_place(fd, FD_VCPU), fd);
}
END_TEST

START_TEST(a_descriptor_moves_into_its_block_and_closes_on_exec)
{
	int fd = other(), to;
	eventfd_t v;

	number();
	to = fd_place(fd, FD_WAKE);
	ck_assert_int_eq(to, FD_WAKE_FIRST);
	ck_assert_int_eq(fcntl(to, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	ck_assert_int_eq(eventfd_write(to, 7), 0);
	ck_assert_int_eq(eventfd_read(to, &v), 0);
	ck_assert_int_eq(fd_place(other(), FD_WAKE), FD_WAKE_FIRST + 1);
	ck_assert_int_eq(fd_place(to, FD_WAKE), to);
}
END_TEST

static bool three_is_standard_error(void)
{
	struct stat three, err;

	return fstat(3, &three) == 0 && fstat(STDERR_FILENO, &err) == 0 &&
	       three.st_dev == err.st_dev && three.st_ino == err.st_ino;
}

/* What a filter allows on a standard stream it allows on number 3 */
START_TEST(number_3_is_no_other_descriptor)
{
	int fd = other();

	ck_assert_int_eq(close_range(3, 3, 0), 0);
	number();
	ck_assert(three_is_standard_error());
	/* the operator's, until it has its place */
	ck_assert_int_eq(dup2(fd, 3), 3);
	ck_assert_int_ge(fd_place(3, FD_WAKE), FD_WAKE_FIRST);
	ck_assert(three_is_standard_error());
	ck_assert_int_eq(dup2(fd, 3), 3);
	fds_drop_inherited();
	ck_assert(three_is_standard_error());
}
END_TEST

START_TEST(a_failed_open_keeps_its_error)
{
	number();
	errno = ENODEV;
	ck_assert_int_eq(fd_place(-1, FD_TAP), -ENODEV);
	ck_assert_int_eq(errno, ENODEV);
}
END_TEST

START_TEST(a_full_block_takes_no_other_number_and_keeps_nothing_open)
{
	int fd;

	number();
	ck_assert_int_eq(fd_place(other(), FD_VM), FD_VM_FIRST);
	fd = other();
	ck_assert_int_eq(fd_place(fd, FD_VM), -EMFILE);
	ck_assert_int_eq(errno, EMFILE);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	ck_assert_int_eq(fcntl(FD_VM_FIRST + 1, F_GETFD), -1);
}
END_TEST

START_TEST(a_parent_that_leaks_is_named)
{
	struct err e = {0};

	ck_assert_int_eq(dup2(other(), FD_VM_FIRST), FD_VM_FIRST);
	ck_assert_int_eq(fds_number(&e), -EBUSY);
	ck_assert_ptr_nonnull(strstr(e.msg, "left file 511 open"));
	ck_assert(!fds_numbered());
}
END_TEST

static void limit(rlim_t soft, rlim_t hard)
{
	struct rlimit l = {soft, hard};

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &l), 0);
}

static void fill(enum fd_role role, int first, int count)
{
	for (int i = 0; i < count; i++)
		ck_assert_int_eq(fd_place(other(), role), first + i);
}

START_TEST(a_full_block_goes_on_in_the_next_page)
{
	int fd;

	number();
	fill(FD_TAP, FD_TAP_FIRST, FD_TAP_COUNT);
	fd = fd_place(other(), FD_TAP);
	ck_assert_int_eq(fd, FDS_PAGE + FD_TAP_FIRST);
	ck_assert_int_eq(fd & ~FD_TAP_BITS, FD_TAP_FIRST);
	ck_assert_int_eq(fd_place(fd, FD_TAP), fd);
	/* a number of the same page that is another role's */
	fd = fd_place(fd, FD_VHOST);
	ck_assert_int_eq(fd, FD_VHOST_FIRST);
}
END_TEST

/* runc's hard limit: a usual machine has its place below it, a large one is told */
START_TEST(a_hard_limit_of_one_page_is_enough)
{
	limit(64, FDS_PAGE);
	number();
	fill(FD_VCPU, FD_VCPU_FIRST, FD_VCPU_COUNT);
	fill(FD_WAKE, FD_WAKE_FIRST, FD_WAKE_COUNT);
	errno = 0;
	ck_assert_int_eq(fd_place(other(), FD_WAKE), -EMFILE);
	ck_assert_int_eq(errno, EMFILE);
}
END_TEST

START_TEST(a_hard_limit_below_a_page_is_said)
{
	struct err e = {0};

	limit(FDS_PAGE - 1, FDS_PAGE - 1);
	ck_assert_int_eq(fds_number(&e), -EMFILE);
	ck_assert_msg(strstr(e.msg, "ulimit -Hn to 1024") != NULL, "%s", e.msg);
	ck_assert(!fds_numbered());
}
END_TEST

START_TEST(a_soft_limit_is_raised)
{
	struct rlimit l;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &l), 0);
	limit(64, l.rlim_max);
	number();
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &l), 0);
	ck_assert_uint_eq(l.rlim_cur, l.rlim_max < FDS_END ? l.rlim_max : FDS_END);
	ck_assert_int_eq(fd_place(other(), FD_WAKE), FD_WAKE_FIRST);
}
END_TEST

/* In a process of its own: Check has files open that are not close-on-exec */
START_TEST(only_what_is_ours_and_the_standard_streams_stay)
{
	int ours = other(), theirs = open("/", O_RDONLY), status;
	pid_t pid = fork();

	if (pid == 0) {
		fds_drop_inherited();
		_exit(fcntl(theirs, F_GETFD) == -1 && fcntl(ours, F_GETFD) >= 0 &&
				      fcntl(STDERR_FILENO, F_GETFD) >= 0
			      ? 0
			      : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* Likewise */
START_TEST(what_was_inherited_is_found_before_there_is_anything_of_ours)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int theirs;

		(void)close_range(STDERR_FILENO + 1, ~0U, 0);
		theirs = _i ? dup(STDERR_FILENO) : -1;
		fds_look();
		fds_drop_inherited();
		_exit(fcntl(theirs, F_GETFD) == -1 ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

UNIT_MAIN("fds", NULL, NULL, t)
{
	tcase_add_test(t, without_a_jail_a_descriptor_stays);
	tcase_add_test(t, a_descriptor_moves_into_its_block_and_closes_on_exec);
	tcase_add_test(t, number_3_is_no_other_descriptor);
	tcase_add_test(t, a_failed_open_keeps_its_error);
	tcase_add_test(t, a_full_block_takes_no_other_number_and_keeps_nothing_open);
	tcase_add_test(t, a_parent_that_leaks_is_named);
	tcase_add_test(t, a_full_block_goes_on_in_the_next_page);
	tcase_add_test(t, a_hard_limit_of_one_page_is_enough);
	tcase_add_test(t, a_hard_limit_below_a_page_is_said);
	tcase_add_test(t, a_soft_limit_is_raised);
	tcase_add_test(t, only_what_is_ours_and_the_standard_streams_stay);
	tcase_add_loop_test(
		t, what_was_inherited_is_found_before_there_is_anything_of_ours, 0, 2);
}
