/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job - a job in a machine of its own (`microvm run`): from its options to the machine's config, and
 * from the job's end to the machine's.
 *
 * This room uses the machine by the verbs of machine.h alone. Its sources are on the machine's loop,
 * in the process that is jailed.
 */
#ifndef MICROVM_JOB_H
#define MICROVM_JOB_H

#include "vmm/core/config.h"
#include "vmm/core/err.h"
#include "vmm/core/loop.h"
#include "vmm/job/job_console.h"
#include "vmm/job/job_copy.h"
#include "vmm/job/job_image.h"
#include "vmm/job/job_kernel.h"
#include "vmm/job/job_options.h"
#include "vmm/job/job_root.h"
#include "vmm/job/job_session.h"
#include "vmm/machine/exit.h"
#include "vmm/machine/machine.h"

struct job {
	struct job_options options;
	struct job_root root;
	struct job_kernel kernel;
	struct job_image image;
	struct job_file scratch, files;
	uint64_t nfiles; /* bytes of @files */
	struct job_copier copier;
	struct job_text machine_text, job_text;
	struct job_start start;
	struct job_session session;
	struct job_console console;
	struct machine *machine;
	int wire;  /* the session's end of the port; -1: none */
	bool bare; /* no agent and no session: the guest and its console alone */
};

/* job_read() - the words of argv into @j and @cfg, which config_init() has made.  @j is zeroed; @c: as in
 * job_options_read(). Return: 0, or -errno in @e; job_fini() in either case
 */
int job_read(struct job *j, struct config *cfg, const struct job_command *c, int argc,
	     char **argv, struct err *e);
/* job_plan() - find kernel, agent and root, pack what goes in, and complete @cfg but for descriptors. A
 * caller that locks up what reads a package has set kernel.lock.
 * Before there are threads; it reads a tar on stdin to its end, and imports an image, by @j->image.how.
 * Return: likewise
 */
int job_plan(struct job *j, struct config *cfg, struct err *e);
void job_fini(struct job *j);

/* In the machine's process, in this order: before the build (a caller that wants to hear the job's end
 * itself has set start.over); after it; once it is locked; when the
 * machine is over, or there is none, with the verdict that the operator will get
 */
int job_prepare(struct job *j, struct config *cfg, struct err *e);
int job_begin(struct job *j, struct machine *m, struct loop *loop, struct err *e);
void job_locked(struct job *j);
void job_over(struct job *j, struct exit_verdict *v);
/* job_shut() - what job_over() does besides: session and console are closed */
void job_shut(struct job *j);
/* In the process that was started, after all that: what is copied out is in its place, or gone */
void job_ended(struct job *j);
/* job_report() - the phases that the job went through */
void job_report(const struct job *j, struct report *r);

/* job_machine.c: what the machine and the agent are told */
int job_describe(struct job *j, struct config *cfg, struct err *e);

/* job_users.c: a warning, if the job's user is not root and may not write to a volume as it may here.
 * In the machine's process: it knows the users that there are
 */
void job_users_warn(const struct job_options *o);

#endif
