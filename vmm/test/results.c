/* SPDX-License-Identifier: Apache-2.0 */
/*
 * results - what became of many tests: as they end, and all of them.
 *
 * TAP is version 13; the XML is what Jenkins and GitLab read as JUnit's: testsuites, testsuite, testcase
 * with failure, error or skipped.
 */
#include <errno.h>
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

/* A line is printable ASCII already */
static void results_xml(FILE *f, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			(void)fputs("&lt;", f);
			break;
		case '&':
			(void)fputs("&amp;", f);
			break;
		case '>':
			(void)fputs("&gt;", f);
			break;
		case '"':
			(void)fputs("&quot;", f);
			break;
		default:
			(void)fputc(*text, f);
		}
	}
}

/* Of a run that is no PASS: an error tells of nothing that the kernel did */
static void results_case(FILE *f, const struct cells *c, unsigned int nr)
{
	const struct cell *cell = &c->cell[nr];
	const char *how = "failure";
	char name[CELL_LINE];

	cells_name(c, nr, name);
	(void)fputs("    <testcase classname=\"microvm.test\" name=\"", f);
	results_xml(f, name);
	(void)fprintf(f, "\" time=\"%.3f\"", (double)cell->ns / 1e9);
	if (cell->over && cell->verdict == VERDICT_PASS) {
		(void)fputs("/>\n", f);
		return;
	}
	if (!cell->over || cell->verdict == VERDICT_SKIP)
		how = "skipped";
	else if (cell->verdict == VERDICT_ERROR || cell->verdict == VERDICT_STOPPED)
		how = "error";
	(void)fprintf(f, ">\n      <%s message=\"%s: ", how,
		      cell->over ? verdict_name(cell->verdict) : "not run");
	results_xml(f, cell->line);
	(void)fputs("\"/>\n    </testcase>\n", f);
}

static void results_suite(FILE *f, const struct cells *c)
{
	unsigned int failed = 0, wrong = 0, skipped = 0;
	uint64_t ns = 0;

	for (unsigned int i = 0; i < c->n; i++) {
		const struct cell *cell = &c->cell[i];

		ns += cell->ns;
		if (!cell->over || cell->verdict == VERDICT_SKIP)
			skipped++;
		else if (cell->verdict == VERDICT_ERROR ||
			 cell->verdict == VERDICT_STOPPED)
			wrong++;
		else
			failed += cell->verdict != VERDICT_PASS;
	}
	(void)fprintf(f,
		      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
		      "  <testsuite name=\"microvm test\" tests=\"%u\" failures=\"%u\" "
		      "errors=\"%u\" skipped=\"%u\" time=\"%.3f\">\n",
		      c->n, failed, wrong, skipped, (double)ns / 1e9);
	for (unsigned int i = 0; i < c->n; i++)
		results_case(f, c, i);
	(void)fputs("  </testsuite>\n</testsuites>\n", f);
}

static int results_failed(const char *path, int code, struct err *e)
{
	return err_set(
		e, code,
		"--junit: cannot write %.200s: %s; give a path that can be written", path,
		strerror(code));
}

FILE *results_open(const char *path, struct err *e)
{
	FILE *f = fopen(path, "we");

	if (!f)
		(void)results_failed(path, errno, e);
	return f;
}

int results_junit(const struct cells *c, FILE *f, struct err *e)
{
	int code;

	results_suite(f, c);
	code = ferror(f) ? EIO : 0;
	if (fclose(f) != 0)
		code = errno;
	return code ? results_failed(c->options->junit, code, e) : 0;
}
