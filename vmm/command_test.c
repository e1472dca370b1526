/* SPDX-License-Identifier: Apache-2.0 */
/* command_test - `microvm test`: boot a kernel, and say what became of it. */
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
#include "vmm/settings/config_life.h"
#include "vmm/test/cells.h"
#include "vmm/test/test.h"

static int hook_prepare(void *ctx, struct config *cfg, struct err *e)
{
	return test_prepare(ctx, cfg, e);
}

static int hook_built(void *ctx, struct machine *m, struct loop *loop, struct err *e)
{
	return test_begin(ctx, m, loop, e);
}

static void hook_locked(void *ctx)
{
	test_locked(ctx);
}

static void hook_over(void *ctx, struct exit_verdict *v)
{
	test_over(ctx, v);
}

static void hook_report(void *ctx, struct report *r)
{
	test_report(ctx, r);
}

static void hook_ended(void *ctx)
{
	test_ended(ctx);
}

/* Of a mistake of the operator's as of the host's nothing was learned about the kernel */
static int test_failed(const struct err *e)
{
	static const char hint[] = "Try 'microvm test --help'.\n";

	command_complain(e->msg);
	if (e->usage)
		(void)write_unless_stuck(STDERR_FILENO, hint, sizeof(hint) - 1, 0);
	return verdict_status(VERDICT_ERROR);
}

static int test_many(struct test *t, int argc, char **argv)
{
	struct err e = {0};
	int status = cells_run(&t->options, &t->matrix, argc, argv, &e);

	return status < 0 ? test_failed(&e) : command_flush(status);
}

static int test_run(struct test *t, struct config *cfg, uint64_t start_ns)
{
	const struct machine_hooks hooks = {.ctx = t,
					    .prepare = hook_prepare,
					    .built = hook_built,
					    .locked = hook_locked,
					    .over = hook_over,
					    .ended = hook_ended,
					    .report = hook_report};

	log_threshold = cfg->log_level;
	log_set_name(strcmp(cfg->name, CONFIG_NAME) == 0 ? NULL : cfg->name);
	return command_machine_run(cfg, &hooks, start_ns);
}

static int test_plan_job(struct test *t, struct config *cfg, struct err *e)
{
	t->job.image.how.lock = command_importer_lock;
	t->job.image.how.lock_ctx = cfg;
	return test_plan(t, cfg, e);
}

void command_test_help(FILE *out)
{
	(void)fputs(
		"Boots the kernel and says what became of it, in a line on stderr and by the\n"
		"exit status: PASS 0, FAIL 1, PANIC 70, CRASH 71, OOPS 73, WARN 74, LOCKUP 75,\n"
		"HANG 76, TIMEOUT 124; SKIP and ERROR, of which nothing is learned, 125: so `git\n"
		"bisect run` takes it as it is. COMMAND runs in ROOT by the agent of `microvm\n"
		"run`, whose options hold here as well. Without a COMMAND the kernel has to get\n"
		"as far as the agent, or with --initrd to end well. docs/test.md has more.\n\n",
		out);
	test_options_help(out);
}

int command_test(int argc, char **argv, uint64_t start_ns)
{
	cleanup_free struct test *t = calloc(1, sizeof(*t));
	struct config cfg;
	struct err e = {0};
	int status;

	if (!t) {
		err_set(&e, ENOMEM, "no memory for the test; raise ulimit -d");
		return test_failed(&e);
	}
	t->job.kernel.lock = command_reader_lock;
	if (config_init(&cfg, &e) < 0 || test_read(t, &cfg, argc, argv, &e) < 0 ||
	    (!t->job.options.help && cells_wanted(&t->options) &&
	     test_check(t, &cfg, &e) < 0) ||
	    (!t->job.options.help && !cells_wanted(&t->options) &&
	     (test_plan_job(t, &cfg, &e) < 0 ||
	      job_copier_start(&t->job.copier, command_copier_lock, &cfg, &e) < 0))) {
		status = test_failed(&e);
	} else if (t->job.options.help) {
		command_help(command_find(2, (char *[]){argv[0], argv[0]}, &e), stdout);
		status = command_flush(0);
	} else if (cells_wanted(&t->options)) {
		status = test_many(t, argc, argv);
	} else {
		status = test_run(t, &cfg, start_ns);
	}
	test_fini(t);
	config_fini(&cfg);
	return status;
}
