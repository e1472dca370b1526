/* SPDX-License-Identifier: Apache-2.0 */
/* filter_rules_importer - which system calls the importer may make, that reads images of strangers. */
#include <fcntl.h>
#include <sys/mman.h>

#include "vmm/core/util.h"
#include "vmm/jail/filter.h"
#include "vmm/jail/filter_rules.h"

/* O_NOCTTY, O_NONBLOCK, O_CLOEXEC, and O_DIRECTORY, O_NOFOLLOW and O_LARGEFILE of either architecture */
#define LOOKS (0400 | 04000 | O_CLOEXEC | 040000 | 0100000 | 0200000 | 0400000)

/* All its threads have these: those that compress were made before. Which files it may open, Landlock
 * says
 */
const struct filter_rule filter_rules_importer[] = {
	ANY("preadv2", IMPORTER, 0, "a layer; the new image"),
	ANY("pwrite64", IMPORTER, 0, "the new image"),
	ANY("write", IMPORTER, 0, "what comes of it; this filter's sentence"),
	ARGS("openat", IMPORTER, 0, "a part of the image, to be read", INT_IN(2, LOOKS)),
	ANY("close", IMPORTER, 0, "a part is read"),
	{FSTAT, IMPORTER, 0, {{FSTAT_FLAGS, AT_EMPTY_PATH, 3}}, "how large is a part"},
	ANY("lseek", IMPORTER, 0, "how large is the new image"),
	ANY("ftruncate", IMPORTER, 0, "its end; bytes that were there already"),
	ANY("futex", IMPORTER, 0, "locks, waits, wakes"),
	ANY("brk", IMPORTER, 0, "malloc()"),
	ARGS("mmap", IMPORTER, 0, "malloc()", LONG_IN(2, PROT_READ | PROT_WRITE),
	     LONG_BUT(3, MAP_NORESERVE, MAP_PRIVATE | MAP_ANONYMOUS)),
	ANY("munmap", IMPORTER, 0, "free()"),
	ANY("mremap", IMPORTER, 0, "realloc(), of much"),
	ANY("rt_sigprocmask", IMPORTER, 0, "a thread begins"),
	ANY("set_robust_list", IMPORTER, 0, "the same"),
	ANY("rseq", IMPORTER, 0, "the same"),
	ANY("exit_group", IMPORTER, 0, "its end"),
};
const unsigned int filter_rules_importer_n = ARRAY_SIZE(filter_rules_importer);
