/* SPDX-License-Identifier: Apache-2.0 */
/* words - strings, one after another in one piece of memory, each with its NUL. */
#include "vmm/core/words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int words_add(char **p, size_t *len, size_t most, const char *fmt, va_list ap)
{
	char *word = NULL, *more;
	int n = vasprintf(&word, fmt, ap), rc = 0;

	if (n < 0)
		return -ENOMEM;
	if ((size_t)n >= most || *len > most - (size_t)n - 1) {
		rc = -E2BIG;
	} else if (!(more = realloc(*p, *len + (size_t)n + 1))) {
		rc = -ENOMEM;
	} else {
		memcpy(more + *len, word, (size_t)n + 1);
		*p = more;
		*len += (size_t)n + 1;
	}
	free(word);
	return rc;
}
