/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_agent_tree - an archive of files that anybody may have written. */
#include "tests/fuzz/fuzz_victim.h"

#include <sys/mman.h>

#include "guest-images/agent/tree.h"

#define TREES 4

#define ENTRIES 8 /* that may be there, at times */

static unsigned int entries;

/* Nothing but what has words in an archive */
static int look(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)path, (void)kind;
	entries += ftw->level > 0;
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
	int root = victim_begin();

	t = (struct tree_reader){.fd = archive(&in),
				 .left = UINT64_MAX,
				 .most = size % 2 ? ENTRIES * TREE_ENTRY : 0};
	entries = 0;
	for (int i = 0; i < TREES && tree_next(&t) == 1; i++) {
		char why[AGENT_SENTENCE + 1] = "", name[2] = {(char)('a' + i), '\0'};
		bool ok = tree_unpack(&t, root, name, 022, why);

		fuzz_check(ok || *why);
		for (const char *p = why; *p; p++)
			fuzz_check(*p >= ' ' && *p <= '~');
	}
	close(t.fd);
	close(root);
	victim_check(3);
	BUG_ON(nftw(victim_dir, look, 16, FTW_PHYS) < 0);
	fuzz_check(!t.most || entries <= ENTRIES);
	victim_remove();
	return 0;
}
