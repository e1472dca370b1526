/* SPDX-License-Identifier: Apache-2.0 */
/* judge - from what a guest prints, and from how its machine ended, to the verdict. */
#include "vmm/test/judge.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vmm/core/util.h"
#include "vmm/test/klog.h"

void judge_init(struct judge *j, struct judge_rules *rules)
{
	*j = (struct judge){.rules = rules};
	cases_hear(&j->cases, 0, &j->kernel);
	cases_hear(&j->cases, 1, &j->user);
	cases_hear(&j->cases, 2, &j->job);
}

void judge_fini(struct judge *j)
{
	cases_free(&j->cases);
}

void judge_fix(struct judge *j, enum verdict v, const char *fmt, ...)
{
	va_list ap;

	if (j->verdict != VERDICT_NONE &&
	    (j->verdict != VERDICT_PASS || v == VERDICT_PASS))
		return;
	j->verdict = v;
	va_start(ap, fmt);
	(void)vsnprintf(j->why, sizeof(j->why), fmt, ap);
	va_end(ap);
	text_printable(j->why, strlen(j->why));
}

/* ---- lines ---- */

static void judge_too_much(struct judge *j, const struct pattern *p)
{
	if (p)
		judge_fix(j, VERDICT_ERROR,
			  "the regular expression \"%.80s\" takes too many steps on a "
			  "line of this guest; write it with fewer * and +",
			  p->text);
}

/* On any line, of the console or of COMMAND */
static void judge_patterns(struct judge *j, const char *line, size_t n)
{
	struct judge_rules *r = j->rules;
	const struct pattern *failed = NULL;

	for (unsigned int i = 0; i < r->expect.n; i++) {
		int rc = r->expect.p[i].met ? 0 : pattern_match(&r->expect.p[i], line, n);

		if (rc < 0)
			failed = &r->expect.p[i];
		r->expect.p[i].met |= rc > 0;
	}
	if (patterns_match(&r->forbid, line, n, &failed))
		judge_fix(j, VERDICT_FAIL, "a forbidden line: %s", line);
	judge_too_much(j, failed);
}

static void judge_kernel(struct judge *j, const char *at, const char *line, size_t n)
{
	const struct pattern *failed = NULL;
	enum klog is = klog_class(at);

	if (is == KLOG_NOTHING)
		return;
	if (patterns_match(&j->rules->ignore, line, n, &failed))
		return;
	judge_too_much(j, failed);
	switch (is) {
	case KLOG_PANIC:
		judge_fix(j, VERDICT_PANIC, "%s", at);
		break;
	case KLOG_OOPS:
		j->oopses++;
		judge_fix(j, VERDICT_OOPS, "%s", at);
		break;
	case KLOG_LOCKUP:
		judge_fix(j, VERDICT_LOCKUP, "%s", at);
		break;
	case KLOG_WARN:
		j->warnings++;
		if (j->rules->warn_fails)
			judge_fix(j, VERDICT_WARN, "%s", at);
		break;
	case KLOG_NOTHING:
	default:
		break;
	}
}

static void judge_console_line(void *ctx, const char *line, size_t n)
{
	const char *at = klog_message(line, n);
	struct judge *j = ctx;

	j->lines++;
	if (j->verdict == VERDICT_ERROR)
		return;
	if (at) {
		who_line(&j->who, at);
		judge_kernel(j, at, line, n);
		(void)ktap_line(&j->kernel, at);
	} else {
		j->unstamped |= strncmp(line, "Linux version ", 14) == 0;
		(void)ktap_line(&j->user, line);
	}
	judge_patterns(j, line, n);
}

static void judge_output_line(void *ctx, const char *line, size_t n)
{
	struct judge *j = ctx;

	if (j->verdict == VERDICT_ERROR)
		return;
	(void)ktap_line(&j->job, line);
	judge_patterns(j, line, n);
}

bool judge_console(struct judge *j, const uint8_t *p, size_t n)
{
	enum verdict before = j->verdict;

	lines_feed(&j->console, p, n, judge_console_line, j);
	return j->verdict != before;
}

bool judge_output(struct judge *j, const uint8_t *p, size_t n)
{
	enum verdict before = j->verdict;

	lines_feed(&j->output, p, n, judge_output_line, j);
	return j->verdict != before;
}

bool judge_met(const struct judge *j)
{
	const struct patterns *s = &j->rules->expect;

	for (unsigned int i = 0; i < s->n; i++)
		if (!s->p[i].met)
			return false;
	return s->n > 0;
}

/* ---- the end ---- */

static uint32_t judge_sum(uint64_t a, uint64_t b, uint64_t c)
{
	return (uint32_t)MIN(a + b + c, (uint64_t)UINT32_MAX);
}

uint32_t judge_count(const struct judge *j, enum ktap_result r)
{
	return judge_sum(j->kernel.count[r], j->user.count[r], j->job.count[r]);
}

