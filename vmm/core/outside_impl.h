/* SPDX-License-Identifier: Apache-2.0 */
/* outside_impl - what the files of outside share: a slot. */
#ifndef MICROVM_CORE_OUTSIDE_IMPL_H
#define MICROVM_CORE_OUTSIDE_IMPL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/core/outside.h"
#include "vmm/core/replace.h"

enum slot_kind {
	SLOT_FREE,
	SLOT_PEER,
	SLOT_OURS,
	SLOT_MADE,
	SLOT_LOG,
	SLOT_FILE,
	SLOT_HELPER
};

struct slot {
	enum slot_kind kind;
	char *path;
	/* Of a peer -1; of a helper its process's, ours if @heard; of all others the directory of
	 * @path as it was when the slot was made, and @base is the name in it.  So a directory
	 * that another user puts into its place is not the one that is written to
	 */
	int fd;
	const char *base;
	dev_t dev; /* which file is ours */
	ino_t ino;
	mode_t mode; /* of a log's files */
	struct replace first, again;
	int like;  /* the caller's descriptor of what @first made */
	bool both; /* the process that is asked has it from before we parted */
	bool heard;
};

extern struct slot outside_slots[OUTSIDE_SLOTS_MAX];
/* None from here on was ever used: to look at one is to have its memory */
extern unsigned int outside_slots_end;

/* slot_has_dir() - is it about a name in a directory? */
static inline bool slot_has_dir(enum slot_kind kind)
{
	return kind == SLOT_OURS || kind == SLOT_MADE || kind == SLOT_LOG ||
	       kind == SLOT_FILE;
}

/* slot_base() - the last part of @path */
const char *slot_base(const char *path);
/* slot_remove() - the file, if it is still there.  Return: 0 or -errno */
int slot_remove(const struct slot *s);

#endif
