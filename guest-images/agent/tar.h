/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tar - unpack a tar that anybody may have written, into a directory that nothing of it leaves
 *
 * ustar, GNU's long names, and pax with its names, sizes, owners, times and extended attributes.
 */
#ifndef MICROVM_AGENT_TAR_H
#define MICROVM_AGENT_TAR_H

#include <stdint.h>
#include <time.h>

#include "guest-images/agent/agent.h"

#define TAR_BLOCK 512
#define TAR_NAME  4096           /* bytes of a name, with its NUL */
#define TAR_PAX   (1024 * 1024U) /* bytes of an extended header, at most */

/* A member: what its header and the extended headers before it say */
struct tar_member {
	char name[TAR_NAME], link[TAR_NAME];
	char type;
	uint32_t mode, uid, gid;
	uint32_t major, minor;
	uint64_t size;
	struct timespec mtime;
};

/* The archive as it is read */
struct tar {
	int fd;
	uint64_t left; /* bytes of it that have not been read from @fd */
	uint8_t *buf;
	size_t at, have; /* of @buf */
	char *pax; /* the records before this member, @npax bytes; NULL without any */
	size_t npax;
	char *why;
	struct tar_member m;
};

/* Where the members go (tar_put.c) */
struct tar_place {
	int root;                /* the directory */
	int dir;                 /* of the last member, or -1; O_PATH */
	char dir_name[TAR_NAME]; /* its path below @root */
	char *why;
};

/*
 * Unpack the first @size bytes of @fd into the directory @root.  Owners and device nodes are left out
 * where this process may not make them.
 * Return: is all of it there?  If not, @why says what is wrong, and what was unpacked remains.
 */
bool tar_unpack(int fd, uint64_t size, int root, char why[AGENT_SENTENCE + 1]);

/* Take up to *@n bytes of the archive, at *@p until the next call; *@n says how many there are.
 * Return: false if it has ended before or cannot be read, and @t->why says so. */
bool tar_take(struct tar *t, const uint8_t **p, size_t *n);

/* The next extended attribute of @t->m: *@at begins at 0.  @name points into the records. */
bool tar_next_xattr(struct tar *t, size_t *at, const char **name, const char **value,
		    size_t *len);

/* Make @t->m; a regular file takes its bytes from @t, of which *@data are left */
bool tar_put(struct tar_place *place, struct tar *t, uint64_t *data);

#endif
