/* SPDX-License-Identifier: Apache-2.0 */
/* filter_rules_copier - which system calls the copier may make, that unpacks what a guest sends. */
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/mman.h>

#include "vmm/core/util.h"
#include "vmm/jail/filter.h"
#include "vmm/jail/filter_rules.h"

/* O_DIRECTORY, O_NOFOLLOW and others, which have other numbers on arm64: either architecture's */
#define EITHER (040000 | 0100000 | 0200000 | 0400000)
/* What is opened for writing is always new, so that no file of the host's is ever written over */
#define MAKES (O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC)

/* Directories are opened by a rule of the architecture's file. No rule lets a mode or a time be changed
 * by a path: Landlock does not look at those
 */
const struct filter_rule filter_rules_copier[] = {
	ARGS("read", COPIER, 0, "what the guest sends", INT(0, 3)),
	ANY("write", COPIER, 0, "files; the answer; this filter's sentence"),
	ARGS("openat", COPIER, 0, "a new file", INT_BUT(2, EITHER, MAKES)),
	ANY("close", COPIER, 0, "a file or directory is done"),
	ANY("mkdirat", COPIER, 0, "a directory"),
	ANY("symlinkat", COPIER, 0, "a link, which leads anywhere and is never followed"),
	ARGS("fchmod", COPIER, 0, "a mode, without set-user-ID", INT_IN(1, 0777)),
	ARGS("utimensat", COPIER, 0, "when an open file was changed", LONG(1, 0)),
	ARGS("lseek", COPIER, 0, "over a hole", INT(2, SEEK_SET)),
	ANY("ftruncate", COPIER, 0, "a hole at the end"),
	ANY("renameat", COPIER, 0, "what is whole gets its name"),
	ARGS("unlinkat", COPIER, 0, "what came twice; what is not whole",
	     INT_IN(2, AT_REMOVEDIR)),
	ANY("getdents64", COPIER, 0, "to empty a directory"),
	{FSTAT, COPIER, 0, {{FSTAT_FLAGS, AT_EMPTY_PATH, 3}}, "opendir()"},
	ARGS("fcntl", COPIER, 0, "opendir()", INT(1, F_GETFL)),
	ARGS("fcntl", COPIER, 0, "the same", INT(1, F_SETFD)),
	ARGS("mmap", COPIER, 0, "malloc()", LONG_IN(2, PROT_READ | PROT_WRITE),
	     LONG_BUT(3, MAP_NORESERVE, MAP_PRIVATE | MAP_ANONYMOUS)),
	ANY("munmap", COPIER, 0, "free()"),
	ANY("brk", COPIER, 0, "malloc()"),
	ANY("exit_group", COPIER, 0, "its end"),
};
const unsigned int filter_rules_copier_n = ARRAY_SIZE(filter_rules_copier);
