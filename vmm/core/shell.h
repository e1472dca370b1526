/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shell - names in the command lines that our sentences suggest.
 *
 * A suggested line is pasted into a shell. A name in it goes through here, so that the shell
 * takes it for one word and not for an option, whatever its bytes.
 */
#ifndef MICROVM_CORE_SHELL_H
#define MICROVM_CORE_SHELL_H

#include <stddef.h>

/* A name as a shell's word; one that is longer is cut, as its sentence is (struct err) */
struct shell_word {
	char text[512];
};

/* shell_quote() - @name, if a shell takes it as it stands, else @to with the name quoted in it.
 * SHELL_WORD() is that with room which lasts as long as the block that says it.
 */
const char *shell_quote(struct shell_word *to, const char *name);
#define SHELL_WORD(name) shell_quote(&(struct shell_word){""}, name)

/* shell_quote_suffix() - likewise @name followed by @suffix, like ".raw" */
const char *shell_quote_suffix(struct shell_word *to, const char *name,
			       const char *suffix);
#define SHELL_SUFFIX(name, suffix) \
	shell_quote_suffix(&(struct shell_word){""}, name, suffix)

/* shell_quote_value() - likewise @before followed by @name, as the value of an option of ours, like
 * "overlay=" and a path: a comma in @name is written twice
 */
const char *shell_quote_value(struct shell_word *to, const char *before,
			      const char *name);
#define SHELL_VALUE(before, name) \
	shell_quote_value(&(struct shell_word){""}, before, name)

/* shell_find() - where a shell would find @program: the first in $PATH that this user may run, as
 * a path in @path. An empty element of $PATH, the current directory, is skipped: another user may
 * have filled it. Return: 0; -ENOENT: there is none; -EACCES: this user may run none of those
 * found
 */
int shell_find(const char *program, char *path, size_t size);

/* shell_find_in() - likewise in the one directory @dir, of @len bytes */
int shell_find_in(const char *dir, size_t len, const char *program, char *path,
		  size_t size);

#endif
