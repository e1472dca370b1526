/* SPDX-License-Identifier: Apache-2.0 */
/* filter_rules_reader - which system calls the reader may make, that reads a package (vmm/archive/reader.h). */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/core/util.h"
#include "vmm/jail/filter.h"
#include "vmm/jail/filter_rules.h"

/* It has descriptors, and no call that makes another */
const struct filter_rule filter_rules_reader[] = {
	ARGS("read", READER, 0, "the package", INT(0, 3)),
	ANY("write", READER, 0,
	    "what was found in it; the answer; this filter's sentence"),
	ARGS("lseek", READER, 0, "once more from its start", INT(2, SEEK_SET)),
	ARGS("mmap", READER, 0, "malloc()", LONG_IN(2, PROT_READ | PROT_WRITE),
	     LONG_BUT(3, MAP_NORESERVE, MAP_PRIVATE | MAP_ANONYMOUS)),
	ANY("munmap", READER, 0, "free()"),
	ARGS("mremap", READER, 0, "realloc()", INT(3, MREMAP_MAYMOVE)),
	ANY("brk", READER, 0, "malloc()"),
	ANY("exit_group", READER, 0, "its end"),
};
const unsigned int filter_rules_reader_n = ARRAY_SIZE(filter_rules_reader);
