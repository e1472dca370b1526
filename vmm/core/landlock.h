/* SPDX-License-Identifier: Apache-2.0 */
/*
 * landlock - what a thread may open, as Landlock limits it (landlock(7)).
 *
 * A rule set denies all that it handles and no rule allows: files, TCP, and, as the host's Landlock
 * is new enough, ioctls of devices, abstract unix sockets and signals to processes outside of it.
 * Descriptors that are open already stay usable. What a thread has entered it cannot leave, and the
 * threads and programs that it starts are in it as well; its other threads are not.
 */
#ifndef MICROVM_CORE_LANDLOCK_H
#define MICROVM_CORE_LANDLOCK_H

#include <linux/landlock.h>
#include <stdint.h>

#include "vmm/core/err.h"

/* A host that does not have one of them does not deny it either */
#define LANDLOCK_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define LANDLOCK_EXEC (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_READ)
/* contents, length, and a device's ioctls; no file is made or removed */
#define LANDLOCK_WRITE (LANDLOCK_ACCESS_FS_WRITE_FILE | 1ULL << 14 | 1ULL << 15)

struct landlock_rule {
	const char *
		path; /* a file, or a directory with all below it; nothing there: no rule */
	int fd;       /* the same, where @path is NULL; O_PATH is enough */
	uint64_t may; /* LANDLOCK_READ and so on, LANDLOCK_ACCESS_FS_* */
};

/* landlock_abi() - the host's version, asked for once.  Return: it, from 1; or -errno, there is none,
 * and landlock_why() says why, and the cure
 */
int landlock_abi(void);
const char *landlock_why(void);
/* landlock_open() - a rule set of @n rules; none: all is denied, but what @may says: LANDLOCK_SIGNALS,
 * or 0.  Return: its descriptor or -errno
 */
#define LANDLOCK_SIGNALS 2U
int landlock_open(const struct landlock_rule *r, unsigned int n, unsigned int may);
/* landlock_enter() - this thread enters it; it must have no_new_privs.  One system call, so a
 * vfork(2)ed process may.  Return: 0 or -errno
 */
int landlock_enter(int ruleset);
/* landlock_restrict() - both.  Return: 0; or -errno with a sentence in @e, nothing was entered */
int landlock_restrict(const struct landlock_rule *r, unsigned int n, struct err *e);

#endif
