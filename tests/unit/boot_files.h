/* SPDX-License-Identifier: Apache-2.0 */
/* boot_files - files made in memory and RAM to load them to, for the tests of boot/. */
#ifndef MICROVM_TESTS_BOOT_FILES_H
#define MICROVM_TESTS_BOOT_FILES_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/core/gmem.h"
#include "vmm/core/util.h"

#define FILES_MAX 32 /* at a time */

/* A path under which @len bytes can be opened, until FILES_MAX more have been asked for */
static inline char *file_of(const void *data, size_t len)
{
	static struct {
		int fd;
		char path[32];
	} file[FILES_MAX];
	static unsigned int n;
	unsigned int i = n++ % FILES_MAX;

	if (n > FILES_MAX)
		close(file[i].fd);
	file[i].fd = memfd_create("boot", MFD_CLOEXEC);
	ck_assert_int_ge(file[i].fd, 0);
	ck_assert_int_eq(write_full(file[i].fd, data, len), (long)len);
	(void)snprintf(file[i].path, sizeof(file[i].path), "/proc/self/fd/%d",
		       file[i].fd);
	return file[i].path;
}

static inline void ram_init(struct gmem *m, uint64_t mib)
{
	struct err e;

	gmem_init(m, false);
	ck_assert_int_eq(gmem_add(m, 0, mib * MIB, &e), 0);
}

/* The sentence names the file and holds @words: cause or cure */
#define ck_says(e, words)                                                            \
	do {                                                                         \
		ck_assert_msg(strstr((e).msg, (words)), "no \"%s\" in: %s", (words), \
			      (e).msg);                                              \
		ck_assert_int_ne((e).code, 0);                                       \
		ck_assert_ptr_null(strchr((e).msg, '\n'));                           \
		ck_assert_uint_lt(strlen((e).msg), sizeof((e).msg) - 1);             \
	} while (0)

#endif
