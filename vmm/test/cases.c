/* SPDX-License-Identifier: Apache-2.0 */
/* cases - the cases that a guest's tests had, each with its whole name. */
#include "vmm/test/cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/util.h"

#define CASES_FIRST 64

const char *case_result_name(enum ktap_result r)
{
	static const char *const names[KTAP_RESULTS] = {[KTAP_OK] = "ok",
							[KTAP_FAILED] = "failed",
							[KTAP_SKIPPED] = "skipped",
							[KTAP_XFAIL] =
								"failed as expected"};

	return names[r];
}

/* Return: is there room for one more? */
static bool cases_grow(struct cases *c)
{
	uint32_t room = c->room ? 2 * c->room : CASES_FIRST;
	struct case_one *one;

	if (c->n < c->room)
		return true;
	if (room > CASES_MAX)
		return false;
	one = copied_grown(c->one, c->n * sizeof(*one), room * sizeof(*one));
	if (!one)
		return false;
	c->one = one;
	c->room = room;
	return true;
}

/* Return: text that is the caller's; NULL: none is left */
static char *cases_text(struct cases *c, const char *a, const char *between,
			const char *b)
{
	size_t len = strlen(a) + strlen(between) + strlen(b) + 1;
	char *text = c->text + len > CASES_TEXT ? NULL : malloc(len);

	if (!text)
		return NULL;
	c->text += len;
	(void)snprintf(text, len, "%s%s%s", a, between, b);
	return text;
}

static void cases_drop(struct cases *c, char *text)
{
	if (text)
		c->text -= strlen(text) + 1;
	free(text);
}

static void cases_each(void *ctx, const struct ktap_case *k)
{
	struct case_source *s = ctx;
	struct cases *c = s->all;
	struct case_one one = {.result = k->result,
			       .source = (unsigned int)(s - c->source),
			       .nr = s->told++};

	if (!cases_grow(c)) {
		c->more += c->more < UINT32_MAX;
		return;
	}
	one.name = cases_text(c, k->name, "", "");
	if (k->result != KTAP_OK)
		one.line = cases_text(c, k->line, k->note[0] ? ": " : "", k->note);
	if (one.name && (one.line || k->result == KTAP_OK)) {
		c->one[c->n++] = one;
		return;
	}
	cases_drop(c, one.name);
	cases_drop(c, one.line);
	c->more += c->more < UINT32_MAX;
}

/* From the last one back: those of other sources lie between. A name for which no room is left stays
 * without its test's
 */
static void cases_named(void *ctx, const char *name, uint32_t n)
{
	struct case_source *s = ctx;
	struct cases *c = s->all;

	if (!*name)
		return;
	for (uint32_t i = c->n; i-- > 0;) {
		struct case_one *one = &c->one[i];
		char *whole;

		if (&c->source[one->source] != s)
			continue;
		if (s->told - one->nr > n)
			return;
		whole = cases_text(c, name, ".", one->name);
		if (!whole)
			continue;
		cases_drop(c, one->name);
		one->name = whole;
	}
}

void cases_hear(struct cases *c, unsigned int nr, struct ktap *k)
{
	BUG_ON(nr >= ARRAY_SIZE(c->source));
	c->source[nr] = (struct case_source){.all = c};
	k->each = cases_each;
	k->named = cases_named;
	k->ctx = &c->source[nr];
}

void cases_free(struct cases *c)
{
	for (uint32_t i = 0; i < c->n; i++) {
		free(c->one[i].name);
		free(c->one[i].line);
	}
	free(c->one);
	*c = (struct cases){0};
}
