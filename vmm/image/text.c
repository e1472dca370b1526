/* SPDX-License-Identifier: Apache-2.0 */
/* text - words, each with a name. */
#include "vmm/image/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/words.h"

int image_text_add(struct image_text *t, struct err *e, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = words_add(&t->p, &t->len, IMAGE_TEXT_MAX, fmt, ap);
	va_end(ap);
	if (rc == -E2BIG)
		return err_set(e, E2BIG,
			       "the image's config has more than %zu bytes of words, the "
			       "most that is taken",
			       IMAGE_TEXT_MAX);
	return rc < 0 ? err_set(e, ENOMEM, "no memory for what the image says") : 0;
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
