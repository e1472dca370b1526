/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test - one kernel, one machine, one verdict.
 *
 * Once the verdict is fixed the machine goes on until it ends by itself, or until nothing came for half
 * a second: so the last lines are there.
 */
#include "vmm/test/test.h"

#include <errno.h>
#include <stdio.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/kernel_line.h"
#include "vmm/core/loop_timer.h"
#include "vmm/core/util.h"
#include "vmm/settings/config_life.h"

#define TEST_SILENCE_NS UINT64_C(500000000)
#define TEST_REST_NS    UINT64_C(10000000000) /* for the last lines; then it is cut off */

int test_read(struct test *t, struct config *cfg, int argc, char **argv, struct err *e)
{
	struct job_command c = test_options_command(&t->options);

	t->silence.fd = t->hang.fd = -1;
	t->artifacts.console = t->artifacts.vcpus = t->artifacts.cpus = -1;
	t->symbols.table = t->symbols.text = -1;
	t->argc = argc;
	t->argv = argv;
	return job_read(&t->job, cfg, &c, argc, argv, e);
}

/* One of many has a directory of its own in that of the artifacts, and tells us by its report */
static int test_files(struct test *t, struct config *cfg, struct err *e)
{
	const struct test_options *o = &t->options;
	char path[PATH_MAX];
	int ours, rc;

	t->report_is_ours = !cfg->report;

	if (o->cell) {
		(void)snprintf(path, sizeof(path), "/dev/fd/%d", o->cell_report);
		if (config_string(&cfg->report, path, e) < 0)
			return -e->code;
	}
	if (!o->artifacts)
		return 0;
	rc = artifacts_of_cell(path, o->artifacts, o->cell);
	if (rc < 0)
		return err_set(e, -rc, "--artifacts: cannot make %.200s: %s",
			       o->artifacts, strerror(-rc));
	ours = o->cell ? 3 : 1; /* words that are not the operator's */
	return artifacts_open(&t->artifacts, path, o->cell, t->argc - ours,
			      t->argv + ours, cfg, e);
}

int test_check(struct test *t, struct config *cfg, struct err *e)
{
	struct test_options *o = &t->options;
	struct job_reader r = {.o = &t->job.options, .cfg = cfg, .ctx = o};
	unsigned int nr = o->cell ? o->cell - 1 : 0;
	int rc = matrix_read(&t->matrix, o->matrix, &r, e);

	if (rc == 0)
		rc = matrix_apply(&t->matrix, nr % t->matrix.n, &r, e);
	return rc < 0 ? rc : test_options_check(o, &t->job.options, cfg, e);
}

int test_plan(struct test *t, struct config *cfg, struct err *e)
{
	int rc = test_check(t, cfg, e);

	if (rc < 0)
		return rc;
	t->job.bare = t->options.initrd;
	t->job.start.greeting = !t->options.rules.command;
	judge_init(&t->judge, &t->options.rules);
	rc = test_files(t, cfg, e);
	if (rc == 0)
		rc = job_plan(&t->job, cfg, e);
	if (rc < 0 || t->artifacts.cpus < 0)
		return rc;
	symbols_open(&t->symbols, cfg->kernel);
	t->fixed = kernel_line_has(cfg->append, "nokaslr") ||
		   kernel_line_has(cfg->cmdline, "nokaslr");
	return 0;
}

void test_fini(struct test *t)
{
	artifacts_close(&t->artifacts);
	symbols_close(&t->symbols);
	judge_fini(&t->judge);
	free(t->each);
	matrix_free(&t->matrix);
	job_fini(&t->job);
	test_options_fini(&t->options);
}

/* ---- while it runs ---- */

static void test_stop(struct test *t)
{
	struct exit_verdict v = exit_verdict(CAUSE_JOB);

	machine_end_with(t->machine, &v);
}

/* Something came: @another: the verdict is another one now */
static void test_heard(struct test *t, bool another)
{
	t->heard_ns = monotonic_ns();
	if (another) {
		t->decided_ns = t->heard_ns;
		t->fixed_ns = t->fixed_ns ? t->fixed_ns : t->heard_ns;
	}
	if (t->fixed_ns && t->heard_ns - t->fixed_ns < TEST_REST_NS)
		loop_timer_set(&t->silence, TEST_SILENCE_NS);
}

