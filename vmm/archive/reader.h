/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader - a process that reads what others made, for as long as that takes, and can do nothing else.
 *
 * It has the descriptors that it was given and no other, and what it finds out goes into these and into one
 * text. Locked up it opens nothing, and reaches no process, network or file (vmm/jail/filter_rules_reader.c). Its
 * memory, its processor time and the files that it writes have limits, so that a bomb ends it.
 */
#ifndef MICROVM_ARCHIVE_READER_H
#define MICROVM_ARCHIVE_READER_H

#include <stdint.h>

#include "vmm/core/err.h"

#define READER_FDS_MAX 4
#define READER_FIRST   3 /* the first of its descriptors, the others follow */
#define READER_SAID    256

/* In the process, which is locked up: read READER_FIRST, write to the others.  @said: a text for the process that waits.
 * Return: 0, or -errno with a sentence in @e
 */
typedef int reader_work(void *ctx, char said[READER_SAID], struct err *e);
/* Lock the calling process up.  Return: likewise */
typedef int reader_lock(void *ctx, struct err *e);

struct reader {
	const char *what;       /* is read: sentences begin so */
	int fd[READER_FDS_MAX]; /* the first is to be read */
	unsigned int nfd;
	uint64_t memory;      /* bytes that it may write to (RLIMIT_DATA) */
	uint64_t file_size;   /* bytes of a file that it writes */
	unsigned int seconds; /* of processor time */
	reader_work *work;
	void *ctx;
	reader_lock *lock; /* NULL: it is not locked up, and has no limit on memory */
	void *lock_ctx;
};

/* reader_run() - begin it, wait for its end, and have its text in @said, in printable ASCII. Before there is
 * a second thread. A signal that ends the caller ends it as well.
 * Return: 0, or -errno with a sentence in @e: its own, or about its end
 */
int reader_run(const struct reader *r, char said[READER_SAID], struct err *e);

#endif
