/* SPDX-License-Identifier: Apache-2.0 */
/* command_run - `microvm run`: a job in a machine of its own. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/command.h"
#include "vmm/command_jail.h"
#include "vmm/command_machine.h"
#include "vmm/core/log.h"
#include "vmm/core/signals.h"
#include "vmm/core/util.h"
#include "vmm/job/job.h"
#include "vmm/settings/config_life.h"

static int run_prepare(void *ctx, struct config *cfg, struct err *e)
{
	return job_prepare(ctx, cfg, e);
}

static int run_built(void *ctx, struct machine *m, struct loop *loop, struct err *e)
{
	return job_begin(ctx, m, loop, e);
}

static void run_locked(void *ctx)
{
	job_locked(ctx);
}

static void run_over(void *ctx, struct exit_verdict *v)
{
	job_over(ctx, v);
}

static void run_ended(void *ctx)
{
	job_ended(ctx);
}

static void run_report(void *ctx, struct report *r)
{
	job_report(ctx, r);
}

static int run_failed(const struct err *e)
{
	static const char hint[] = "Try 'microvm run --help'.\n";

	command_complain(e->msg);
	if (e->usage)
		(void)write_unless_stuck(STDERR_FILENO, hint, sizeof(hint) - 1, 0);
	return JOB_STATUS_OURS;
}

static int run_job(struct job *j, struct config *cfg, uint64_t start_ns)
{
	const struct machine_hooks hooks = {.ctx = j,
					    .prepare = run_prepare,
					    .built = run_built,
					    .locked = run_locked,
					    .over = run_over,
					    .ended = run_ended,
					    .report = run_report};

	log_threshold = cfg->log_level;
	log_set_name(strcmp(cfg->name, CONFIG_NAME) == 0 ? NULL : cfg->name);
	signals_more();
	return command_machine_run(cfg, &hooks, start_ns);
}

static int run_plan(struct job *j, struct config *cfg, struct err *e)
{
	j->image.how.lock = command_importer_lock;
	j->image.how.lock_ctx = cfg;
	return job_plan(j, cfg, e);
}

void command_run_help(FILE *out)
{
	(void)fputs(
		"ROOT is a directory, a tar (- for stdin), or an image: of a file system, or of\n"
		"containers (alpine:3.20). The job sees it read-only below memory of its own.\n"
		"The exit status is the job's; 125 says that the machine could not run it, 124\n"
		"that --timeout ran out. docs/run.md has more, docs/images.md on containers.\n\n",
		out);
	job_options_help(out);
}

int command_run(int argc, char **argv, uint64_t start_ns)
{
	cleanup_free struct job *j = calloc(1, sizeof(*j));
	struct config cfg;
	struct err e = {0};
	int status;

	if (!j) {
		err_set(&e, ENOMEM, "no memory for the job; raise ulimit -d");
		return run_failed(&e);
	}
	j->kernel.lock = command_reader_lock;
	if (config_init(&cfg, &e) < 0 || job_read(j, &cfg, NULL, argc, argv, &e) < 0 ||
	    (!j->options.help &&
	     (run_plan(j, &cfg, &e) < 0 ||
	      job_copier_start(&j->copier, command_copier_lock, &cfg, &e) < 0))) {
		status = run_failed(&e);
	} else if (j->options.help) {
		command_help(command_find(2, (char *[]){argv[0], argv[0]}, &e), stdout);
		status = command_flush(0);
	} else {
		status = run_job(j, &cfg, start_ns);
	}
	job_fini(j);
	config_fini(&cfg);
	return status;
}
