/* SPDX-License-Identifier: Apache-2.0 */
/*
 * junit - what became of many tests, as the XML that Jenkins and GitLab read as JUnit's.
 *
 * Each run is a testsuite: a testcase for the kernel's verdict, and one for each case that its tests
 * printed in KTAP. It is written as the runs end, so that no list of a guest's is kept.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vmm/core/util.h"
#include "vmm/test/cases.h"
#include "vmm/test/cells.h"

/* How many of a testsuite are what */
struct junit_count {
	unsigned int all, failed, wrong, skipped;
};

static void junit_text(FILE *f, const char *text)
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
			(void)fputc(*text < ' ' || *text > '~' ? '?' : *text, f);
		}
	}
}

static const char *junit_word(const json_t *one, const char *key)
{
	const char *text = json_string_value(json_object_get(one, key));

	return text ? text : "";
}

static bool junit_is(const json_t *one, enum ktap_result r)
{
	return strcmp(junit_word(one, "result"), case_result_name(r)) == 0;
}

/* An element of the list, which a guest may have made that has taken over its process.  Return: NULL: it
 * passed; else "failure" or "skipped"
 */
static const char *junit_how(const json_t *one)
{
	if (junit_is(one, KTAP_OK) || junit_is(one, KTAP_XFAIL))
		return NULL;
	return junit_is(one, KTAP_SKIPPED) ? "skipped" : "failure";
}

/* Of a run: an error tells of nothing that the kernel did */
static const char *junit_how_run(const struct cell *cell)
{
	if (cell->over && cell->verdict == VERDICT_PASS)
		return NULL;
	if (!cell->over || cell->verdict == VERDICT_SKIP)
		return "skipped";
	if (cell->verdict == VERDICT_ERROR || cell->verdict == VERDICT_STOPPED)
		return "error";
	return "failure";
}

static void junit_count(struct junit_count *n, const char *how)
{
	n->all++;
	n->failed += how && strcmp(how, "failure") == 0;
	n->wrong += how && strcmp(how, "error") == 0;
	n->skipped += how && strcmp(how, "skipped") == 0;
}

static void junit_verdict(FILE *f, const struct cell *cell, const char *name)
{
	const char *how = junit_how_run(cell);

	(void)fputs("    <testcase classname=\"microvm.test\" name=\"", f);
	junit_text(f, name);
	(void)fprintf(f, "\" time=\"%.3f\"", (double)cell->ns / 1e9);
	if (!how && !cell->more) {
		(void)fputs("/>\n", f);
		return;
	}
	(void)fputs(">\n", f);
	if (how) {
		(void)fprintf(f, "      <%s message=\"%s: ", how,
			      cell->over ? verdict_name(cell->verdict) : "not run");
		junit_text(f, cell->line);
		(void)fputs("\"/>\n", f);
	}
	if (cell->more)
		(void)fprintf(
			f, "      <system-out>%" PRIu64 " more not listed</system-out>\n",
			cell->more);
	(void)fputs("    </testcase>\n", f);
}

static void junit_case(FILE *f, const json_t *one, const char *run)
{
	const char *how = junit_how(one);

	(void)fputs("    <testcase classname=\"", f);
	junit_text(f, run);
	(void)fputs("\" name=\"", f);
	junit_text(f, junit_word(one, "name"));
	if (!how) {
		(void)fputs("\"/>\n", f);
		return;
	}
	(void)fprintf(f, "\">\n      <%s message=\"", how);
	junit_text(f, junit_word(one, "line"));
	(void)fputs("\"/>\n    </testcase>\n", f);
}

void junit_run(struct cells *c, unsigned int nr)
{
	const struct cell *cell = &c->cell[nr];
	struct junit_count n = {0};
	char name[CELL_LINE];
	FILE *f = c->junit;
	size_t i;
	json_t *one;

	if (!f)
		return;
	cells_name(c, nr, name);
	junit_count(&n, junit_how_run(cell));
	json_array_foreach(cell->each, i, one) junit_count(&n, junit_how(one));
	(void)fputs("  <testsuite name=\"microvm test: ", f);
	junit_text(f, name);
	(void)fprintf(f,
		      "\" tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\" "
		      "time=\"%.3f\">\n",
		      n.all, n.failed, n.wrong, n.skipped, (double)cell->ns / 1e9);
	junit_verdict(f, cell, name);
	json_array_foreach(cell->each, i, one) junit_case(f, one, name);
	(void)fputs("  </testsuite>\n", f);
	(void)fflush(f);
}

static int junit_failed(const char *path, int code, struct err *e)
{
	return err_set(
		e, code,
		"--junit: cannot write %.200s: %s; give a path that can be written", path,
		strerror(code));
}

int junit_open(struct cells *c, struct err *e)
{
	c->junit = fopen(c->options->junit, "we");
	if (!c->junit)
		return junit_failed(c->options->junit, errno, e);
	(void)fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n",
		    c->junit);
	return 0;
}

int junit_end(struct cells *c, struct err *e)
{
	int code;

	if (!c->junit)
		return 0;
	for (unsigned int i = 0; i < c->n; i++)
		if (!c->cell[i].over)
			junit_run(c, i);
	(void)fputs("</testsuites>\n", c->junit);
	code = ferror(c->junit) ? EIO : 0;
	if (fclose(c->junit) != 0)
		code = errno;
	c->junit = NULL;
	return code ? junit_failed(c->options->junit, code, e) : 0;
}
