/* SPDX-License-Identifier: Apache-2.0 */
/* text - words, each with a name. */
#include "vmm/image/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int image_text_add(struct image_text *t, struct err *e, const char *fmt, ...)
{
	char *word = NULL, *more;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&word, fmt, ap);
	va_end(ap);
	if (n < 0)
		return err_set(e, ENOMEM, "no memory for what the image says");
	if (t->len + (size_t)n + 1 > IMAGE_TEXT_MAX) {
		free(word);
		return err_set(e, EFBIG,
			       "the image's config has more than %zu bytes of words, the "
			       "most that is taken",
			       IMAGE_TEXT_MAX);
	}
	more = realloc(t->p, t->len + (size_t)n + 1);
	if (more) {
		memcpy(more + t->len, word, (size_t)n + 1);
		t->p = more;
		t->len += (size_t)n + 1;
	}
	free(word);
	return more ? 0 : err_set(e, ENOMEM, "no memory for what the image says");
}

void image_text_free(struct image_text *t)
{
	free(t->p);
	*t = (struct image_text){0};
}

bool image_text_ok(const struct image_text *t)
{
	if (!t->len || t->len > IMAGE_TEXT_MAX || t->p[t->len - 1])
		return false;
	for (const char *p = t->p; p < t->p + t->len; p += strlen(p) + 1)
		if (!strchr(p, '='))
			return false;
	return true;
}

const char *image_text_next(const struct image_text *t, const char *name,
			    const char *last)
{
	const char *p = last ? last + strlen(last) + 1 : t->p;
	size_t n = strlen(name);

	for (; t->p && p < t->p + t->len; p += strlen(p) + 1)
		if (strncmp(p, name, n) == 0 && p[n] == '=')
			return p + n + 1;
	return NULL;
}

const char *image_text_get(const struct image_text *t, const char *name,
			   const char *other)
{
	const char *value = image_text_next(t, name, NULL);

	return value ? value : other;
}

uint64_t image_text_number(const struct image_text *t, const char *name)
{
	const char *value = image_text_get(t, name, "");
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(value, &end, 10);
	return *value < '0' || *value > '9' || *end || errno ? 0 : n;
}
