/* SPDX-License-Identifier: Apache-2.0 */
/* squash_impl - what the files of squash share. */
#ifndef MICROVM_IMAGE_SQUASH_IMPL_H
#define MICROVM_IMAGE_SQUASH_IMPL_H

/* the library's headers use these without saying so */
#include <sqfs/predef.h>
#include <sqfs/block_processor.h>
#include <sqfs/block_writer.h>
#include <sqfs/block.h>
#include <sqfs/compressor.h>
#include <sqfs/dir_writer.h>
#include <sqfs/error.h>
#include <sqfs/frag_table.h>
#include <sqfs/id_table.h>
#include <sqfs/inode.h>
#include <sqfs/io.h>
#include <sqfs/meta_writer.h>
#include <sqfs/super.h>
#include <sqfs/xattr_writer.h>

#include "vmm/image/squash.h"

#define SQUASH_BLOCK SQFS_DEFAULT_BLOCK_SIZE

struct squash_file {
	sqfs_file_t file;
	int fd;
	int failed; /* errno of the first call that failed; any thread of the library's */
};

struct squash {
	struct squash_file out;
	sqfs_super_t super;
	sqfs_compressor_t *packer, *unpacker;
	sqfs_block_writer_t *blocks;
	sqfs_frag_table_t *tails;
	sqfs_block_processor_t *data;
	sqfs_id_table_t *ids;
	sqfs_xattr_writer_t *xattrs;
	sqfs_meta_writer_t *inodes, *dirs;
	sqfs_dir_writer_t *dir;
	unsigned int nxattrs;       /* in the set that is being made */
	struct squash_object *file; /* whose bytes are being written */
	uint64_t at;                /* how many of them have been */
	struct squash_holes *holes; /* of each file that has some */
};

/* squash_failed() - @rc of the library's.  Return: -errno, with a sentence in @e */
int squash_failed(struct squash *s, int rc, struct err *e);
/* squash_packer() - zstd as the library wants it.  Return: NULL, no memory */
sqfs_compressor_t *squash_packer(bool unpacks);
/* Holes: a file begins; @s->data is done, and all inodes are to have theirs (Return: an error of the
 * library's); the end
 */
void squash_sparse_begin(struct squash *s, struct squash_object *o);
int squash_sparse_finish(struct squash *s);
void squash_sparse_free(struct squash *s);
/* squash_file() - make @f what the library writes to and reads from */
void squash_file(struct squash_file *f, int fd);

#endif
