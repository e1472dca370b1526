/* SPDX-License-Identifier: Apache-2.0 */
/* program - another program, run to its end before there is a machine. */
#ifndef MICROVM_CORE_PROGRAM_H
#define MICROVM_CORE_PROGRAM_H

#include "vmm/core/err.h"

/* program_run() - run the program at @path with @argv, which ends with NULL, and wait for it.  It has
 * nothing of ours but @fd, as number 3 (-1: not even that): an empty stdin, a PATH as its environment,
 * no signal that is held.  There is one thread.
 * Return: 0; -errno in @e, a sentence without a cure: it could not be started, or failed, in its own
 * first line
 */
int program_run(const char *path, const char *const *argv, int fd, struct err *e);

#endif
