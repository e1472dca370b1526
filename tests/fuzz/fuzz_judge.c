/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_judge - any bytes of a guest, on its console or of its COMMAND, in pieces, and any end. */
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "vmm/core/util.h"
#include "vmm/test/judge.h"

static struct judge_rules rules;

static void fuzz_make(void)
{
	struct err e = {0};

	BUG_ON(patterns_add(&rules.expect, "^(a+)+$", &e) < 0 ||
	       patterns_add(&rules.forbid, "no .* found", &e) < 0 ||
	       patterns_add(&rules.ignore, "a\\.c", &e) < 0);
}

static void fuzz_text(const char *p, size_t *sum)
{
	*sum += strlen(p) + 1;
	for (; *p; p++)
		BUG_ON(*p < ' ' || *p > '~');
}

/* What goes into the report: bounded, printable, and counted right */
static void fuzz_cases(const struct cases *c)
{
	size_t sum = 0;

	BUG_ON(c->n > CASES_MAX || c->text > CASES_TEXT);
	for (uint32_t i = 0; i < c->n; i++) {
		fuzz_text(c->one[i].name, &sum);
		BUG_ON(!c->one[i].line != (c->one[i].result == KTAP_OK));
		if (c->one[i].line)
			fuzz_text(c->one[i].line, &sum);
	}
	BUG_ON(sum != c->text);
}

/* The first byte chooses the rules and the end; after it each piece has its length, and whose it is */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct judge j;
	struct exit_verdict v;
	uint8_t how = size ? data[0] : 0;

	if (!rules.expect.n)
		fuzz_make();
	rules.expect.p[0].met = 0;
	rules.warn_fails = how & 1;
	rules.command = how & 2;
	judge_init(&j, &rules);
	for (size_t at = 1; at < size;) {
		size_t n = MIN((size_t)(data[at] & 0x7f) + 1, size - at - 1);
		enum verdict before = j.verdict;
		bool fixed = data[at] & 0x80 ? judge_output(&j, data + at + 1, n)
					     : judge_console(&j, data + at + 1, n);

		BUG_ON(fixed != (j.verdict != before) ||
		       (fixed && before != VERDICT_NONE));
		BUG_ON(j.kernel.depth > KTAP_DEPTH || j.console.n > LINES_MAX);
		at += n + 1;
	}
	v = exit_verdict((enum exit_cause)((how >> 2) % CAUSE_COUNT));
	judge_end(&j, &v);
	BUG_ON(j.verdict == VERDICT_NONE || j.verdict >= VERDICT_COUNT);
	for (const char *p = j.why; *p; p++)
		BUG_ON(*p < ' ' || *p > '~');
	fuzz_cases(&j.cases);
	judge_fini(&j);
	return 0;
}
