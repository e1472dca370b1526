/* SPDX-License-Identifier: Apache-2.0 */
/* squash_inode - the tables of inodes and directories. */
#include "vmm/image/squash_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/core/util.h"

uint32_t squash_dev(uint32_t major, uint32_t minor)
{
	/* as the kernel's new_encode_dev() */
	return (minor & 0xff) | (major & 0xfff) << 8 | (minor & 0xfff00) << 12;
}

static uint32_t seconds(int64_t t)
{
	return t < 0 ? 0 : (uint32_t)MIN(t, (int64_t)UINT32_MAX);
}

static SQFS_INODE_TYPE type_of(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFLNK:
		return SQFS_INODE_SLINK;
	case S_IFBLK:
		return SQFS_INODE_BDEV;
	case S_IFCHR:
		return SQFS_INODE_CDEV;
	case S_IFIFO:
		return SQFS_INODE_FIFO;
	default:
		return SQFS_INODE_FILE;
	}
}

/* An inode of what is neither a directory nor a file with bytes; the caller's to free */
static sqfs_inode_generic_t *inode_make(const struct squash_object *o)
{
	size_t len = S_ISLNK(o->mode) ? strlen(o->target) : 0;
	sqfs_inode_generic_t *i = calloc(1, sizeof(*i) + len + 1);

	if (!i)
		return NULL;
	i->base.type = (sqfs_u16)type_of(o->mode);
	if (S_ISLNK(o->mode)) {
		i->data.slink.nlink = o->names;
		i->data.slink.target_size = (sqfs_u32)len;
		memcpy(i->extra, o->target, len);
		i->payload_bytes_available = i->payload_bytes_used = (sqfs_u32)len;
	} else if (S_ISBLK(o->mode) || S_ISCHR(o->mode)) {
		i->data.dev.nlink = o->names;
		i->data.dev.devno = o->dev;
	} else if (S_ISFIFO(o->mode)) {
		i->data.ipc.nlink = o->names;
	} else {
		i->data.file.fragment_index = UINT32_MAX; /* it has no bytes, so none */
	}
	return i;
}

/* A file of several names, or with attributes, needs the longer form */
static int inode_file(sqfs_inode_generic_t *i, const struct squash_object *o)
{
	int rc = 0;

	if (o->names > 1 && i->base.type == SQFS_INODE_FILE)
		rc = sqfs_inode_make_extended(i);
	if (i->base.type == SQFS_INODE_EXT_FILE)
		i->data.file_ext.nlink = o->names;
	return rc;
}

static int inode_write(struct squash *s, struct squash_object *o, sqfs_inode_generic_t *i,
		       uint32_t number)
{
	uint64_t block;
	uint32_t at;
	int rc = 0;

	i->base.mode = (sqfs_u16)o->mode;
	i->base.mod_time = seconds(o->mtime);
	i->base.inode_number = o->number = number;
	/* this makes the longer form of one that has attributes */
	if (o->xattrs != SQUASH_NO_XATTRS)
		rc = sqfs_inode_set_xattr_index(i, o->xattrs);
	if (rc == 0)
		rc = sqfs_id_table_id_to_index(s->ids, o->uid, &i->base.uid_idx);
	if (rc == 0)
		rc = sqfs_id_table_id_to_index(s->ids, o->gid, &i->base.gid_idx);
	sqfs_meta_writer_get_position(s->inodes, &block, &at);
	o->place = block << 16 | at;
	return rc == 0 ? sqfs_meta_writer_write_inode(s->inodes, i) : rc;
}

static int write_failed(struct squash *s, int rc, struct err *e)
{
	if (rc == SQFS_ERROR_OVERFLOW)
		return err_set(e, EOVERFLOW,
			       "the image's files have more than 65536 different owners, "
			       "which squashfs does not hold");
	return squash_failed(s, rc, e);
}

int squash_inode(struct squash *s, struct squash_object *o, uint32_t number,
		 struct err *e)
{
	bool file = S_ISREG(o->mode) && o->inode;
	sqfs_inode_generic_t *i = file ? o->inode : inode_make(o);
	int rc;

	if (!i)
		return squash_failed(s, SQFS_ERROR_ALLOC, e);
	rc = S_ISREG(o->mode) ? inode_file(i, o) : 0;
	if (rc == 0)
		rc = inode_write(s, o, i, number);
	if (rc == 0 && S_ISREG(o->mode) && i->base.type == SQFS_INODE_EXT_FILE &&
	    i->data.file_ext.nlink != o->names)
		rc = SQFS_ERROR_INTERNAL;
	if (!file)
		free(i);
	return write_failed(s, rc, e);
}

int squash_dir_begin(struct squash *s, struct err *e)
{
	return squash_failed(s, sqfs_dir_writer_begin(s->dir, 0), e);
}

int squash_dir_add(struct squash *s, const char *name, const struct squash_object *o,
		   struct err *e)
{
	return squash_failed(s,
			     sqfs_dir_writer_add_entry(s->dir, name, o->number, o->place,
						       (sqfs_u16)o->mode),
			     e);
}

int squash_dir_end(struct squash *s, struct squash_object *o, uint32_t number,
		   uint32_t links, uint32_t parent, struct err *e)
{
	int rc = sqfs_dir_writer_end(s->dir);
	sqfs_inode_generic_t *i;

	if (rc)
		return squash_failed(s, rc, e);
	i = sqfs_dir_writer_create_inode(s->dir, 0, o->xattrs, parent);
	if (!i)
		return squash_failed(s, SQFS_ERROR_ALLOC, e);
	if (i->base.type == SQFS_INODE_EXT_DIR)
		i->data.dir_ext.nlink = links;
	else
		i->data.dir.nlink = links;
	rc = inode_write(s, o, i, number);
	sqfs_free(i);
	return write_failed(s, rc, e);
}
