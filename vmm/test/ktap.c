/* SPDX-License-Identifier: Apache-2.0 */
/* ktap - results of tests in KTAP and TAP. */
#include "vmm/test/ktap.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "vmm/core/util.h"

#define KTAP_PLAN_MAX 1000000 /* of one level; a larger number is nonsense */

static struct ktap_level *ktap_top(struct ktap *k)
{
	return &k->level[k->depth - 1];
}

static uint32_t ktap_sum(uint64_t a, uint64_t b)
{
	return (uint32_t)MIN(a + b, (uint64_t)UINT32_MAX);
}

/* The deepest level is over */
static void ktap_close(struct ktap *k)
{
	const struct ktap_level *l = ktap_top(k);

	if (l->plan > l->seen)
		k->missing = (uint32_t)MIN(k->missing + (l->plan - l->seen), UINT32_MAX);
	k->cut |= l->plan < 0 && l->seen == 0;
	k->depth--;
	if (!k->depth)
		return;
	ktap_top(k)->failed = ktap_sum(ktap_top(k)->failed, l->failed);
	ktap_top(k)->told = ktap_sum(ktap_top(k)->told, l->told);
}

static void ktap_open(struct ktap *k, unsigned int indent)
{
	if (k->depth < KTAP_DEPTH)
		k->level[k->depth++] = (struct ktap_level){.indent = indent, .plan = -1};
}

static void ktap_line_copy(char to[KTAP_LINE + 1], const char *p)
{
	(void)snprintf(to, KTAP_LINE + 1, "%s", p);
	text_printable(to, strlen(to));
}

static void ktap_count(struct ktap *k, const char *name, const char *line,
		       enum ktap_result r)
{
	char copy[KTAP_LINE + 1];
	struct ktap_case c = {name, copy, k->note, r};

	k->count[r] += k->count[r] < UINT32_MAX;
	if (r == KTAP_FAILED && !k->first[0])
		(void)snprintf(k->first, sizeof(k->first), "%s", name);
	if (!k->each)
		return;
	ktap_line_copy(copy, line);
	ktap_top(k)->told += ktap_top(k)->told < UINT32_MAX;
	k->each(k->ctx, &c);
}

/* "name # SKIP why".  Return: what the directive makes of @r; @len is the name's */
static enum ktap_result ktap_directive(const char *p, size_t *len, enum ktap_result r)
{
	static const struct {
		const char *word;
		enum ktap_result is;
	} words[] = {{"SKIP", KTAP_SKIPPED}, {"TODO", KTAP_XFAIL}, {"XFAIL", KTAP_XFAIL}};

	*len = strlen(p);
	for (const char *at = p; (at = strchr(at, '#')); at++) {
		const char *word = at + 1 + strspn(at + 1, " ");

		if (at != p && at[-1] != ' ')
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
			size_t n = strlen(words[i].word);

			if (strncasecmp(word, words[i].word, n) == 0 &&
			    !isalnum((unsigned char)word[n])) {
				*len = (size_t)(at - p);
				return words[i].is;
			}
		}
	}
	return r;
}

/* TAP 14: a '#' that is part of the name has a backslash in front, and so has a backslash */
static void ktap_name(char name[KTAP_NAME + 1], const char *p, size_t len)
{
	size_t n = 0;

	while (len && p[len - 1] == ' ')
		len--;
	for (size_t i = 0; i < len && n < KTAP_NAME; i++) {
		if (p[i] == '\\' && i + 1 < len && (p[i + 1] == '#' || p[i + 1] == '\\'))
			i++;
		name[n++] = p[i];
	}
	name[n] = '\0';
	text_printable(name, n);
}

/* "1..4", "1..0 # SKIP why".  Return: is it one? */
static bool ktap_plan(struct ktap *k, const char *p, unsigned int indent)
{
	struct ktap_level *l;
	int64_t n = 0;
	size_t len;

	if (strncmp(p, "1..", 3) != 0 || !isdigit((unsigned char)p[3]))
		return false;
	for (p += 3; isdigit((unsigned char)*p) && n <= KTAP_PLAN_MAX; p++)
		n = n * 10 + (*p - '0');
	if (ktap_top(k)->indent < indent)
		ktap_open(k, indent);
	l = ktap_top(k);
	if (l->plan < 0)
		l->plan = MIN(n, KTAP_PLAN_MAX);
	if (n == 0 && ktap_directive(p, &len, KTAP_OK) == KTAP_SKIPPED)
		k->skips = true;
	return true;
}

