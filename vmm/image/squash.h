/* SPDX-License-Identifier: Apache-2.0 */
/*
 * squash - an image's tree, written as squashfs by libsquashfs.
 *
 * Files' bytes are compressed by threads of the library's and written as they come; what has not found a
 * place in the tree by the end stays in the file, unreachable.  Names, owners and so on are written last.
 * squashfs has 32 bits for a time in seconds, and no extended attributes but user, trusted and
 * security.
 */
#ifndef MICROVM_IMAGE_SQUASH_H
#define MICROVM_IMAGE_SQUASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/core/err.h"

struct squash;
struct sqfs_inode_generic_t;

#define SQUASH_NO_XATTRS UINT32_MAX

/* What a name leads to: a file, a directory, a link, and so on; several names may lead to one */
struct squash_object {
	uint32_t mode; /* with its type, as of stat(2) */
	uint32_t uid, gid;
	uint32_t dev; /* squash_dev(), of a device node */
	int64_t mtime;
	uint32_t xattrs;                    /* squash_xattrs_end() */
	uint32_t names;                     /* how many lead here */
	char *target;                       /* of a symbolic link */
	struct sqfs_inode_generic_t *inode; /* of a file whose bytes are written */
	uint32_t number;                    /* 0: not yet in the table */
	uint64_t place;
	bool written; /* both are the tree's own */
	struct squash_object *next;
};

/* squash_open() - into the empty file @fd, which stays the caller's.  Makes @threads threads.
 * Return: NULL with @e; squash_close() frees it
 */
struct squash *squash_open(int fd, unsigned int threads, struct err *e);
void squash_close(struct squash *s);

/* A file's bytes: begin, any number of these two, end.  @o stays where it is until squash_close().
 * Return, of all that follow: 0, or -errno in @e
 */
int squash_file_begin(struct squash *s, struct squash_object *o, struct err *e);
int squash_file_add(struct squash *s, const void *p, size_t n, struct err *e);
int squash_file_hole(struct squash *s, uint64_t n, struct err *e);
int squash_file_end(struct squash *s, struct err *e);

/* A set of extended attributes, which goes into @o. squash_xattr() skips what squashfs does not have, and
 * says so by *@skipped
 */
int squash_xattrs_begin(struct squash *s, struct err *e);
int squash_xattr(struct squash *s, const char *name, const void *value, size_t n,
		 bool *skipped, struct err *e);
int squash_xattrs_end(struct squash *s, struct squash_object *o, struct err *e);

uint32_t squash_dev(uint32_t major, uint32_t minor);

/* The tree, after all files: squash_tables() once, with the number of objects; then from the leaves to
 * the root. A directory's entries are those added since squash_dir_begin(), in the order of strcmp().
 */
int squash_tables(struct squash *s, struct err *e);
int squash_inode(struct squash *s, struct squash_object *o, uint32_t number,
		 struct err *e);
int squash_dir_begin(struct squash *s, struct err *e);
int squash_dir_add(struct squash *s, const char *name, const struct squash_object *o,
		   struct err *e);
int squash_dir_end(struct squash *s, struct squash_object *o, uint32_t number,
		   uint32_t links, uint32_t parent, struct err *e);
/* squash_finish() - all is written but what the kernel has in its cache.  @root, of @objects */
int squash_finish(struct squash *s, const struct squash_object *root, uint32_t objects,
		  struct err *e);

#endif
