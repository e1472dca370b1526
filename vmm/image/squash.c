/* SPDX-License-Identifier: Apache-2.0 */
/* squash - open, files' bytes, extended attributes, and the end. */
#include "vmm/image/squash_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/core/limits.h"
#include "vmm/core/util.h"

#define SQUASH_BACKLOG 8 /* blocks that wait, for each thread */

int squash_failed(struct squash *s, int rc, struct err *e)
{
	const char *cure = s->out.failed ? limits_cure(s->out.failed) : NULL;

	if (s->out.failed == ENOSPC && !cure)
		cure = "microvm images prune, or set XDG_CACHE_HOME";

	if (rc == 0)
		return 0;
	if (s->out.failed)
		return err_set(e, s->out.failed, "the image cannot be written: %s%s%s",
			       strerror(s->out.failed), cure ? "; " : "",
			       cure ? cure : "");
	if (rc == SQFS_ERROR_ALLOC)
		return err_set(e, ENOMEM,
			       "no memory to write the image; raise ulimit -v");
	return err_set(e, EIO,
		       "libsquashfs cannot write this image (its error %d); report that",
		       -rc);
}

static int open_data(struct squash *s, unsigned int threads)
{
	sqfs_block_processor_desc_t desc = {.size = sizeof(desc),
					    .max_block_size = SQUASH_BLOCK,
					    .num_workers = threads,
					    .max_backlog = threads * SQUASH_BACKLOG,
					    .cmp = s->packer,
					    .wr = s->blocks,
					    .tbl = s->tails,
					    .file = &s->out.file,
					    .uncmp = s->unpacker};

	return sqfs_block_processor_create_ex(&desc, &s->data);
}

static int open_parts(struct squash *s, unsigned int threads)
{
	int rc = sqfs_super_init(&s->super, SQUASH_BLOCK, 0, SQFS_COMP_ZSTD);

	if (rc == 0)
		rc = sqfs_super_write(&s->super, &s->out.file);
	if (rc)
		return rc;
	s->packer = squash_packer(false);
	s->unpacker = squash_packer(true);
	s->blocks = sqfs_block_writer_create(&s->out.file, SQFS_DEVBLK_SIZE, 0);
	s->tails = sqfs_frag_table_create(0);
	s->ids = sqfs_id_table_create(0);
	s->xattrs = sqfs_xattr_writer_create(0);
	if (!s->packer || !s->unpacker || !s->blocks || !s->tails || !s->ids ||
	    !s->xattrs)
		return SQFS_ERROR_ALLOC;
	s->inodes = sqfs_meta_writer_create(&s->out.file, s->packer, 0);
	s->dirs = sqfs_meta_writer_create(&s->out.file, s->packer,
					  SQFS_META_WRITER_KEEP_IN_MEMORY);
	if (!s->inodes || !s->dirs)
		return SQFS_ERROR_ALLOC;
	s->dir = sqfs_dir_writer_create(s->dirs, 0);
	return s->dir ? open_data(s, threads) : SQFS_ERROR_ALLOC;
}

struct squash *squash_open(int fd, unsigned int threads, struct err *e)
{
	struct squash *s = calloc(1, sizeof(*s));
	int rc;

	if (!s) {
		err_set(e, ENOMEM, "no memory to write the image");
		return NULL;
	}
	squash_file(&s->out, fd);
	rc = open_parts(s, threads);
	if (rc == 0)
		return s;
	/* the library does not say why it got no thread */
	if (rc == SQFS_ERROR_INTERNAL && !s->out.failed)
		err_set(e, EAGAIN,
			"no threads to pack the image; raise ulimit -u, -v and -d, or the "
			"pids.max of the control group");
	else
		(void)squash_failed(s, rc, e);
	squash_close(s);
	return NULL;
}

