/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_victim - a directory to unpack into, whose only neighbour is a file: input that leaves the
 * directory changes that one. For one .c file a target.
 */
#ifndef MICROVM_FUZZ_VICTIM_H
#define MICROVM_FUZZ_VICTIM_H

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "vmm/core/util.h"

static char victim_top[] = "/tmp/fuzz_victim.XXXXXX", victim_dir[64];
static int victim_fd;

static void victim_end(void)
{
	(void)unlinkat(victim_fd, "victim", 0);
	(void)rmdir(victim_top);
}

/* Return: the directory, open; it is empty */
static int victim_begin(void)
{
	if (!victim_fd) {
		BUG_ON(!mkdtemp(victim_top));
		(void)snprintf(victim_dir, sizeof(victim_dir), "%s/root", victim_top);
		victim_fd = open(victim_top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		BUG_ON(close(openat(victim_fd, "victim", O_CREAT | O_WRONLY, 0600)) < 0);
		BUG_ON(atexit(victim_end) != 0);
	}
	BUG_ON(mkdir(victim_dir, 0700) < 0);
	return open(victim_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* It is as it was, and beside it are @links - 2 directories */
static void victim_check(nlink_t links)
{
	struct stat st;

	fuzz_check(fstatat(victim_fd, "victim", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		   st.st_nlink == 1 && st.st_size == 0 && (st.st_mode & 07777) == 0600);
	fuzz_check(fstat(victim_fd, &st) == 0 && st.st_nlink == links);
}

static int victim_drop(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)kind, (void)ftw;
	/* a link leads out, and chmod() follows it */
	if (S_ISDIR(st->st_mode))
		(void)chmod(path, 0700);
	return remove(path);
}

/* Remove the directory: the clean-up leaves the victim as it was as well */
static void victim_remove(void)
{
	(void)chmod(victim_dir, 0700);
	BUG_ON(nftw(victim_dir, victim_drop, 16, FTW_DEPTH | FTW_PHYS) < 0);
	victim_check(2);
}

#endif
