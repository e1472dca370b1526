/* SPDX-License-Identifier: Apache-2.0 */
/* job_text - what the agent is told of machine and job: strings NAME=VALUE (docs/agent.md). */
#ifndef MICROVM_JOB_TEXT_H
#define MICROVM_JOB_TEXT_H

#include <stddef.h>

#include "vmm/core/err.h"

/* {0} is an empty one */
struct job_text {
	char *text;
	size_t len;
};

/* job_text_add() - one more string, its end included.  Return: 0; -errno in @e: no memory, or it is
 * more than an agent takes (a usage error)
 */
int job_text_add(struct job_text *t, struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void job_text_free(struct job_text *t);

#endif
