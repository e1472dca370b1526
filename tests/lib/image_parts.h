/* SPDX-License-Identifier: Apache-2.0 */
/* image_parts - a tar, and parts of an image that name each other by digest, for tests. */
#ifndef MICROVM_TESTS_IMAGE_PARTS_H
#define MICROVM_TESTS_IMAGE_PARTS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/image/digest.h"

#define PARTS_BLOCK 512

/* Bytes that grow */
struct part {
	uint8_t *p;
	size_t n;
};

static inline void part_add(struct part *t, const void *p, size_t n)
{
	t->p = realloc(t->p, t->n + n + 1);
	if (!t->p)
		abort();
	if (n)
		memcpy(t->p + t->n, p, n);
	t->n += n;
	t->p[t->n] = '\0';
}

/* A member of a tar, as ustar has it */
static inline void part_member(struct part *t, const char *name, char type,
			       const void *data, size_t n)
{
	static const uint8_t zeroes[2 * PARTS_BLOCK];
	char h[PARTS_BLOCK] = "";
	unsigned int sum = 0;

	(void)snprintf(h, 100, "%.99s", name);
	(void)snprintf(h + 100, 8, "%07o", 0755);
	(void)snprintf(h + 108, 8, "%07o", 0);
	(void)snprintf(h + 116, 8, "%07o", 0);
	(void)snprintf(h + 124, 12, "%011zo", n & 0xffffffff);
	(void)snprintf(h + 136, 12, "%011o", 0);
	memcpy(h + 148, "        ", 8);
	h[156] = type;
	memcpy(h + 257,
	       "ustar\0"
	       "00",
	       8);
	for (size_t i = 0; i < sizeof(h); i++)
		sum += (uint8_t)h[i];
	(void)snprintf(h + 148, 8, "%06o", sum & 0777777);
	part_add(t, h, sizeof(h));
	part_add(t, data, n);
	part_add(t, zeroes, -n % PARTS_BLOCK);
}

static inline void part_tar_end(struct part *t)
{
	static const uint8_t zeroes[2 * PARTS_BLOCK];

	part_add(t, zeroes, sizeof(zeroes));
}

static inline void part_digest(const struct part *t, char text[DIGEST_TEXT])
{
	struct digest_sum s;
	struct digest d;

	digest_begin(&s);
	digest_add(&s, t->p, t->n);
	digest_end(&s, &d);
	digest_text(&d, text);
}

/* @text, where %N is the digest of @part[N], and #N its size; N is one digit, below @n */
static inline void part_text(struct part *t, const char *text, size_t len,
			     const struct part *part, unsigned int n)
{
	for (size_t i = 0; i < len; i++) {
		unsigned int nr = i + 1 < len ? (unsigned int)(text[i + 1] - '0') : n;
		char word[DIGEST_TEXT];

		if ((text[i] != '%' && text[i] != '#') || nr >= n) {
			part_add(t, text + i, 1);
			continue;
		}
		if (text[i] == '%')
			part_digest(&part[nr], word);
		else
			(void)snprintf(word, sizeof(word), "%zu", part[nr].n);
		part_add(t, word, strlen(word));
		i++;
	}
}

#endif
