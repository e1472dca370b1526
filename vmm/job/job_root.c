/* SPDX-License-Identifier: Apache-2.0 */
/* job_root - what ROOT is, by its first bytes. */
#include "vmm/job/job_root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/subids.h"
#include "vmm/core/util.h"
#include "vmm/image/reference.h"

#define ROOT_LOOK  (70 * 1024) /* up to the farthest magic number, btrfs' */
#define ROOT_CHUNK 65536
#define TAR_BLOCK  512

struct magic {
	size_t at, len;
	const char *bytes;
	const char *what; /* of those that are refused */
	const char *cure;
};

static const struct magic images[] = {
	{0, 4, "hsqs", NULL, NULL},                /* squashfs */
	{1024, 4, "\xe2\xe1\xf5\xe0", NULL, NULL}, /* erofs */
	{1024 + 56, 2, "\x53\xef", NULL, NULL},    /* ext2, ext3, ext4 */
	{0, 4, "XFSB", NULL, NULL},                /* xfs */
	{0x10040, 8, "_BHRfS_M", NULL, NULL},      /* btrfs */
};

static const struct magic refused[] = {
	{0, 2, "\x1f\x8b", "compressed by gzip", "unpack it: gzip -dk"},
	{0, 4, "\x28\xb5\x2f\xfd", "compressed by zstd", "unpack it: zstd -d"},
	{0, 6,
	 "\xfd"
	 "7zXZ",
	 "compressed by xz", "unpack it: xz -dk"},
	{0, 3, "BZh", "compressed by bzip2", "unpack it: bzip2 -dk"},
	{0, 4, "PK\3\4", "a zip archive", "unpack it into a directory: unzip"},
	{0, 6, "070701", "a cpio archive", "unpack it into a directory: cpio -id"},
	{0, 4,
	 "\x7f"
	 "ELF",
	 "a program",
	 "ROOT comes first, the command after it: microvm run ROOT -- COMMAND"},
	{0, 2, "#!", "a script",
	 "ROOT comes first, the command after it: microvm run ROOT -- COMMAND"},
	{512, 8, "EFI PART", "a disk with a partition table",
	 "give an image of the partition alone, as losetup -P shows it"},
	{510, 2, "\x55\xaa", "a disk with a partition table",
	 "give an image of the partition alone, as losetup -P shows it"},
};

struct look {
	uint8_t head[ROOT_LOOK];
	size_t len;
};

static const struct magic *look_for(const struct look *l, const struct magic *m, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (m[i].at + m[i].len <= l->len &&
		    memcmp(l->head + m[i].at, m[i].bytes, m[i].len) == 0)
			return &m[i];
	return NULL;
}

/* A header's sum, by which old tars without a magic number are known as well (POSIX, pax(1),
 * "ustar Interchange Format": the sum counts the field itself as spaces)
 */
static bool look_is_tar(const struct look *l)
{
	uint64_t sum = 0, said = 0;

	if (l->len < TAR_BLOCK)
		return false;
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += i >= 148 && i < 156 ? ' ' : l->head[i];
	for (size_t i = 148; i < 156; i++) {
		uint8_t c = l->head[i];

		if (c >= '0' && c <= '7')
			said = said << 3 | (uint64_t)(c - '0');
		else if (c != ' ' || said)
			break;
	}
	return l->head[0] && sum == said;
}

static int root_refuse(const char *path, const struct look *l, struct err *e)
{
	const struct magic *m = look_for(l, refused, ARRAY_SIZE(refused));

	if (m)
		return err_usage(e, "ROOT %.200s is %s; %s", path, m->what, m->cure);
	return err_usage(e,
			 "ROOT %.200s is%s no directory, tar or image of a file system "
			 "(squashfs, erofs, ext4, xfs, btrfs); give one of these",
			 path, l->len ? "" : " empty, so");
}

static int root_kind(struct job_root *r, const char *path, const struct look *l,
		     struct err *e)
{
	if (look_for(l, images, ARRAY_SIZE(images)))
		r->kind = JOB_ROOT_IMAGE;
	else if (l->len > 4 && memcmp(l->head, "QFI\xfb", 4) == 0)
		r->kind = JOB_ROOT_QCOW2;
	else if (look_is_tar(l))
		r->kind = JOB_ROOT_TAR;
	else
		return root_refuse(path, l, e);
	return 0;
}

