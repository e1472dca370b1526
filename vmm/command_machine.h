/* SPDX-License-Identifier: Apache-2.0 */
/* command_machine - a machine from its config to its exit status, for every command that runs one. */
#ifndef MICROVM_COMMAND_MACHINE_H
#define MICROVM_COMMAND_MACHINE_H

#include <stdint.h>

#include "vmm/core/config.h"
#include "vmm/core/err.h"
#include "vmm/core/loop.h"
#include "vmm/machine/exit.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/report.h"

/* What a command has to say in the machine's life, each may be NULL. They are called in the process
 * that becomes the machine, by its main thread.
 */
struct machine_hooks {
	void *ctx;
	/* before the build: @cfg may still be changed. Return: 0, or -errno in @e */
	int (*prepare)(void *ctx, struct config *cfg, struct err *e);
	/* between the build and the lock: sources may be hung on @loop. Return: likewise */
	int (*built)(void *ctx, struct machine *m, struct loop *loop, struct err *e);
	/* the process is locked, and runs no guest yet */
	void (*locked)(void *ctx);
	/* @v is why there is no machine any more, or never was one; it may be changed. The loop is
	 * still there, if one was made. Called again where the host fails later, and in the process
	 * that was started where one that is jailed ended without a word or never began
	 */
	void (*over)(void *ctx, struct exit_verdict *v);
	/* in the process that was started, when the machine's is gone */
	void (*ended)(void *ctx);
	/* the machine is over: what the report says of it besides */
	void (*report)(void *ctx, struct report *r);
};

/* command_machine_run() - run the machine that @cfg describes, jailed if it says so, and write its
 * report. @cfg stays the caller's, with what @h's prepare() added. @h NULL: no hooks; @start_ns:
 * when the process began. Main thread, and the only one.
 * Return: the exit status
 */
int command_machine_run(struct config *cfg, const struct machine_hooks *h,
			uint64_t start_ns);

#endif
