/* SPDX-License-Identifier: Apache-2.0 */
/* words - strings, one after another in one piece of memory, each with its NUL. */
#ifndef MICROVM_CORE_WORDS_H
#define MICROVM_CORE_WORDS_H

#include <stdarg.h>
#include <stddef.h>

/* words_add() - one more string behind the @len bytes at @p (NULL, 0: there are none yet), from malloc(), @most
 * bytes in all. Any thread; who has them frees them.
 * Return: 0, or nothing was changed: -E2BIG, there is no room; -ENOMEM
 */
int words_add(char **p, size_t *len, size_t most, const char *fmt, va_list ap)
	__attribute__((format(printf, 4, 0)));

#endif