uint32_t judge_missing(const struct judge *j)
{
	return judge_sum(j->kernel.missing, j->user.missing, j->job.missing);
}

static void judge_ktap(struct judge *j, const struct ktap *k)
{
	if (!ktap_failed(k))
		return;
	if (k->count[KTAP_FAILED])
		judge_fix(j, VERDICT_FAIL, "%u of its cases failed, the first is \"%s\"",
			  k->count[KTAP_FAILED], k->first);
	else if (k->bailed)
		judge_fix(j, VERDICT_FAIL, "its tests gave up (\"Bail out!\")");
	else if (k->missing)
		judge_fix(j, VERDICT_FAIL,
			  "its tests ended too early: %u that their plan has did not run",
			  k->missing);
	else
		judge_fix(j, VERDICT_FAIL,
			  "its tests ended too early: there is neither a plan nor a case "
			  "after a version line");
}

static bool judge_skipped(const struct judge *j)
{
	const struct ktap *all[] = {&j->kernel, &j->user, &j->job};
	bool some = false;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (!all[i]->documents)
			continue;
		if (!ktap_only_skipped(all[i]))
			return false;
		some = true;
	}
	return some;
}

/* It ended as a good one does, but for what was printed. @status: COMMAND's, or 0 */
static void judge_good(struct judge *j, int status)
{
	const struct patterns *s = &j->rules->expect;

	judge_ktap(j, &j->job);
	judge_ktap(j, &j->kernel);
	judge_ktap(j, &j->user);
	/* kselftest has a status for that as well */
	if (judge_skipped(j) && (status == 0 || status == 4))
		judge_fix(j, VERDICT_SKIP, "its tests cannot run here, they say");
	if (status)
		judge_fix(j, VERDICT_FAIL, "the command ended with status %d", status);
	for (unsigned int i = 0; i < s->n; i++)
		if (!s->p[i].met)
			judge_fix(j, VERDICT_FAIL, "no line matched --expect \"%.80s\"",
				  s->p[i].text);
	judge_fix(j, VERDICT_PASS, "%s",
		  j->unstamped ? "but its kernel prints no time stamps, so that no oops "
				 "of it would be known: boot it with printk.time=1"
			       : "");
}

/* A kernel that resets or powers off on its way to the agent has not booted */
static void judge_own_end(struct judge *j, const struct exit_verdict *end)
{
	if (j->rules->command)
		judge_fix(j, VERDICT_FAIL,
			  "the machine ended before the command did (%s)",
			  exit_name(end->cause));
	else if (j->rules->agent)
		judge_fix(j, VERDICT_FAIL,
			  "the machine ended before its agent spoke (%s)",
			  exit_name(end->cause));
	else if (end->cause == CAUSE_REBOOT && !j->lines)
		judge_fix(j, VERDICT_CRASH, "it reset before it printed a line");
	else if (end->cause == CAUSE_EXIT_PORT && end->status)
		judge_fix(j, VERDICT_FAIL, "%s",
			  end->detail[0] ? end->detail
					 : "the guest wrote 0 to its exit port");
	else
		judge_good(j, 0);
}

void judge_end(struct judge *j, const struct exit_verdict *end)
{
	const char *why = end->detail[0] ? end->detail : exit_name(end->cause);

	lines_end(&j->console, judge_console_line, j);
	lines_end(&j->output, judge_output_line, j);
	ktap_end(&j->kernel);
	ktap_end(&j->user);
	ktap_end(&j->job);
	switch (end->cause) {
	case CAUSE_PANIC:
		judge_fix(j, VERDICT_PANIC, "%s", why);
		break;
	case CAUSE_TRIPLE_FAULT:
	case CAUSE_KVM_ERROR:
		judge_fix(j, VERDICT_CRASH, "%s", why);
		break;
	case CAUSE_HANG:
		judge_fix(j, VERDICT_HANG, "%s", why);
		break;
	case CAUSE_TIMEOUT:
		judge_fix(j, VERDICT_TIMEOUT, "%s", why);
		break;
	case CAUSE_SIGINT:
	case CAUSE_SIGTERM:
	case CAUSE_QUIT:
		judge_fix(j, VERDICT_STOPPED, "%s", why);
		break;
	case CAUSE_POWEROFF:
	case CAUSE_REBOOT:
	case CAUSE_HALT:
	case CAUSE_EXIT_PORT:
		judge_own_end(j, end);
		break;
	case CAUSE_JOB:
		if (end->detail[0])
			judge_fix(j, VERDICT_ERROR, "%s", why);
		else
			judge_good(j, end->status);
		break;
	case CAUSE_HOST_ERROR:
	case CAUSE_USAGE:
	case CAUSE_COUNT:
	default:
		judge_fix(j, VERDICT_ERROR, "%s", why);
	}
}