/* Deeper levels than @indent are over: their test's line is the one that is read.  Return: their failures;
 * -1: there are none
 */
static int64_t ktap_close_below(struct ktap *k, unsigned int indent, const char *name)
{
	uint32_t told = 0;
	int64_t below = -1;

	/* a module's KUnit suite is a document of its own, whose result stands to its left */
	while (k->depth && ktap_top(k)->indent > indent) {
		below = ktap_top(k)->failed;
		told = ktap_top(k)->told;
		ktap_close(k);
	}
	if (told && k->named)
		k->named(k->ctx, name, told);
	return below;
}

/* "ok 1 - name", "not ok 2 name # SKIP why".  Return: is it one? */
static bool ktap_result(struct ktap *k, const char *line, unsigned int indent)
{
	enum ktap_result r = KTAP_OK;
	char name[KTAP_NAME + 1];
	const char *p = line;
	int64_t below;
	size_t len;

	if (strncmp(p, "not ", 4) == 0) {
		r = KTAP_FAILED;
		p += 4;
	}
	if (strncmp(p, "ok", 2) != 0 || (p[2] && p[2] != ' '))
		return false;
	p += 2;
	p += strspn(p, " ");
	p += strspn(p, "0123456789");
	p += strspn(p, " ");
	if (p[0] == '-' && p[1] == ' ')
		p += 2;
	r = ktap_directive(p, &len, r);
	ktap_name(name, p, len);
	below = ktap_close_below(k, indent, name);
	if (!k->depth || ktap_top(k)->indent < indent)
		ktap_open(k, indent);
	ktap_top(k)->seen += ktap_top(k)->seen < UINT32_MAX;
	if (below < 0 || (r == KTAP_FAILED && !below)) {
		ktap_top(k)->failed += r == KTAP_FAILED;
		ktap_count(k, name, line, r);
	}
	k->note[0] = '\0';
	return true;
}

static bool ktap_version(const char *p)
{
	return strncmp(p, "KTAP version ", 13) == 0 ||
	       strncmp(p, "TAP version ", 12) == 0;
}

/* Another document at @indent, or a test's subtests */
static void ktap_begin(struct ktap *k, unsigned int indent)
{
	while (k->depth && ktap_top(k)->indent >= indent)
		ktap_close(k);
	if (!k->depth)
		k->documents++;
	ktap_open(k, indent);
}

/* A test says of what it is about, and why a case fails: the first of these lines tells most */
static void ktap_note(struct ktap *k, const char *p)
{
	if (k->each && !k->note[0] && strncmp(p, "# Subtest: ", 11) != 0)
		ktap_line_copy(k->note, p);
}

bool ktap_line(struct ktap *k, const char *line)
{
	unsigned int indent = (unsigned int)strspn(line, " ");
	const char *p = line + indent;

	if (ktap_version(p))
		ktap_begin(k, indent);
	else if (!k->depth)
		return ktap_failed(k);
	else if (strncmp(p, "Bail out!", 9) == 0)
		k->bailed = true;
	else if (p[0] == '#')
		ktap_note(k, p);
	else if (!ktap_plan(k, p, indent))
		(void)ktap_result(k, p, indent);
	return ktap_failed(k);
}

void ktap_end(struct ktap *k)
{
	while (k->depth)
		ktap_close(k);
}

bool ktap_failed(const struct ktap *k)
{
	return k->count[KTAP_FAILED] || k->bailed || k->missing || k->cut;
}

bool ktap_only_skipped(const struct ktap *k)
{
	return !ktap_failed(k) && !k->count[KTAP_OK] && !k->count[KTAP_XFAIL] &&
	       (k->count[KTAP_SKIPPED] || k->skips);
}
