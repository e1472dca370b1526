/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job_copy - files and directories that are copied into the machine, and out of it.
 *
 * What goes in is packed (guest-images/agent/tree.h) before there is a machine, into a file without a
 * name that the guest has as a disk.  What comes out is an archive that the guest wrote, so a process
 * of its own, the copier, unpacks it: it is begun before the machine, reads a socket, and has the
 * directories of --copy-out's DSTs alone.  Each tree is unpacked beside its DST under another name, and
 * renamed when it is whole.  docs/security.md says what the copier cannot do.
 */
#ifndef MICROVM_JOB_COPY_H
#define MICROVM_JOB_COPY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/core/err.h"
#include "vmm/core/landlock.h"
#include "vmm/job/job_file.h"
#include "vmm/job/job_options.h"

/* job_copy_in() - pack what @c names into @f; @size: how many bytes of it.  It begins at a block and
 * ends with one.  Return: 0, or -errno in @e; job_file_close() in either case
 */
int job_copy_in(const struct job_copies *c, struct job_file *f, uint64_t *size,
		struct err *e);

/* Where one goes: @name in @dir, and the name that it has before it is whole */
struct job_place {
	int dir; /* O_PATH; -1: none */
	char name[256], tmp[40];
	const char *src, *dst; /* as the operator said them */
};

struct job_copier {
	struct job_place place[JOB_COPIES_MAX];
	unsigned int n;
	uint64_t most; /* bytes of a disk that all of it may take */
	bool solid;    /* one DST is on a file system that knows of no holes */
	mode_t mask;   /* the operator's umask */
	int files;     /* the archive goes in here; -1: there is no copier */
	int answer; /* and here comes a sentence, which is empty if all went well, with its NUL */
	pid_t pid;
};

/* job_copier_plan() - look at the DSTs of @c, whose text stays.  @most: bytes that all of it may
 * take; 0: JOB_COPY_MOST, or half of what is free there now.  Return: 0, or -errno in @e;
 * job_copier_close() in either case
 */
int job_copier_plan(struct job_copier *p, const struct job_copies *c, uint64_t most,
		    struct err *e);
/* What @lock of job_copier_start() gives up in the copier: paths but those below @rule */
typedef int job_copier_lock(void *ctx, const struct landlock_rule *rule, unsigned int n,
			    struct err *e);
/* job_copier_start() - if there is something to copy out: begin the copier, which locks itself up by
 * @lock(@ctx); NULL: it does not. Before there is a second thread. Return: likewise
 */
int job_copier_start(struct job_copier *p, job_copier_lock *lock, void *ctx,
		     struct err *e);
/* job_copier_close() - no more comes: wait for the copier's end.  In the process that started it */
void job_copier_close(struct job_copier *p);

/* The copier: unpack what @in says, and write the sentence to @out */
void job_copier_serve(const struct job_copier *p, int in, int out);

#endif
