/* SPDX-License-Identifier: Apache-2.0 */
/* lines - a guest's bytes, as lines of a bounded length. */
#include "vmm/test/lines.h"

static void lines_give(struct lines *l, lines_fn fn, void *ctx)
{
	size_t n = l->n;

	l->n = 0;
	l->text[n] = '\0';
	fn(ctx, l->text, n);
}

void lines_feed(struct lines *l, const uint8_t *p, size_t n, lines_fn fn, void *ctx)
{
	for (; n; p++, n--) {
		if (*p == '\n')
			lines_give(l, fn, ctx);
		else if (*p != '\r' && l->n < LINES_MAX)
			l->text[l->n++] = (char)*p;
	}
}

void lines_end(struct lines *l, lines_fn fn, void *ctx)
{
	if (l->n)
		lines_give(l, fn, ctx);
}
