/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subids - the subordinate ids of this user (subuid(5), subgid(5)): users and groups that the host
 * gives it for its user namespaces, by the set-uid programs newuidmap and newgidmap.
 */
#ifndef MICROVM_CORE_SUBIDS_H
#define MICROVM_CORE_SUBIDS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "vmm/core/err.h"

struct subids_range {
	uint32_t first, count;
};

struct subids {
	struct subids_range uids, gids;
	char newuidmap[PATH_MAX], newgidmap[PATH_MAX]; /* where the programs are */
};

/* subids_find() - the longest range of each for our effective user.  Whether the programs agree is
 * known when they have run. Return: 0; -ENOENT: there are none, and @e says what to install or to add
 */
int subids_find(struct subids *s, struct err *e);
/* subids_mapped() - the longest range of more than one id in our own user namespace, by @file, which is
 * /proc/self/uid_map or gid_map.  Return: is there one?
 */
bool subids_mapped(const char *file, struct subids_range *r);
/* subids_given() - likewise one each that does not have our own user or group in it: subordinate ids
 * that our namespace was given (the host's own has all ids, and gives none). Return: are there any?
 */
bool subids_given(struct subids_range *uids, struct subids_range *gids);
/* subids_has() - is @id in @r? */
static inline bool subids_has(const struct subids_range *r, uint32_t id)
{
	return id >= r->first && id - r->first < r->count;
}
/* subids_read() - the longest range in @f, a file like /etc/subuid, of the user @name (NULL: it has no
 * name) or @uid.  Return: its count, 0 if there is none
 */
uint32_t subids_read(FILE *f, const char *name, uint32_t uid, struct subids_range *r);

#endif
