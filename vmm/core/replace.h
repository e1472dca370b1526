/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replace - a regular file that is replaced in one step: written beside it under another name, and
 * renamed when it is whole.
 */
#ifndef MICROVM_CORE_REPLACE_H
#define MICROVM_CORE_REPLACE_H

#include <sys/stat.h>

struct replace {
	char *tmp; /* the name of the file that is being written; NULL: none */
};

/* All are about the name @base in the directory that @dir, a descriptor, is.
 *
 * replace_open() - make a file of a random name beside @base.  @older: of the file that is there,
 * @path, whose owner, group, mode and access list it gets; no user that cannot open that one can
 * open the new one, even for a moment. NULL: there is none.
 * Return: a descriptor to write to, the caller's; or -errno
 */
int replace_open(struct replace *r, int dir, const char *base, const struct stat *older,
		 const char *path);
/* replace_again() - as replace_open(), like the file that descriptor @like is */
int replace_again(struct replace *r, int dir, const char *base, int like);
/* replace_put() - it is whole: from now on it is @base.  Return: 0 or -errno */
int replace_put(struct replace *r, int dir, const char *base);
/* replace_drop() - remove what was not put in place, free */
void replace_drop(struct replace *r, int dir);

#endif
