/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job_file - files of a run that have no name, in $TMPDIR: a tar from stdin, what --copy-in packs, the
 * disk of --scratch.  The machine opens them through /proc; with the last descriptor they are gone.
 */
#ifndef MICROVM_JOB_FILE_H
#define MICROVM_JOB_FILE_H

#include <stdint.h>

#include "vmm/core/err.h"

struct job_file {
	int fd;        /* -1: none */
	char path[32]; /* by which this process or a child opens it */
};

/* job_file_make() - an empty one, for @what: "ROOT -", an option.  Return: 0, or -errno in @e;
 * job_file_close() in either case
 */
int job_file_make(struct job_file *f, const char *what, struct err *e);
/* job_file_failed() - @doing to it failed.  Return: -@code, with the cure in @e */
int job_file_failed(const char *what, const char *doing, int code, struct err *e);
void job_file_close(struct job_file *f);

/* job_scratch_make() - an empty ext4 of @size bytes, most of which the host has not yet; by mkfs.ext4.
 * Return: likewise
 */
int job_scratch_make(struct job_file *f, uint64_t size, struct err *e);

#endif