static void test_on_console(void *ctx, const uint8_t *p, size_t n)
{
	struct test *t = ctx;
	bool another = judge_console(&t->judge, p, n);

	artifacts_console(&t->artifacts, p, n);
	if (!t->options.rules.command && judge_met(&t->judge) &&
	    t->judge.verdict == VERDICT_NONE) {
		judge_fix(&t->judge, VERDICT_PASS, "%s", "");
		another = true;
	}
	test_heard(t, another);
}

static void test_on_output(void *ctx, const uint8_t *p, size_t n)
{
	struct test *t = ctx;

	test_heard(t, judge_output(&t->judge, p, n));
}

/* By its device: what it printed before comes first */
static void test_on_panic(void *ctx)
{
	struct test *t = ctx;
	enum verdict before;

	(void)job_console_drain(&t->job.console);
	before = t->judge.verdict;
	judge_fix(&t->judge, VERDICT_PANIC, "the guest's kernel panicked");
	test_heard(t, t->judge.verdict != before);
}

/* COMMAND or the agent is over. If something bad came before, its last lines are waited for */
static void test_on_job(void *ctx, const struct exit_verdict *v)
{
	struct test *t = ctx;

	if (t->fixed_ns && v->cause == CAUSE_JOB)
		test_heard(t, false);
	else
		machine_end_with(t->machine, v);
}

static void test_on_silence(struct loop_source *s, uint32_t events)
{
	struct test *t = container_of(s, struct test, silence);

	(void)events;
	if (loop_timer_rang(s))
		test_stop(t);
}

static void test_on_hang(struct loop_source *s, uint32_t events)
{
	struct test *t = container_of(s, struct test, hang);
	uint64_t past = monotonic_ns() - t->heard_ns, limit = t->options.hang_ns;

	(void)events;
	if (!loop_timer_rang(s))
		return;
	if (past < limit)
		loop_timer_set(&t->hang, limit - past);
	else
		machine_end(t->machine, CAUSE_HANG,
			    "nothing came from the guest for %.3g seconds (--hang)",
			    (double)limit / 1e9);
}

/* ---- its life ---- */

int test_prepare(struct test *t, struct config *cfg, struct err *e)
{
	return job_prepare(&t->job, cfg, e);
}

static int test_timers(struct test *t, struct err *e)
{
	int rc;

	t->silence.fn = test_on_silence;
	t->hang.fn = test_on_hang;
	rc = loop_timer_open(t->loop, &t->silence);
	if (rc == 0)
		rc = loop_timer_open(t->loop, &t->hang);
	return rc < 0 ? err_set(e, -rc, "no timer for the test: %s", strerror(-rc)) : 0;
}

int test_begin(struct test *t, struct machine *m, struct loop *loop, struct err *e)
{
	int rc;

	t->machine = m;
	t->loop = loop;
	t->job.console.heard = test_on_console;
	t->job.console.ctx = t;
	t->job.start.over = test_on_job;
	t->job.start.printed = test_on_output;
	t->job.start.ctx = t;
	rc = test_timers(t, e);
	if (rc < 0)
		return rc;
	t->heard_ns = monotonic_ns();
	loop_timer_set(&t->hang, t->options.hang_ns);
	machine_watch_still(m);
	machine_set_panicked(m, test_on_panic, t);
	if (t->artifacts.vcpus >= 0 && machine_keep_registers(m, e) < 0)
		return -e->code;
	return job_begin(&t->job, m, loop, e);
}

void test_locked(struct test *t)
{
	job_locked(&t->job);
}

static void test_say_cases(struct test *t)
{
	const struct cases *c = &t->judge.cases;

	free(t->each);
	t->each = calloc(MAX(c->n, 1U), sizeof(*t->each));
	for (uint32_t i = 0; t->each && i < c->n; i++)
		t->each[i] = (struct report_case){c->one[i].name,
						  case_result_name(c->one[i].result),
						  c->one[i].line};
	t->told.each = t->each;
	t->told.neach = t->each ? c->n : 0;
	t->told.more = t->each ? c->more : c->n;
}

