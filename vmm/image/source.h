/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source - where an image's parts are: a directory in the layout of OCI, or a tar with the same, or one
 * of `docker save`.
 */
#ifndef MICROVM_IMAGE_SOURCE_H
#define MICROVM_IMAGE_SOURCE_H

#include <stdint.h>

#include "vmm/core/err.h"
#include "vmm/image/stream.h"

enum source_kind { SOURCE_OCI_DIR, SOURCE_OCI_ARCHIVE, SOURCE_DOCKER_ARCHIVE };

struct source_member;

struct source {
	enum source_kind kind;
	int fd; /* the directory or the tar; the caller's */
	struct source_member *member;
	unsigned int n;
};

/* source_open() - look at what @fd is; of a tar, read all names.  Return: 0, or -errno in @e;
 * source_close() in either case
 */
int source_open(struct source *s, enum source_kind kind, int fd, struct err *e);
void source_close(struct source *s);
/* source_blob() - the part @name.  @b->fd is @s->fd or the caller's to close: source_done().
 * Return: likewise; -ENOENT
 */
int source_blob(const struct source *s, const char *name, struct blob *b, struct err *e);
void source_done(const struct source *s, struct blob *b);
/* source_read() - all of the part @name, at most @most bytes, into *@text, the caller's to free, with a
 * NUL behind it; @want: its digest, or NULL.  Return: likewise
 */
int source_read(const struct source *s, const char *name, size_t most,
		const struct digest *want, char **text, size_t *len, struct err *e);

#endif
