/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pattern - regular expressions of the operator's, on lines of a hostile guest.
 *
 * They are Perl's (libpcre2), compiled before the process is locked up, interpreted, and a match has
 * a limit of steps and of memory: one that exceeds it is an error of the expression, and no wait.
 */
#ifndef MICROVM_TEST_PATTERN_H
#define MICROVM_TEST_PATTERN_H

#include <stddef.h>

#include "vmm/core/err.h"

#define PATTERNS_MAX 32 /* of a kind */

struct pattern {
	const char *text; /* the operator's */
	void *code;       /* pcre2_code */
	unsigned int met; /* lines that matched, for their owner */
};

struct patterns {
	struct pattern p[PATTERNS_MAX];
	unsigned int n;
};

/* patterns_add() - compile @text, which outlives @s.  Return: 0, or a usage error in @e */
int patterns_add(struct patterns *s, const char *text, struct err *e);
void patterns_free(struct patterns *s);

/* pattern_match() - is @p anywhere in the @n bytes at @line?  One thread at a time.
 * Return: 1 or 0; -1: @p has exceeded its limits
 */
int pattern_match(const struct pattern *p, const char *line, size_t n);
/* patterns_match() - the first of @s that is.  Return: it, or NULL; @failed: or this one has failed */
struct pattern *patterns_match(struct patterns *s, const char *line, size_t n,
			       const struct pattern **failed);

#endif
