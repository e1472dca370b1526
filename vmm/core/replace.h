/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replace - a regular file that is replaced in one step: written beside it under another name, and
 * renamed when it is whole.
 */
#ifndef MICROVM_CORE_REPLACE_H
#define MICROVM_CORE_REPLACE_H

#include <sys/stat.h>

struct replace {
	char *tmp; /* the file that is being written; NULL: none */
};

/* replace_dir() - the directory of @path, and in @base the name there.  @path has no link in its
 * directories, as realpath(3) returns it: another user who owns one of them may put a link to a
 * directory of ours in its place, and that is not followed (-ELOOP; before Linux 5.6 it is).
 * Return: a descriptor (O_PATH), the caller's; or -errno
 */
int replace_dir(const char *path, const char **base);
/* replace_open() - make a file of a random name beside @path.  @older: of the file that is there,
 * whose owner, group, mode and access list it gets; no user that cannot open that one can open the
 * new one, even for a moment. NULL: there is none.
 * Return: a descriptor to write to, the caller's; or -errno
 */
int replace_open(struct replace *r, const char *path, const struct stat *older);
/* replace_put() - it is whole: from now on it is @path.  Return: 0 or -errno */
int replace_put(struct replace *r, const char *path);
/* replace_drop() - remove what was not put in place, free */
void replace_drop(struct replace *r);

#endif