void squash_close(struct squash *s)
{
	if (!s)
		return;
	/* or the library keeps what waits for more */
	if (s->data)
		(void)sqfs_block_processor_finish(s->data);
	sqfs_destroy(s->data);
	sqfs_destroy(s->dir);
	sqfs_destroy(s->dirs);
	sqfs_destroy(s->inodes);
	sqfs_destroy(s->xattrs);
	sqfs_destroy(s->ids);
	sqfs_destroy(s->tails);
	sqfs_destroy(s->blocks);
	sqfs_destroy(s->unpacker);
	sqfs_destroy(s->packer);
	squash_sparse_free(s);
	free(s);
}

/* ---- files ---- */

int squash_file_begin(struct squash *s, struct squash_object *o, struct err *e)
{
	squash_sparse_begin(s, o);
	return squash_failed(
		s, sqfs_block_processor_begin_file(s->data, &o->inode, NULL, 0), e);
}

int squash_file_add(struct squash *s, const void *p, size_t n, struct err *e)
{
	s->at += n;
	return squash_failed(s, sqfs_block_processor_append(s->data, p, n), e);
}

int squash_file_end(struct squash *s, struct err *e)
{
	return squash_failed(s, sqfs_block_processor_end_file(s->data), e);
}

/* ---- extended attributes ---- */

int squash_xattrs_begin(struct squash *s, struct err *e)
{
	s->nxattrs = 0;
	return squash_failed(s, sqfs_xattr_writer_begin(s->xattrs, 0), e);
}

int squash_xattr(struct squash *s, const char *name, const void *value, size_t n,
		 bool *skipped, struct err *e)
{
	int rc = sqfs_xattr_writer_add(s->xattrs, name, value, n);

	*skipped = rc == SQFS_ERROR_UNSUPPORTED;
	if (*skipped)
		return 0;
	s->nxattrs++;
	return squash_failed(s, rc, e);
}

int squash_xattrs_end(struct squash *s, struct squash_object *o, struct err *e)
{
	uint32_t nr = SQUASH_NO_XATTRS;
	int rc = sqfs_xattr_writer_end(s->xattrs, &nr);

	o->xattrs = s->nxattrs ? nr : SQUASH_NO_XATTRS;
	return squash_failed(s, rc, e);
}

/* ---- the end ---- */

int squash_tables(struct squash *s, struct err *e)
{
	int rc = sqfs_block_processor_finish(s->data);

	if (rc == 0)
		rc = squash_sparse_finish(s);
	s->super.inode_table_start = s->out.file.get_size(&s->out.file);
	return squash_failed(s, rc, e);
}

static int finish_tables(struct squash *s)
{
	int rc = sqfs_meta_writer_flush(s->inodes);

	s->super.directory_table_start = s->out.file.get_size(&s->out.file);
	if (rc == 0)
		rc = sqfs_meta_writer_flush(s->dirs);
	if (rc == 0)
		rc = sqfs_meta_write_write_to_file(s->dirs);
	if (rc == 0)
		rc = sqfs_frag_table_write(s->tails, &s->out.file, &s->super, s->packer);
	if (rc == 0)
		rc = sqfs_id_table_write(s->ids, &s->out.file, &s->super, s->packer);
	if (rc == 0)
		rc = sqfs_xattr_writer_flush(s->xattrs, &s->out.file, &s->super,
					     s->packer);
	return rc;
}

int squash_finish(struct squash *s, const struct squash_object *root, uint32_t objects,
		  struct err *e)
{
	int rc = finish_tables(s);
	uint64_t size = s->out.file.get_size(&s->out.file);

	s->super.inode_count = objects;
	s->super.root_inode_ref = root->place;
	s->super.bytes_used = size;
	if (rc == 0)
		rc = sqfs_super_write(&s->super, &s->out.file);
	/* the kernel reads whole blocks of its own */
	if (rc == 0)
		rc = s->out.file.truncate(&s->out.file,
					  ALIGN_UP(size, (uint64_t)SQFS_DEVBLK_SIZE));
	return squash_failed(s, rc, e);
}
