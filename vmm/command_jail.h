/* SPDX-License-Identifier: Apache-2.0 */
/* command_jail - a machine is locked up between its build and its run. */
#ifndef MICROVM_COMMAND_JAIL_H
#define MICROVM_COMMAND_JAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/command_machine.h"
#include "vmm/core/config.h"
#include "vmm/core/err.h"
#include "vmm/core/landlock.h"
#include "vmm/image/importer.h"
#include "vmm/jail/jail.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/report.h"

/* What one process makes of the command line, and another runs */
struct machine_job {
	struct config *cfg;
	const struct machine_hooks *hooks;
	struct report_file *file;
	uint64_t start_ns;
	struct jail *jail; /* NULL: none */
	/* with @jail, shared with the process that runs it: the status that it chose to end with, -1
	 * before. The broker alone would take a job's 135 and 159 for an end by a signal
	 */
	int *status;
	bool stuck;  /* as of struct machine */
	int pid;     /* of the process that was started; with cfg->control */
	int pidfile; /* its descriptor, for no machine that is jailed; -1: none */
};

/* command_describe_jail() - the jail that a machine of @cfg would get, for --dry-run */
void command_describe_jail(const struct config *cfg, FILE *f);
/* command_tasks() - threads and processes that a machine of @cfg has at most, its helpers' and those
 * that the kernel makes for it included
 */
unsigned int command_tasks(const struct config *cfg);
/* command_file_size() - of the files that a machine of @cfg writes after its build, the largest that one
 * may become, in bytes; 0: there is no knowing
 */
uint64_t command_file_size(const struct config *cfg);
/* command_cgroup() - in @w, the control group that a machine of @cfg should get.  Return: false, none */
bool command_cgroup(const struct config *cfg, struct cgroup_want *w);
/* command_wants_users() - should the machine's user namespace have the subordinate ids of this user?
 * For the users in its shared directories
 */
bool command_wants_users(const struct config *cfg);
/* command_report_jail() - into @r: how @job is jailed */
void command_report_jail(const struct machine_job *job, struct report *r);
/* command_lock() - lock the process up around @m, which is built and does not run yet: the threads
 * that start now enter their filters. Return: 0; -errno in @e, and it must not run
 */
int command_lock(struct machine *m, const struct machine_job *job, struct err *e);

/* command_copier_lock() - lock up the process that copies a job's files out; @ctx: the machine's config.
 * As job_copier_start() wants it, in that process
 */
int command_copier_lock(void *ctx, const struct landlock_rule *rule, unsigned int n,
			struct err *e);
/* command_reader_lock() - likewise the one that reads what others made, as reader_run() wants it */
int command_reader_lock(void *ctx, struct err *e);

/* command_importer_lock() - lock up the process that reads an image; @ctx: the machine's config. As
 * importer_run() wants it, in that process
 */
int command_importer_lock(void *ctx, enum importer_lock step,
			  const struct landlock_rule *rule, unsigned int n,
			  struct err *e);

#endif
