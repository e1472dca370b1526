/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job_console - what the guest's kernel prints: kept, its last lines, for the sentence about a machine
 * that ended before its job.
 *
 * It comes through a pipe, into which a vCPU's thread writes without another thread's help
 * (devices/backend/tty_out.c).
 */
#ifndef MICROVM_JOB_CONSOLE_H
#define MICROVM_JOB_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/core/err.h"
#include "vmm/core/loop.h"

#define JOB_CONSOLE_KEPT 4096

struct job_console {
	struct loop *loop;
	struct loop_source source;
	bool shown; /* on stderr, as it comes */
	/* all bytes, as they come and before they are made printable; NULL: not wanted */
	void (*heard)(void *ctx, const uint8_t *p, size_t n);
	void *ctx;
	char kept[JOB_CONSOLE_KEPT];
	size_t n; /* of all that came */
};

/* job_console_pipe() - @end: what the console writes to (inherited, as --console fd=N wants it).
 * Return: 0, or -errno in @e
 */
int job_console_pipe(struct job_console *c, int *end, struct err *e);
/* job_console_open() - read it on @l.  Return: 0, or -errno in @e; job_console_close() in any case */
int job_console_open(struct job_console *c, struct loop *l, struct err *e);
void job_console_close(struct job_console *c);
/* job_console_drain() - read all that has come.  Return: was there anything? */
bool job_console_drain(struct job_console *c);
/* job_console_tell() - print the last lines on stderr, if they were not shown.  Return: were there
 * any?
 */
bool job_console_tell(struct job_console *c);

#endif
