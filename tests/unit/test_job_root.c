/* SPDX-License-Identifier: Apache-2.0 */
/* test_job_root - ROOT is told by its content, or refused; and where kernel and agent are looked for */
#include "vmm/job/job_root.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "vmm/core/util.h"
#include "vmm/job/job_find.h"

static char dir[] = "/tmp/test_job_root.XXXXXX", name[64];
static struct job_root r;
static struct err e;

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(name, sizeof(name), "%s/root", dir);
}

static void teardown(void)
{
	job_root_close(&r);
	(void)unlink(name);
	(void)rmdir(dir);
}

/* A file of @len bytes with @n of @bytes at @at */
static void file(size_t len, size_t at, const char *bytes, size_t n)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)len), 0);
	ck_assert_int_eq(pwrite(fd, bytes, n, (off_t)at), (ssize_t)n);
	close(fd);
}

/* A header of a tar with nothing but a name and its sum; @spaces as some programs pad it */
static void tar_header(uint8_t h[512], bool spaces)
{
	unsigned int sum = 8 * ' ';

	memset(h, 0, 512);
	(void)strcpy((char *)h, "etc/hostname");
	(void)strcpy((char *)h + 100, "0000644");
	for (int i = 0; i < 512; i++)
		sum += i >= 148 && i < 156 ? 0 : h[i];
	(void)snprintf((char *)h + 148, 8, spaces ? "%6o" : "%06o", sum);
	if (spaces)
		h[154] = ' ';
}

static const struct {
	size_t len, at;
	const char *bytes;
	size_t n;
	enum job_root_kind kind;
} kinds[] = {
	{4096, 0, "hsqs", 4, JOB_ROOT_IMAGE},
	{4096, 1024, "\xe2\xe1\xf5\xe0", 4, JOB_ROOT_IMAGE},
	{4096, 1080, "\x53\xef", 2, JOB_ROOT_IMAGE},
	{4096, 0, "XFSB", 4, JOB_ROOT_IMAGE},
	{131072, 0x10040, "_BHRfS_M", 8, JOB_ROOT_IMAGE},
	{4096, 0, "QFI\xfb", 4, JOB_ROOT_QCOW2},
};

START_TEST(kind_is_another)
{
	file(kinds[_i].len, kinds[_i].at, kinds[_i].bytes, kinds[_i].n);
	ck_assert_msg(job_root_find(&r, name, -1, &e) == 0, "%s", e.msg);
	ck_assert_int_eq(r.kind, kinds[_i].kind);
	ck_assert_str_eq(r.path, name);
}
END_TEST

START_TEST(directory_and_tar)
{
	uint8_t h[512];

	ck_assert_int_eq(job_root_find(&r, dir, -1, &e), 0);
	ck_assert_int_eq(r.kind, JOB_ROOT_DIR);
	for (int spaces = 0; spaces < 2; spaces++) {
		tar_header(h, spaces);
		file(1024, 0, (char *)h, sizeof(h));
		ck_assert_msg(job_root_find(&r, name, -1, &e) == 0, "%s", e.msg);
		ck_assert_int_eq(r.kind, JOB_ROOT_TAR);
		ck_assert_uint_eq(r.size, 1024);
	}
}
END_TEST

/* What the guest is told of a tar is its length, and stat(2) knows none of a device */
START_TEST(tar_on_a_device_is_empty)
{
	char loop[32] = "", cmd[160];
	uint8_t h[512];
	FILE *p;

	tar_header(h, false);
	file(4096, 0, (char *)h, sizeof(h));
	(void)snprintf(cmd, sizeof(cmd), "losetup -r -f --show %s 2>/dev/null", name);
	p = popen(cmd, "r");
	ck_assert_ptr_nonnull(p);
	if (!fgets(loop, sizeof(loop), p))
		loop[0] = '\0';
	(void)pclose(p);
	if (!loop[0]) /* no root here, or no loop device */
		return;
	loop[strcspn(loop, "\n")] = '\0';
	ck_assert_msg(job_root_find(&r, loop, -1, &e) == 0, "%s", e.msg);
	(void)snprintf(cmd, sizeof(cmd), "losetup -d %s", loop);
	ck_assert_int_eq(system(cmd), 0);
	ck_assert_int_eq(r.kind, JOB_ROOT_TAR);
	ck_assert_uint_eq(r.size, 4096);
}
END_TEST

