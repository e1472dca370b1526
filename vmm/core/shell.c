/* SPDX-License-Identifier: Apache-2.0 */
/* shell - names in the command lines that our sentences suggest. */
#include "vmm/core/shell.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/core/util.h"

/* Characters that every shell takes literally anywhere in a word */
static bool shell_plain(const char *name)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._-/+,:@%=";

	return *name && !name[strspn(name, plain)];
}

/* Between single quotes every byte but the quote is literal; the quote closes them, stands
 * escaped, and opens them again.
 */
static void shell_quote_into(struct shell_word *to, const char *name)
{
	size_t n = 0, room = sizeof(to->text) - 2; /* the last quote, and the end */

	to->text[n++] = '\'';
	for (; *name && n + 4 <= room; name++) {
		if (*name == '\'') {
			memcpy(to->text + n, "'\\'", 3);
			n += 3;
		}
		to->text[n++] = *name;
	}
	to->text[n++] = '\'';
	to->text[n] = '\0';
}

static const char *shell_put(struct shell_word *to, const char *word)
{
	if (shell_plain(word))
		(void)snprintf(to->text, sizeof(to->text), "%s", word);
	else
		shell_quote_into(to, word);
	return to->text;
}

const char *shell_quote_suffix(struct shell_word *to, const char *name,
			       const char *suffix)
{
	char word[sizeof(to->text)];

	/* a name that begins with a dash would be an option to the program that reads it */
	(void)snprintf(word, sizeof(word), "%s%s%s", *name == '-' ? "./" : "", name,
		       suffix);
	return shell_put(to, word);
}

const char *shell_quote(struct shell_word *to, const char *name)
{
	return shell_quote_suffix(to, name, "");
}

const char *shell_quote_value(struct shell_word *to, const char *before, const char *name)
{
	char value[sizeof(to->text)];
	size_t n = (size_t)snprintf(value, sizeof(value), "%s", before);

	for (; *name && n + 3 <= sizeof(value); name++) {
		if (*name == ',')
			value[n++] = ',';
		value[n++] = *name;
	}
	value[n] = '\0';
	return shell_put(to, value);
}

int shell_find_in(const char *dir, size_t len, const char *program, char *path,
		  size_t size)
{
	int n = snprintf(path, size, "%.*s/%s", (int)len, dir, program);

	if (n < 0 || (size_t)n >= size || access(path, F_OK) < 0)
		return -ENOENT;
	return access(path, X_OK) < 0 ? -EACCES : 0;
}

int shell_find(const char *program, char *path, size_t size)
{
	const char *p = getenv("PATH");
	int rc = -ENOENT;

	while (p && *p && rc != 0) {
		size_t len = strcspn(p, ":");
		int one = len ? shell_find_in(p, len, program, path, size) : -ENOENT;

		rc = one == -ENOENT ? rc : one;
		p += len + (p[len] == ':');
	}
	return rc;
}
