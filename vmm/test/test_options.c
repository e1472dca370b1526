/* SPDX-License-Identifier: Apache-2.0 */
/* test_options - the table of the options that `microvm test` has of its own. */
#include "vmm/test/test_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/util.h"
#include "vmm/settings/config_life.h"
#include "vmm/settings/parse.h"

/* By its time stamp a line of the kernel's is known from a program's, and `quiet` would hide warnings */
#define TEST_WORDS "printk.time=1 loglevel=7"

static int set_initrd(struct job_reader *r, const char *value, struct err *e)
{
	struct test_options *o = r->ctx;

	o->initrd = true;
	return strcmp(value, "none") == 0 ? 0 : job_setting(r, "initrd", value, e);
}

static int set_append(struct job_reader *r, const char *value, struct err *e)
{
	struct test_options *o = r->ctx;

	(void)e;
	o->append = value;
	return 0;
}

static int set_cmdline(struct job_reader *r, const char *value, struct err *e)
{
	return job_setting(r, "cmdline", value, e);
}

static int set_acpi(struct job_reader *r, const char *value, struct err *e)
{
	return job_setting(r, "acpi", value, e);
}

static int set_exit_port(struct job_reader *r, const char *value, struct err *e)
{
	return job_setting(r, "exit-port", value, e);
}

static int set_hang(struct job_reader *r, const char *value, struct err *e)
{
	struct test_options *o = r->ctx;

	if (parse_duration(value, &o->hang_ns) < 0 || !o->hang_ns)
		return err_usage(e, "\"%.60s\" is no time; give one like 30s or 5m",
				 value);
	return 0;
}

static int set_expect(struct job_reader *r, const char *value, struct err *e)
{
	struct test_options *o = r->ctx;

	return patterns_add(&o->rules.expect, value, e);
}

static int set_forbid(struct job_reader *r, const char *value, struct err *e)
{
	struct test_options *o = r->ctx;

	return patterns_add(&o->rules.forbid, value, e);
}

static int set_ignore(struct job_reader *r, const char *value, struct err *e)
{
	struct test_options *o = r->ctx;

	return patterns_add(&o->rules.ignore, value, e);
}

static int set_warn_fails(struct job_reader *r, const char *value, struct err *e)
{
	struct test_options *o = r->ctx;

	(void)value, (void)e;
	o->rules.warn_fails = true;
	return 0;
}

static int set_artifacts(struct job_reader *r, const char *value, struct err *e)
{
	struct test_options *o = r->ctx;

	(void)e;
	o->artifacts = value;
	return 0;
}

static int set_number(unsigned int *n, const char *value, unsigned int max, struct err *e)
{
	uint64_t v;

	if (parse_uint(value, max, &v) < 0 || !v)
		return err_usage(e, "\"%.60s\" is no number; give 1 to %u", value, max);
	*n = (unsigned int)v;
	return 0;
}

static int set_repeat(struct job_reader *r, const char *value, struct err *e)
{
	struct test_options *o = r->ctx;

	return set_number(&o->repeat, value, TEST_REPEAT_MAX, e);
}

static int set_jobs(struct job_reader *r, const char *value, struct err *e)
{
	struct test_options *o = r->ctx;

	return set_number(&o->jobs, value, TEST_JOBS_MAX, e);
}

static int set_tap(struct job_reader *r, const char *value, struct err *e)
{
	struct test_options *o = r->ctx;

	(void)value, (void)e;
	o->tap = true;
	return 0;
}

static int set_junit(struct job_reader *r, const char *value, struct err *e)
{
	struct test_options *o = r->ctx;

	(void)e;
	o->junit = value;
	return 0;
}

static int set_matrix(struct job_reader *r, const char *value, struct err *e)
{
	struct test_options *o = r->ctx;

	(void)e;
	o->matrix = value;
	return 0;
}

/* Of our own: NUMBER:DESCRIPTOR */
static int set_cell(struct job_reader *r, const char *value, struct err *e)
{
	struct test_options *o = r->ctx;
	int n = 0;

	if (sscanf(value, "%u:%d%n", &o->cell, &o->cell_report, &n) != 2 || value[n] ||
	    !o->cell || o->cell_report < 3)
		return err_usage(e, "\"%.60s\" is for microvm itself; leave it out",
				 value);
	return 0;
}

