/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text - what is known of an image, as words "NAME=VALUE" that end with a NUL each.
 *
 * The process that is locked up writes it, from JSON that is a stranger's; the cache keeps it. Its
 * reader has no more to believe than that.
 */
#ifndef MICROVM_IMAGE_TEXT_H
#define MICROVM_IMAGE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/core/err.h"

#define IMAGE_TEXT_MAX ((size_t)4 << 20)

struct image_text {
	char *p;
	size_t len;
};

/* image_text_add() - one more word.  Return: 0, or -errno in @e */
int image_text_add(struct image_text *t, struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void image_text_free(struct image_text *t);
/* image_text_ok() - is it whole words, in number and size as image_text_add() makes them? */
bool image_text_ok(const struct image_text *t);
/* image_text_next() - the next value of @name, after @last (NULL: the first).  Return: NULL, there are no
 * more
 */
const char *image_text_next(const struct image_text *t, const char *name,
			    const char *last);
/* image_text_get() - the only value of @name, or @other */
const char *image_text_get(const struct image_text *t, const char *name,
			   const char *other);
/* image_text_number() - likewise, 0 where it is none */
uint64_t image_text_number(const struct image_text *t, const char *name);

#endif