/* Of a device stat(2) says 0 */
static int root_measure(struct job_root *r, int fd, const char *path, struct err *e)
{
	off_t end = lseek(fd, 0, SEEK_END);

	if (end < 0)
		return err_set(e, errno, "ROOT %.200s: %s", path, strerror(errno));
	r->size = (uint64_t)end;
	return 0;
}

/* ---- a tar on stdin ---- */

/* To its end, and up to a whole block */
static int stdin_copy(int in, int out, struct err *e)
{
	static uint8_t chunk[ROOT_CHUNK];
	uint64_t total = 0;
	long n;

	while ((n = read_full(in, chunk, sizeof(chunk))) > 0) {
		size_t len = ALIGN_UP((size_t)n, (size_t)TAR_BLOCK);
		long rc;

		memset(chunk + n, 0, len - (size_t)n);
		rc = write_full(out, chunk, len);
		if (rc < 0)
			return job_file_failed("ROOT -", "cannot keep the tar", (int)-rc,
					       e);
		total += (uint64_t)n;
	}
	if (n < 0)
		return job_file_failed("ROOT -", "cannot read stdin", (int)-n, e);
	return total ? 0
		     : err_usage(e, "ROOT -: stdin is empty; send a tar, as in: "
				    "docker export NAME | microvm run - -- COMMAND");
}

static int root_from_stdin(struct job_root *r, int in, struct look *l, struct err *e)
{
	long n;

	if (isatty(in))
		return err_usage(e, "ROOT -: stdin is a terminal; send a tar, as in: "
				    "docker export NAME | microvm run - -- COMMAND");
	if (job_file_make(&r->own, "ROOT -", e) < 0 || stdin_copy(in, r->own.fd, e) < 0)
		return -e->code;
	n = pread_full(r->own.fd, l->head, sizeof(l->head), 0);
	l->len = n > 0 ? (size_t)n : 0;
	if (root_kind(r, "-", l, e) < 0 || root_measure(r, r->own.fd, "-", e) < 0)
		return -e->code;
	r->path = r->own.path;
	return 0;
}

static int root_missing(const char *word, int code, struct err *e)
{
	char tagged[200];

	/* what docker takes as alpine:latest is a path here */
	if (code == ENOENT &&
	    snprintf(tagged, sizeof(tagged), "%s:latest", word) < (int)sizeof(tagged) &&
	    reference_is_name(tagged))
		return err_usage(
			e, "ROOT %.190s: %s; an image of a registry has its tag: %s",
			word, strerror(code), tagged);
	return err_usage(e,
			 "ROOT %.200s: %s; give the directory, tar or image in which the "
			 "command is to run",
			 word, strerror(code));
}

int job_root_find(struct job_root *r, const char *word, int in, struct err *e)
{
	static struct look l;
	cleanup_close int fd = -1;
	struct stat st;
	long n;

	*r = (struct job_root){.path = word, .own.fd = -1};
	if (strcmp(word, "-") == 0)
		return root_from_stdin(r, in, &l, e);
	/* O_NONBLOCK: a FIFO of that name must not make us wait */
	fd = open(word, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return root_missing(word, errno, e);
	if (S_ISDIR(st.st_mode)) {
		r->kind = JOB_ROOT_DIR;
		return 0;
	}
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_usage(
			e,
			"ROOT %.200s is no directory, file or disk; give one, or "
			"- for a tar on stdin",
			word);
	n = pread_full(fd, l.head, sizeof(l.head), 0);
	if (n < 0)
		return err_set(e, (int)-n, "ROOT %.200s: %s", word, strerror((int)-n));
	l.len = (size_t)n;
	return root_kind(r, word, &l, e) < 0 ? -e->code : root_measure(r, fd, word, e);
}

int job_root_host(struct job_root *r, struct err *e)
{
	struct subids ids;

	*r = (struct job_root){.kind = JOB_ROOT_HOST, .path = "/", .own.fd = -1};
	if (geteuid() == 0 || subids_find(&ids, e) == 0)
		return 0;
	return err_wrap(e, "--root host is read as a user that owns nothing, a "
			   "subordinate id of yours, and there is none");
}

void job_root_close(struct job_root *r)
{
	job_file_close(&r->own);
}
