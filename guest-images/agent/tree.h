/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree - files and directories as a stream of bytes, which is how they go into a guest and come out
 * of it (docs/agent.md).  Both ends share these files, as they do proto.h.
 *
 * An archive is trees, then END.  A tree is BEGIN, one entry, DONE; or ERROR anywhere after BEGIN.
 * An entry is a FILE and its chunks, a LINK, or a DIR, the entries in it, UP.  Chunks are a length
 * each, little-endian, and that many bytes; a length with TREE_HOLE is one of zeroes, which do not
 * follow; 0 is the last.
 */
#ifndef MICROVM_AGENT_TREE_H
#define MICROVM_AGENT_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "guest-images/agent/proto.h"

#define TREE_DEPTH  256  /* directories in one another */
#define TREE_NAME   256  /* bytes of a name, with its NUL */
#define TREE_TARGET 4096 /* where a link leads, or a tree goes; likewise */
#define TREE_BUF    65536
#define TREE_HOLE   (UINT64_C(1) << 63)
#define TREE_ENTRY \
	16384 /* what an entry takes besides its bytes: as ext4 sets inodes aside */
#define TREE_EDGES \
	8192 /* what a hole takes: the blocks on both sides of it are not full */

enum tree_type {
	TREE_BEGIN =
		1, /* name: of the entry, empty for what is in SRC alone; target: DST */
	TREE_DIR,  /* names, but of the entry after BEGIN */
	TREE_UP,
	TREE_FILE,
	TREE_LINK, /* target: where it leads */
	TREE_DONE,
	TREE_ERROR, /* target: a sentence */
	TREE_END,
	TREE_TYPES
};

/* As it is in memory; name and target follow, without NUL */
struct tree_head {
	uint8_t type, zero;
	uint16_t name, target, zeroes;
	uint32_t mode, ns;
	int64_t s;
};
_Static_assert(sizeof(struct tree_head) == 24, "no holes");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "as in the stream");

/* Zero it, and set @fd */
struct tree_writer {
	int fd;
	int error; /* errno of a write that failed: nothing is written any more */
	size_t n;
	uint8_t buf[TREE_BUF];
};

/* Zero it, and set @fd and @left */
struct tree_reader {
	int fd;
	uint64_t left; /* bytes to read, at most */
	uint64_t took; /* bytes of a disk for all that was made: holes take none */
	uint64_t most; /* and how many that may be; 0: any number */
	bool solid;    /* there, holes take as much as bytes do */
	bool full;     /* it would have been more, which is the archive's end as well */
	bool broken;   /* it is no archive, or has ended too early */
	size_t at, have;
	struct tree_head head;
	char name[TREE_NAME], target[TREE_TARGET];
	uint8_t buf[TREE_BUF];
};

/*
 * tree_pack() - a tree of @src, which goes to @dst.  Links in the way to @src, and @src itself, are
 * followed, those below it packed as links.  Device nodes, pipes and sockets are left out; of modes
 * 0777 is packed, and no owner.  Return: did it work?  If not, @why says what did not.
 */
bool tree_pack(struct tree_writer *w, const char *src, const char *dst,
	       char why[AGENT_SENTENCE + 1]);
/* tree_end() - the archive is whole.  Return: 0 or -errno: of the first write that failed */
int tree_end(struct tree_writer *w);
/* tree_base() - the name of what @path names; empty: what is in it is meant, as with "DIR/." */
void tree_base(const char *path, char name[TREE_NAME]);

/*
 * tree_next() - step to the next tree; its BEGIN is in @t.  The one before has been unpacked.
 * Return: 1; 0, there are no more; -1, it is broken
 */
int tree_next(struct tree_reader *t);
/*
 * tree_unpack() - the tree as @name in the directory @dir, or with an empty name into @dir itself.
 * Whatever the archive says, nothing is opened, made or removed but below @dir, no link is followed,
 * and what is made is a file, a directory or a link; @name itself is no link.  Modes lose the bits of
 * @mask, but a directory's owner may always read it.  A file or link that has the name is replaced, a
 * directory merged.
 * Return: is all of it there?  If not, @why says what is not, and some of it may be there.
 */
bool tree_unpack(struct tree_reader *t, int dir, const char *name, mode_t mask,
		 char why[AGENT_SENTENCE + 1]);

/* tree_failed() - a sentence, in printable ASCII.  Return: false */
bool tree_failed(char why[AGENT_SENTENCE + 1], const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
