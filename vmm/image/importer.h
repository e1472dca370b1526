/* SPDX-License-Identifier: Apache-2.0 */
/*
 * importer - the process that reads an image: locked up, with the image's directory or tar to read, the
 * new file to write, and a pipe to say what came of it.
 *
 * What it says is not believed further than its form: a sentence, how far it is, and words
 * (text.h).
 */
#ifndef MICROVM_IMAGE_IMPORTER_H
#define MICROVM_IMAGE_IMPORTER_H

#include <stdbool.h>
#include <sys/types.h>

#include "vmm/core/err.h"
#include "vmm/core/landlock.h"
#include "vmm/image/source.h"
#include "vmm/image/text.h"

enum importer_lock {
	IMPORTER_RIGHTS, /* it has one thread: limits, and paths but those below the rules */
	IMPORTER_CALLS, /* it has all its threads: a list of system calls for each */
};

/* What the importer locks itself up by, in two steps.  Return: 0, or -errno in @e: it must not go on */
typedef int importer_lock(void *ctx, enum importer_lock step,
			  const struct landlock_rule *rule, unsigned int n,
			  struct err *e);

struct importer {
	enum source_kind kind;
	int source;      /* the directory or tar, as of source_open() */
	const char *tag; /* or NULL */
	int out;         /* an empty file; -1: the image is only looked at */
	const char
		*shown; /* what is imported, for a line about how far it is; NULL: none */
	importer_lock *lock; /* NULL: it is not locked up */
	void *lock_ctx;
};

/* importer_run() - start it and wait for its end.  There is one thread.  @text: what the image says, the
 * caller's to free; with @out also "sum", "entries", "files" (bytes), and "skipped" where extended
 * attributes were left out.
 * Return: 0; -errno in @e, and the file is of no use
 */
int importer_run(const struct importer *im, struct image_text *text, struct err *e);

/* In the importer (importer_child.c): do it, and say what came of it on @pipe. @parent: who forked it, and
 * may be gone
 */
_Noreturn void importer_child(const struct importer *im, int pipe, pid_t parent);

/* Messages on the pipe: one of these, the number of bytes that follow, and these */
enum importer_says {
	IMPORTER_DONE = 'd', /* percent, a byte */
	IMPORTER_TEXT = 't',
	IMPORTER_ERROR = 'e', /* errno and usage, as two numbers of 32 bits; a sentence */
};

struct importer_head {
	uint32_t says, len;
};

#endif
