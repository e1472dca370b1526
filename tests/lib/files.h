/* SPDX-License-Identifier: Apache-2.0 */
/* files - files that a unit test makes, looks at and removes */
#ifndef MICROVM_TESTS_FILES_H
#define MICROVM_TESTS_FILES_H

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* file_put() - @path is a file with @text and @mode; it is replaced if it is there */
static inline void file_put(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

/* file_has() - is @path a file with @text, and no link to one? */
static inline bool file_has(const char *path, const char *text)
{
	char buf[256];
	int fd = open(path, O_RDONLY | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));

	if (fd >= 0)
		close(fd);
	return n == (ssize_t)strlen(text) && memcmp(buf, text, (size_t)n) == 0;
}

static inline int files_drop(const char *path, const struct stat *st, int kind,
			     struct FTW *ftw)
{
	(void)st, (void)kind, (void)ftw;
	return remove(path);
}

/* files_remove() - the directory @path and all that is in it, links themselves */
static inline void files_remove(const char *path)
{
	ck_assert_int_eq(nftw(path, files_drop, 16, FTW_DEPTH | FTW_PHYS), 0);
}

#endif
