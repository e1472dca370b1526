/* SPDX-License-Identifier: Apache-2.0 */
/* copy - files that go into the root before its jobs, and come out after one (tree.h) */
#ifndef MICROVM_AGENT_COPY_H
#define MICROVM_AGENT_COPY_H

#include <stdint.h>
#include <sys/types.h>

#include "guest-images/agent/agent.h"

/* Unpack the first @size bytes of @fd, in a process whose root is the jobs' */
bool copy_in(int fd, uint64_t size, char why[AGENT_SENTENCE + 1]);

/* What a session copies out */
struct copy {
	bool begun;
	pid_t pid; /* the process that packs it, or 0 */
	int fd;    /* where its archive comes from, non-blocking, or -1 */
};

/* Begin to pack the @n files and directories @src of the jobs' root.  Return: is there a process? */
bool copy_out(struct copy *c, char *const *src, unsigned int n);

#endif
