/* SPDX-License-Identifier: Apache-2.0 */
/* lines - a guest's bytes, as lines of a bounded length. */
#ifndef MICROVM_TEST_LINES_H
#define MICROVM_TEST_LINES_H

#include <stddef.h>
#include <stdint.h>

#define LINES_MAX 1023 /* bytes of a line; of a longer one the rest is dropped */

/* A line without its end, and with a NUL behind it that does not count. It lives for the call */
typedef void (*lines_fn)(void *ctx, const char *line, size_t n);

struct lines {
	size_t n;
	char text[LINES_MAX + 1];
};

/* lines_feed() - @n bytes more: @fn gets each line that ends in them. Carriage returns are left
 * out. lines_end(): there are no more, and the last line may have no end
 */
void lines_feed(struct lines *l, const uint8_t *p, size_t n, lines_fn fn, void *ctx);
void lines_end(struct lines *l, lines_fn fn, void *ctx);

#endif
