/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job_root - what ROOT is: a directory, a tar, or an image, by its content.
 *
 * Only magic numbers are looked at here.  The guest reads the rest: nothing on this side of the
 * machine parses a tar or a file system.
 */
#ifndef MICROVM_JOB_ROOT_H
#define MICROVM_JOB_ROOT_H

#include <stdint.h>

#include "vmm/core/err.h"
#include "vmm/job/job_file.h"

enum job_root_kind {
	JOB_ROOT_DIR,
	JOB_ROOT_HOST, /* some of this host's own (docs/run.md) */
	JOB_ROOT_TAR,
	JOB_ROOT_IMAGE, /* of a file system, raw */
	JOB_ROOT_QCOW2, /* of a disk, in another format, which holds a file system */
};

struct job_root {
	enum job_root_kind kind;
	const char *path;    /* what the machine opens */
	struct job_file own; /* the tar that came by stdin; @path is its */
	uint64_t size; /* bytes, of what is no directory; a block device's as well */
};

/* job_root_find() - look at @word, "-" for a tar on @in (our stdin), which is then read to its end
 * into a file that has no name. Before there is a second process; interrupted by signals.
 * Return: 0; -errno in @e: it is none of the kinds. job_root_close() in either case
 */
int job_root_find(struct job_root *r, const char *word, int in, struct err *e);
/* job_root_host() - --root host.  Return: 0; -ENOENT in @e: this user has no subordinate id, as which
 * virtiofsd may read what every user may
 */
int job_root_host(struct job_root *r, struct err *e);
void job_root_close(struct job_root *r);

#endif