/* The verdict for the report, and in words */
static void test_say(struct test *t, struct exit_verdict *v)
{
	const struct judge *j = &t->judge;
	uint32_t ok = judge_count(j, KTAP_OK), failed = judge_count(j, KTAP_FAILED),
		 skipped = judge_count(j, KTAP_SKIPPED),
		 xfail = judge_count(j, KTAP_XFAIL), missing = judge_missing(j);
	size_t n = (size_t)snprintf(v->detail, sizeof(v->detail), "%s%s%s",
				    verdict_name(j->verdict), j->why[0] ? ": " : "",
				    j->why);

	t->told = (struct report_test){
		.verdict = verdict_name(j->verdict),
		.decided_ns = t->decided_ns,
		.count = {ok, failed, skipped, xfail, missing, j->warnings}};
	test_say_cases(t);
	(void)snprintf(t->told.line, sizeof(t->told.line), "%s", j->why);
	if (ok || failed || skipped || xfail || missing)
		n += (size_t)snprintf(
			v->detail + n, sizeof(v->detail) - n,
			" (cases: %u ok, %u failed, %u skipped, %u failed as expected, "
			"%u missing)",
			ok, failed, skipped, xfail, missing);
	if (j->warnings && j->verdict != VERDICT_WARN)
		(void)snprintf(v->detail + n, sizeof(v->detail) - n,
			       " (the kernel warned: %u)", j->warnings);
}

/* Of a bad end: where the processors were */
static void test_keep(struct test *t)
{
	const struct machine *m = t->machine;
	struct cpu *cpu = calloc(m->nvcpu, sizeof(*cpu));
	struct cpus c = {.cpu = cpu,
			 .n = m->nvcpu,
			 .symbols = &t->symbols,
			 .who = &t->judge.who,
			 .fixed = t->fixed};

	for (unsigned int i = 0; cpu && i < m->nvcpu; i++)
		cpu[i].seen = machine_seen(m, i);
	artifacts_vcpus(&t->artifacts, m);
	if (cpu && machine_registers(m, 0))
		artifacts_cpus(&t->artifacts, &c);
	free(cpu);
}

void test_over(struct test *t, struct exit_verdict *v)
{
	struct exit_verdict copied = exit_verdict(CAUSE_JOB);
	struct judge *j = &t->judge;
	enum verdict before;

	/* a full disk: the report is one of the artifacts, and that it is not there was said */
	if (t->over && t->report_is_ours && t->options.artifacts) {
		v->status = verdict_status(j->verdict);
		return;
	}
	t->over = true;
	while (job_console_drain(&t->job.console))
		machine_push_console(t->machine);
	before = j->verdict;
	/* no kernel boots on such a host: that says nothing about this one */
	if (v->cause == CAUSE_KVM_ERROR && t->machine && t->machine->vcpu_host.emulates)
		v->cause = CAUSE_HOST_ERROR;
	judge_end(j, v);
	job_copied_tell(&t->job.session, &copied);
	if (copied.detail[0])
		judge_fix(j, VERDICT_ERROR, "%s", copied.detail);
	/* as a shell has it: then `git bisect run` stops as well */
	if (j->verdict != VERDICT_STOPPED || v->status < 128)
		v->status = verdict_status(j->verdict);
	if (j->verdict != before)
		t->decided_ns = monotonic_ns();
	test_say(t, v);
	if (j->verdict != VERDICT_PASS && j->verdict != VERDICT_SKIP && t->machine)
		test_keep(t);
	t->machine = NULL; /* it is taken apart before we are called again */
	job_shut(&t->job);
	if (!t->loop)
		return;
	loop_timer_close(t->loop, &t->silence);
	loop_timer_close(t->loop, &t->hang);
	t->silence.fd = t->hang.fd = -1;
	t->loop = NULL;
}

void test_report(struct test *t, struct report *r)
{
	r->test = &t->told;
}

void test_ended(struct test *t)
{
	job_ended(&t->job);
}