static const struct {
	size_t len, at;
	const char *bytes;
	size_t n;
	const char *says;
} refused[] = {
	{0, 0, "", 0, "is empty, so no directory, tar or image"},
	{4096, 0, "", 0, "is no directory, tar or image"},
	{4096, 0, "\x1f\x8b", 2, "is compressed by gzip; unpack it: gzip -dk"},
	{4096, 0, "\x28\xb5\x2f\xfd", 4, "zstd -d"},
	{4096, 0,
	 "\xfd"
	 "7zXZ",
	 6, "xz -dk"},
	{4096, 0, "BZh", 3, "bzip2 -dk"},
	{4096, 0, "PK\3\4", 4, "a zip archive"},
	{4096, 0, "070701", 6, "a cpio archive"},
	{4096, 0,
	 "\x7f"
	 "ELF",
	 4, "is a program; ROOT comes first"},
	{4096, 0, "#!/bin/sh", 9, "is a script; ROOT comes first"},
	{4096, 512, "EFI PART", 8, "a partition table"},
	{4096, 510, "\x55\xaa", 2, "a partition table"},
	/* cut short before what would tell */
	{2, 0, "hs", 2, "is no directory, tar or image"},
};

START_TEST(what_is_no_root_is_taken)
{
	file(refused[_i].len, refused[_i].at, refused[_i].bytes, refused[_i].n);
	ck_assert_int_lt(job_root_find(&r, name, -1, &e), 0);
	ck_assert_msg(strstr(e.msg, refused[_i].says) != NULL, "%s", e.msg);
	ck_assert_int_eq(e.usage, 1);
}
END_TEST

START_TEST(what_is_no_file_is_waited_for)
{
	ck_assert_int_lt(job_root_find(&r, "/nonexistent", -1, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.msg, "No such file"));
	ck_assert_int_eq(mkfifo(name, 0600), 0);
	ck_assert_int_lt(job_root_find(&r, name, -1, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.msg, "is no directory, file or disk"));
}
END_TEST

/* It comes in pieces, and its end is no whole block */
START_TEST(tar_on_stdin_is_cut)
{
	uint8_t h[512], back[1024];
	struct stat st;
	int fd[2];

	tar_header(h, false);
	ck_assert_int_eq(pipe(fd), 0);
	ck_assert_int_eq(write(fd[1], h, 512), 512);
	ck_assert_int_eq(write(fd[1], "rest", 4), 4);
	close(fd[1]);
	ck_assert_msg(job_root_find(&r, "-", fd[0], &e) == 0, "%s", e.msg);
	close(fd[0]);
	ck_assert_int_eq(r.kind, JOB_ROOT_TAR);
	ck_assert_int_eq(stat(r.path, &st), 0);
	ck_assert_int_eq(st.st_size, 1024);
	ck_assert_uint_eq(st.st_nlink, 0);
	ck_assert_int_eq(pread(r.own.fd, back, 1024, 0), 1024);
	ck_assert_int_eq(memcmp(back, h, 512), 0);
	ck_assert_int_eq(memcmp(back + 512, "rest\0\0", 6), 0);
}
END_TEST

START_TEST(empty_stdin_is_a_root)
{
	int fd = open("/dev/null", O_RDONLY);

	ck_assert_int_lt(job_root_find(&r, "-", fd, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.msg, "stdin is empty"));
	ck_assert_int_eq(setenv("TMPDIR", "/nonexistent", 1), 0);
	ck_assert_int_lt(job_root_find(&r, "-", fd, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.msg, "set TMPDIR"));
	close(fd);
}
END_TEST

START_TEST(kernel_is_looked_for_elsewhere)
{
	char *found, at[128];

	ck_assert_int_eq(setenv("MICROVM_RUN_DIR", dir, 1), 0);
	ck_assert_int_eq(setenv("MICROVM_CACHE", "/nonexistent", 1), 0);
	found = job_find("root", "given", &e);
	ck_assert_str_eq(found, "given");
	free(found);
	ck_assert_ptr_null(job_find("root", NULL, &e));
	ck_assert_ptr_nonnull(strstr(e.msg, "guest-images/agent/prepare"));
	file(1, 0, "x", 1);
	(void)snprintf(at, sizeof(at), "%s/root", dir);
	found = job_find("root", NULL, &e);
	ck_assert_str_eq(found, at);
	free(found);
}
END_TEST

UNIT_MAIN("job_root", setup, teardown, t)
{
	tcase_add_loop_test(t, kind_is_another, 0, (int)ARRAY_SIZE(kinds));
	tcase_add_test(t, directory_and_tar);
	tcase_add_test(t, tar_on_a_device_is_empty);
	tcase_add_loop_test(t, what_is_no_root_is_taken, 0, (int)ARRAY_SIZE(refused));
	tcase_add_test(t, what_is_no_file_is_waited_for);
	tcase_add_test(t, tar_on_stdin_is_cut);
	tcase_add_test(t, empty_stdin_is_a_root);
	tcase_add_test(t, kernel_is_looked_for_elsewhere);
}
