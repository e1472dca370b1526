/* SPDX-License-Identifier: Apache-2.0 */
/* a pid file: what is in it, when it is refused, what is taken over, and that it goes */
#include "vmm/machine/pidfile.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "vmm/core/util.h"

static char dir[] = "/tmp/test_pidfile.XXXXXX";
static char path[64], other[64];
static struct pidfile p;
static struct err e;

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/pid", dir);
	(void)snprintf(other, sizeof(other), "%s/other", dir);
	e = (struct err){0};
}

static void teardown(void)
{
	char cmd[64];

	pidfile_close(&p);
	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static void put(const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static void expect(const char *text)
{
	char got[64] = "";
	int fd = open(path, O_RDONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_ge(read_full(fd, got, sizeof(got) - 1), 0);
	ck_assert_str_eq(got, text);
	close(fd);
}

static const char *ours(void)
{
	static char text[16];

	(void)snprintf(text, sizeof(text), "%d\n", getpid());
	return text;
}

START_TEST(file_holds_another_number_or_stays)
{
	struct stat st;

	umask(0);
	ck_assert_int_eq(pidfile_open(&p, path, &e), 0);
	expect(ours());
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(fcntl(p.fd, F_GETFD), FD_CLOEXEC);
	pidfile_close(&p);
	ck_assert_int_eq(access(path, F_OK), -1);
	pidfile_close(&p); /* again */
	ck_assert_int_eq(pidfile_open(&p, NULL, &e), 0);
	pidfile_close(&p);
}
END_TEST

/* What a process that was killed leaves behind, or one before it has written */
START_TEST(file_of_nobody_is_not_taken_over)
{
	static const char *const left[] = {"1\n", "", "12345678901234567890\n", "77"};

	for (unsigned int i = 0; i < ARRAY_SIZE(left); i++) {
		put(left[i]);
		ck_assert_msg(pidfile_open(&p, path, &e) == 0, "%s", e.msg);
		expect(ours());
		pidfile_close(&p);
		ck_assert_int_eq(access(path, F_OK), -1);
	}
}
END_TEST

START_TEST(file_of_another_machine_is_taken_over)
{
	struct pidfile second;

	ck_assert_int_eq(pidfile_open(&p, path, &e), 0);
	ck_assert_int_eq(pidfile_open(&second, path, &e), -EEXIST);
	ck_assert_ptr_nonnull(strstr(e.msg, "is in use by another process, number "));
	ck_assert_ptr_nonnull(strstr(e.msg, "give each machine its own"));
	pidfile_close(&second);
	expect(ours());
}
END_TEST

START_TEST(something_else_is_written_over)
{
	static const char *const precious[] = {
		"root:x:0:0:root:/root:/bin/bash\n", "12\n34\n", " 12\n", "12 \n",
		"123456789012345678901234567890",    "-1\n",     "\n\n",  "#!/bin/sh\n",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(precious); i++) {
		put(precious[i]);
		e = (struct err){0};
		ck_assert_int_eq(pidfile_open(&p, path, &e), -EEXIST);
		ck_assert_ptr_nonnull(strstr(e.msg, "holds something else"));
		pidfile_close(&p);
		expect(precious[i]);
	}
}
END_TEST

START_TEST(link_directory_or_fifo_is_followed)
{
	ck_assert_int_eq(symlink(other, path), 0);
	ck_assert_int_eq(pidfile_open(&p, path, &e), -ELOOP);
	ck_assert_ptr_nonnull(strstr(e.msg, "symbolic link; give the file itself"));
	ck_assert_int_eq(access(other, F_OK), -1);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(pidfile_open(&p, path, &e), -EINVAL);
	ck_assert_ptr_nonnull(strstr(e.msg, "is no regular file"));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(pidfile_open(&p, dir, &e), -EISDIR);
	(void)snprintf(other, sizeof(other), "%s/none/pid", dir);
	ck_assert_int_eq(pidfile_open(&p, other, &e), -ENOENT);
	ck_assert_ptr_nonnull(
		strstr(e.msg, "--pidfile: cannot write /tmp/test_pidfile."));
}
END_TEST

/* Somebody has put his own there: we had removed it from under him */
START_TEST(file_of_a_successor_is_removed)
{
	ck_assert_int_eq(pidfile_open(&p, path, &e), 0);
	ck_assert_int_eq(rename(path, other), 0);
	put("1\n");
	pidfile_close(&p);
	expect("1\n");
}
END_TEST

UNIT_MAIN("pidfile", setup, teardown, t)
{
	tcase_add_test(t, file_holds_another_number_or_stays);
	tcase_add_test(t, file_of_nobody_is_not_taken_over);
	tcase_add_test(t, file_of_another_machine_is_taken_over);
	tcase_add_test(t, something_else_is_written_over);
	tcase_add_test(t, link_directory_or_fifo_is_followed);
	tcase_add_test(t, file_of_a_successor_is_removed);
}
