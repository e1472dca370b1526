/* SPDX-License-Identifier: Apache-2.0 */
/* kernel_line - the words of a Linux kernel's command line. */
#include "vmm/core/kernel_line.h"

#include <string.h>

/* What Linux's isspace() accepts (lib/ctype.c), Latin-1's no-break space included */
static bool kernel_is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == '\xa0';
}

static const char *kernel_skip_space(const char *at)
{
	while (kernel_is_space(*at))
		at++;
	return at;
}

/* Length of the word at @at, which is @quoted if a quotation mark is just before it; @equals gets
 * the place of its first "=", 0 if there is none that counts
 */
static size_t kernel_word_measure(const char *at, bool quoted, size_t *equals)
{
	bool inside = quoted;
	size_t n = 0;

	for (*equals = 0; at[n] && (inside || !kernel_is_space(at[n])); n++) {
		if (*equals == 0 && at[n] == '=')
			*equals = n;
		if (at[n] == '"')
			inside = !inside;
	}
	return n;
}

static void kernel_word_split(struct kernel_word *w, const char *at, size_t len,
			      size_t equals)
{
	const char *value = at + equals + 1, *end = at + len;
	bool marked = w->quoted;

	w->name = at;
	w->value = NULL;
	w->value_len = 0;
	if (equals && *value == '"') {
		value++;
		marked = true;
	}
	if (marked && len && end[-1] == '"')
		end--;
	w->name_len = equals ? equals : (size_t)(end - at);
	if (!equals)
		return;
	w->value = value;
	w->value_len = end > value ? (size_t)(end - value) : 0;
}

const char *kernel_line_next(const char *line, struct kernel_word *w)
{
	size_t len, equals;
	const char *at;

	if (!line)
		return NULL;
	at = kernel_skip_space(line);
	if (!*at)
		return NULL;
	w->quoted = *at == '"';
	at += w->quoted;
	len = kernel_word_measure(at, w->quoted, &equals);
	kernel_word_split(w, at, len, equals);
	if (!w->value && w->name_len == 2 && memcmp(w->name, "--", 2) == 0)
		return NULL;
	return at + len;
}

static char kernel_name_char(char c)
{
	return c == '-' ? '_' : c;
}

bool kernel_word_is(const struct kernel_word *w, const char *name)
{
	size_t i;

	for (i = 0; i < w->name_len && name[i]; i++)
		if (kernel_name_char(w->name[i]) != kernel_name_char(name[i]))
			return false;
	return i == w->name_len && !name[i];
}

bool kernel_word_says(const struct kernel_word *w, const char *value)
{
	return w->value && w->value_len == strlen(value) &&
	       memcmp(w->value, value, w->value_len) == 0;
}

bool kernel_word_lists(const struct kernel_word *w, const char *value)
{
	size_t len = strlen(value), at = 0;

	while (w->value && at <= w->value_len) {
		const char *item = w->value + at;
		const char *comma = memchr(item, ',', w->value_len - at);
		size_t n = comma ? (size_t)(comma - item) : w->value_len - at;

		if (n == len && memcmp(item, value, n) == 0)
			return true;
		at += n + 1;
	}
	return false;
}

bool kernel_line_has(const char *line, const char *name)
{
	struct kernel_word w;

	return kernel_line_value(line, name, &w);
}

bool kernel_line_says(const char *line, const char *name, const char *value)
{
	struct kernel_word w;

	while ((line = kernel_line_next(line, &w)))
		if (kernel_word_is(&w, name) && kernel_word_says(&w, value))
			return true;
	return false;
}

bool kernel_line_value(const char *line, const char *name, struct kernel_word *w)
{
	struct kernel_word each;
	bool found = false;

	while ((line = kernel_line_next(line, &each)))
		if (kernel_word_is(&each, name)) {
			*w = each;
			found = true;
		}
	return found;
}
