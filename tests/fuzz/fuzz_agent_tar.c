/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_agent_tar - a tar that anybody may have written. */
#include "tests/fuzz/fuzz_victim.h"

#include <dirent.h>
#include <errno.h>
#include <sys/mman.h>

#include "guest-images/agent/tar.h"
#include "guest-images/agent/users.h"

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
	root = victim_begin();
	why[0] = '\0';
	fd = archive(&in, &bytes);
	ok = tar_unpack(fd, bytes, root, why);
	fuzz_check(ok || *why);
	close(fd);
	close(root);
	victim_check(3);
	fuzz_check(lstat(victim_dir, &st) == 0 && S_ISDIR(st.st_mode));
	victim_remove();
	return 0;
}
