/* SPDX-License-Identifier: Apache-2.0 */
/* pattern - regular expressions of the operator's, on lines of a hostile guest. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "vmm/test/pattern.h"

#include <errno.h>
#include <pcre2.h>

#define PATTERN_STEPS \
	10000 /* of a match at one place of a line; it has a thousand places */
#define PATTERN_HEAP_KIB 1024

/* Made once, by the first expression: a match allocates nothing but what it backtracks to */
static pcre2_match_context *context;
static pcre2_match_data *data;

/* Bytes, and not characters: a guest need not print UTF-8 */
#define PATTERN_OPTIONS (PCRE2_NEVER_UTF | PCRE2_NEVER_BACKSLASH_C)

static int pattern_ready(struct err *e)
{
	if (!context)
		context = pcre2_match_context_create(NULL);
	if (!data)
		data = pcre2_match_data_create(1, NULL);
	if (!context || !data)
		return err_set(e, ENOMEM, "out of memory");
	(void)pcre2_set_match_limit(context, PATTERN_STEPS);
	(void)pcre2_set_depth_limit(context, PATTERN_STEPS);
	(void)pcre2_set_heap_limit(context, PATTERN_HEAP_KIB);
	return 0;
}

int patterns_add(struct patterns *s, const char *text, struct err *e)
{
	pcre2_code *code;
	PCRE2_SIZE at;
	PCRE2_UCHAR why[128];
	int nr, rc = pattern_ready(e);

	if (rc < 0)
		return rc;
	if (s->n == PATTERNS_MAX)
		return err_usage(
			e,
			"\"%.60s\" is one too many; there can be %d, so join some by |",
			text, PATTERNS_MAX);
	code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, PATTERN_OPTIONS,
			     &nr, &at, NULL);
	if (!code) {
		(void)pcre2_get_error_message(nr, why, sizeof(why));
		return err_usage(
			e, "\"%.60s\" is no regular expression: at character %zu, %s",
			text, at + 1, (const char *)why);
	}
	s->p[s->n++] = (struct pattern){.text = text, .code = code};
	return 0;
}

void patterns_free(struct patterns *s)
{
	while (s->n)
		pcre2_code_free(s->p[--s->n].code);
}

int pattern_match(const struct pattern *p, const char *line, size_t n)
{
	int rc =
		pcre2_match(p->code, (PCRE2_SPTR)line, n, 0, PCRE2_NO_JIT, data, context);

	if (rc >= 0)
		return 1;
	return rc == PCRE2_ERROR_NOMATCH ? 0 : -1;
}

struct pattern *patterns_match(struct patterns *s, const char *line, size_t n,
			       const struct pattern **failed)
{
	for (unsigned int i = 0; i < s->n; i++) {
		int rc = pattern_match(&s->p[i], line, n);

		if (rc > 0)
			return &s->p[i];
		if (rc < 0)
			*failed = &s->p[i];
	}
	return NULL;
}
