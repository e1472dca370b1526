/* SPDX-License-Identifier: Apache-2.0 */
/* results - what became of many tests: as they end, in TAP version 13, and all of them. */
#include <stdio.h>
#include <string.h>

#include "vmm/core/log.h"
#include "vmm/core/util.h"
#include "vmm/test/cells.h"

/* ---- as they end ---- */

static const char *results_directive(enum verdict v)
{
	return v == VERDICT_SKIP ? " # SKIP" : "";
}

/* In order: a later one waits for those before it */
void results_tap(struct cells *c)
{
	if (!c->options->tap)
		return;
	if (!c->headed)
		(void)printf("TAP version 13\n1..%u\n", c->n);
	c->headed = true;
	for (; c->shown < c->n && c->cell[c->shown].over; c->shown++) {
		const struct cell *cell = &c->cell[c->shown];
		bool ok = cell->verdict == VERDICT_PASS || cell->verdict == VERDICT_SKIP;
		char name[CELL_LINE];

		cells_name(c, c->shown, name);
		(void)printf("%sok %u - ", ok ? "" : "not ", c->shown + 1);
		for (const char *p = name; *p; p++) /* "# TODO" is no word of ours */
			(void)printf(*p == '#' || *p == '\\' ? "\\%c" : "%c", *p);
		(void)printf("%s\n", results_directive(cell->verdict));
		if (cell->line[0] || !ok)
			(void)printf("# %s%s%s\n", verdict_name(cell->verdict),
				     cell->line[0] ? ": " : "", cell->line);
	}
	(void)fflush(stdout);
}

static unsigned int results_over(const struct cells *c)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < c->next; i++)
		n += c->cell[i].over;
	return n;
}

void results_one(const struct cells *c, unsigned int nr)
{
	const struct cell *cell = &c->cell[nr];
	char name[CELL_LINE];

	cells_name(c, nr, name);
	if (cell->verdict != VERDICT_PASS)
		(void)fprintf(stderr, "%s%s: %s: %s%s%s\n", c->live ? "\r\033[K" : "",
			      log_prefix(), name, verdict_name(cell->verdict),
			      cell->line[0] ? ": " : "", cell->line);
	if (c->live)
		(void)fprintf(stderr, "\r\033[K%s: %u of %u", log_prefix(),
			      results_over(c), c->n);
}

/* ---- all of them ---- */

/* "    3  OOPS: the first line that said so" */
void results_table(const struct cells *c)
{
	if (c->live)
		(void)fputs("\r\033[K", stderr);
	for (int v = VERDICT_PASS; v < VERDICT_COUNT; v++) {
		const struct cell *first = NULL;
		unsigned int n = 0;

		for (unsigned int i = 0; i < c->n; i++) {
			if (!c->cell[i].over || c->cell[i].verdict != (enum verdict)v)
				continue;
			first = first ? first : &c->cell[i];
			n++;
		}
		if (n)
			(void)fprintf(stderr, "%7u  %s%s%s\n", n,
				      verdict_name((enum verdict)v),
				      first->line[0] ? ": " : "", first->line);
	}
	if (results_over(c) < c->n)
		(void)fprintf(stderr, "%7u  not run\n", c->n - results_over(c));
}
