/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_agent_tar - a tar that anybody may have written.  It is unpacked into a directory whose only
 * neighbour is a file, and a tar that leaves the directory changes that one.
 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest-images/agent/tar.h"
#include "guest-images/agent/users.h"
#include "vmm/core/util.h"

static char top[] = "/tmp/fuzz_agent_tar.XXXXXX", dir[64];
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

/* The sum of each header that is meant to be one, for the fuzzer will not find it */
static void sum(uint8_t *h)
{
	unsigned int s = 8 * ' ';

	for (int i = 0; i < TAR_BLOCK; i++)
		s += i < 148 || i >= 156 ? h[i] : 0;
	(void)snprintf((char *)h + 148, 8, "%06o", s);
}

/* Input as a tar: blocks, one in four of them cut to what makes a header */
static int archive(struct fuzz_in *in, uint64_t *size)
{
	int fd = memfd_create("tar", MFD_CLOEXEC);
	uint8_t block[TAR_BLOCK];

	while (in->n && *size < 64 * TAR_BLOCK) {
		uint8_t how = fuzz_u8(in);

		memset(block, 0, sizeof(block));
		if (how & 1) {
			fuzz_bytes(in, block, how & 2 ? 100 : how / 4);
			fuzz_bytes(in, block + 124, how & 4 ? 12 : 0);
			block[156] = fuzz_u8(in);
			fuzz_bytes(in, block + 157, how & 8 ? 20 : 0);
			fuzz_bytes(in, block + 345, how & 16 ? 20 : 0);
			memcpy(block + 257, "ustar", how & 32 ? 6 : 0);
			sum(block);
		} else {
			fuzz_bytes(in, block, how);
		}
		BUG_ON(write(fd, block, sizeof(block)) != sizeof(block));
		*size += sizeof(block);
	}
	BUG_ON(lseek(fd, 0, SEEK_SET) != 0);
	return fd;
}

static void check_victim(void)
{
	struct stat st;

	fuzz_check(fstatat(top_fd, "victim", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		   st.st_nlink == 1 && st.st_size == 0 && (st.st_mode & 07777) == 0600);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	struct text text = {(const char *)data, size};
	char why[AGENT_SENTENCE + 1] = "";
	uint64_t bytes = 0;
	struct user user;
	struct stat st;
	int fd, root;
	bool ok;

	(void)user_find(&user, "ann", text, text, why);
	(void)user_find(&user, "1000:wheel", text, text, why);
	begin();
	why[0] = '\0';
	fd = archive(&in, &bytes);
	root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok = tar_unpack(fd, bytes, root, why);
	fuzz_check(ok || *why);
	close(fd);
	close(root);
	check_victim();
	fuzz_check(fstat(top_fd, &st) == 0 && st.st_nlink == 3);
	fuzz_check(lstat(dir, &st) == 0 && S_ISDIR(st.st_mode));
	(void)chmod(dir, 0700);
	BUG_ON(nftw(dir, drop, 16, FTW_DEPTH | FTW_PHYS) < 0 || rmdir(dir) < 0);
	check_victim(); /* as the clean-up left it */
	return 0;
}