static const struct job_option options[] = {
	{0, true, "initrd", "FILE|none", "boot this, without our agent and a COMMAND",
	 set_initrd},
	{0, false, "append", "WORDS", "more words on the kernel's command line",
	 set_append},
	{0, false, "cmdline", "LINE", "the whole line, without a word of ours",
	 set_cmdline},
	{0, false, "acpi", "on|off", "x86-64: off is a machine without ACPI", set_acpi},
	{0, false, "exit-port", "PORT[,good=N]",
	 "x86-64: a write of 0 (N) there is a PASS", set_exit_port},
	{0, false, "hang", "TIME", "HANG when nothing comes from it for so long",
	 set_hang},
	{0, true, "expect", "REGEX", "a line that must come; without COMMAND, the last",
	 set_expect},
	{0, true, "forbid", "REGEX", "a line that is a FAIL", set_forbid},
	{0, true, "ignore", "REGEX", "a line of the kernel's that is not judged",
	 set_ignore},
	{0, false, "warn-fails", NULL, "a warning of the kernel's is a verdict",
	 set_warn_fails},
	{0, false, "artifacts", "DIR", "console, registers and report go there",
	 set_artifacts},
	{0, false, "repeat", "N", "so many times; the first bad verdict counts",
	 set_repeat},
	{0, false, "jobs", "N", "so many of them at a time (1)", set_jobs},
	{0, false, "matrix", "FILE", "kernels, memory and so on, each with each: JSON",
	 set_matrix},
	{0, false, "tap", NULL, "results as TAP on stdout", set_tap},
	{0, false, "junit", "FILE", "results as JUnit's XML", set_junit},
	{0, false, "cell", "N:FD", NULL, set_cell},
};

struct job_command test_options_command(struct test_options *o)
{
	return (struct job_command){
		.name = "test", .option = options, .n = ARRAY_SIZE(options), .ctx = o};
}

static int options_fit(const struct test_options *o, const struct job_options *job,
		       const struct config *cfg, struct err *e)
{
	if (!cfg->kernel)
		return err_usage(e,
				 "no kernel: give the one to be tested, --kernel FILE");
	if (o->initrd &&
	    (job->nvolume || job->in.n || job->out.n || job->net || job->scratch))
		return err_usage(
			e, "--initrd boots without our agent, which volumes, copies, "
			   "--net and --scratch need; leave them out");
	if (o->initrd && (job->root || job->argc))
		return err_usage(e,
				 "--initrd boots without our agent, which --root and a "
				 "COMMAND need; give one of them");
	if (cfg->report && (o->repeat || o->matrix || o->tap || o->junit))
		return err_usage(
			e,
			"--report is for one run; --artifacts DIR has a report of each");
	if (cfg->control && (o->repeat || o->matrix))
		return err_usage(e,
				 "--control is for one run; leave it out with --repeat "
				 "and --matrix");
	if (job->argc && !job->root)
		return err_usage(e,
				 "no root for \"%.60s\": give --root host, or a "
				 "directory, tar or image of its own",
				 job->argv[0]);
	if (job->root && !job->argc)
		return err_usage(e, "no COMMAND to run in --root: give one after --, or "
				    "leave --root out to see whether the kernel boots");
	return 0;
}

int test_options_check(struct test_options *o, const struct job_options *job,
		       struct config *cfg, struct err *e)
{
	char *words = NULL;
	int rc = options_fit(o, job, cfg, e);

	if (rc < 0)
		return rc;
	o->rules.command = job->argc > 0;
	o->rules.agent = !o->initrd;
	cfg->exit_port.has_good |= cfg->exit_port.on; /* 0, if none is given */
	if (!cfg->timeout_ns)
		cfg->timeout_ns = TEST_TIMEOUT_NS;
	if (cfg->cmdline)
		return 0;
	if (asprintf(&words, TEST_WORDS "%s%s", o->append ? " " : "",
		     o->append ? o->append : "") < 0)
		return err_set(e, ENOMEM, "out of memory");
	rc = config_string(&cfg->append, words, e);
	free(words);
	return rc;
}

void test_options_fini(struct test_options *o)
{
	patterns_free(&o->rules.expect);
	patterns_free(&o->rules.forbid);
	patterns_free(&o->rules.ignore);
}

void test_options_help(FILE *out)
{
	job_option_help(options, ARRAY_SIZE(options), out);
}
