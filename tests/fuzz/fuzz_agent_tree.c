/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_agent_tree - an archive of files that anybody may have written.  It is unpacked into a directory
 * whose only neighbour is a file, and an archive that leaves the directory changes that one.
 */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest-images/agent/tree.h"
#include "vmm/core/util.h"

#define TREES 4

static char top[] = "/tmp/fuzz_agent_tree.XXXXXX", dir[64];
static int top_fd;

static int drop(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)kind;
	/* a link leads out, and chmod() follows it */
	if (S_ISDIR(st->st_mode))
		(void)chmod(path, 0700);
	return ftw->level ? remove(path) : 0;
}

static void end(void)
{
	(void)unlinkat(top_fd, "victim", 0);
	(void)rmdir(top);
}

static void begin(void)
{
	if (!top_fd) {
		BUG_ON(!mkdtemp(top));
		(void)snprintf(dir, sizeof(dir), "%s/root", top);
		top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		BUG_ON(close(openat(top_fd, "victim", O_CREAT | O_WRONLY, 0600)) < 0);
		BUG_ON(atexit(end) != 0);
	}
	BUG_ON(mkdir(dir, 0700) < 0);
}

static void check_victim(nlink_t links)
{
	struct stat st;

	fuzz_check(fstatat(top_fd, "victim", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		   st.st_nlink == 1 && st.st_size == 0 && (st.st_mode & 07777) == 0600);
	fuzz_check(fstat(top_fd, &st) == 0 && st.st_nlink == links);
}

/* Nothing but what has words in an archive */
static int look(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)path, (void)kind;
	fuzz_check(S_ISREG(st->st_mode) || S_ISDIR(st->st_mode) ||
		   (S_ISLNK(st->st_mode) && ftw->level > 1));
	fuzz_check(S_ISLNK(st->st_mode) || !(st->st_mode & 07022) || !ftw->level);
	fuzz_check(!S_ISREG(st->st_mode) || st->st_nlink == 1);
	return 0;
}

/* The fuzzer's bytes, each record short: type, lengths, then what they say */
static int archive(struct fuzz_in *in)
{
	int fd = memfd_create("tree", MFD_CLOEXEC);
	uint8_t bytes[256];

	while (in->n) {
		struct tree_head h = {.type = (uint8_t)(fuzz_u8(in) % (TREE_TYPES + 1)),
				      .name = fuzz_u8(in) % 32,
				      .target = fuzz_u8(in) % 64,
				      .mode = (uint32_t)fuzz_u8(in) << 4};

		fuzz_bytes(in, bytes, h.name + h.target);
		BUG_ON(write(fd, &h, sizeof(h)) != sizeof(h));
		BUG_ON(write(fd, bytes, h.name + h.target) != h.name + h.target);
		while (h.type == TREE_FILE && in->n) {
			uint64_t len = fuzz_u8(in) % 128;
			uint64_t hole = len & 64 ? TREE_HOLE | (len & 63)
								       << fuzz_u8(in) % 64
						 : len;

			BUG_ON(write(fd, &hole, sizeof(hole)) != sizeof(hole));
			if (!len)
				break;
			if (len == hole)
				BUG_ON(write(fd, bytes, len) != (ssize_t)len);
		}
	}
	BUG_ON(lseek(fd, 0, SEEK_SET) != 0);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tree_reader t;
	struct fuzz_in in = {data, size};
	int root;

	begin();
	t = (struct tree_reader){.fd = archive(&in), .left = UINT64_MAX};
	root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < TREES && tree_next(&t) == 1; i++) {
		char why[AGENT_SENTENCE + 1] = "", name[2] = {(char)('a' + i), '\0'};
		bool ok = tree_unpack(&t, root, name, 022, why);

		fuzz_check(ok || *why);
		for (const char *p = why; *p; p++)
			fuzz_check(*p >= ' ' && *p <= '~');
	}
	close(t.fd);
	close(root);
	check_victim(3);
	BUG_ON(nftw(dir, look, 16, FTW_PHYS) < 0);
	BUG_ON(nftw(dir, drop, 16, FTW_DEPTH | FTW_PHYS) < 0 || rmdir(dir) < 0);
	check_victim(2); /* as the clean-up left it */
	return 0;
}
