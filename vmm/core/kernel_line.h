/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel_line - the words of a Linux kernel's command line, taken apart as Linux does
 * (lib/cmdline.c, next_arg(); kernel/params.c, parse_args()).
 *
 * Words end at white space that is not between quotation marks; no character escapes a quotation
 * mark. A word is a name, or a name and a value after its first "=" (if the word begins with "=",
 * that one belongs to the name). Quotation marks around a word or around its value are not part
 * of them. What follows the word "--" is for init alone.
 *
 * It copies and changes nothing: a name and a value lie in the line itself and are valid as long
 * as the line. Any thread.
 */
#ifndef MICROVM_CORE_KERNEL_LINE_H
#define MICROVM_CORE_KERNEL_LINE_H

#include <stdbool.h>
#include <stddef.h>

struct kernel_word {
	const char *name;           /* neither this nor @value ends in a NUL */
	const char *value;          /* NULL: there is no "=" */
	size_t name_len, value_len; /* bytes */
	bool quoted;                /* the word begins with a quotation mark */
};

/* kernel_line_next() - the first word at @line or after it.
 *	for (const char *at = line; (at = kernel_line_next(at, &w));)
 * Return: where to look for the next one; NULL, and nothing in @w, if there are no more:
 * the line ends, or "--" follows, or @line is NULL
 */
const char *kernel_line_next(const char *line, struct kernel_word *w);

/* kernel_word_is() - is @w's name @name?  To Linux "-" and "_" are the same in names */
bool kernel_word_is(const struct kernel_word *w, const char *name);
/* kernel_word_says() - is @w's value @value, byte for byte? */
bool kernel_word_says(const struct kernel_word *w, const char *value);
/* kernel_word_lists() - is @value among those that @w's value has between commas? */
bool kernel_word_lists(const struct kernel_word *w, const char *value);

/* The same about the words of a line. A NULL line has none.
 * kernel_line_has() - is there the word @name, with any value or none?
 * kernel_line_says() - is there the word @name with @value?
 * kernel_line_value() - the last word @name, the one that counts for Linux, in @w.
 * Return: is there one?
 */
bool kernel_line_has(const char *line, const char *name);
bool kernel_line_says(const char *line, const char *name, const char *value);
bool kernel_line_value(const char *line, const char *name, struct kernel_word *w);

#endif
