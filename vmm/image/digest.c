/* SPDX-License-Identifier: Apache-2.0 */
/* digest - SHA-256, by nettle. */
#include "vmm/image/digest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/util.h"

#define DIGEST_PREFIX "sha256:"
#define DIGEST_CHUNK  (UINT64_C(1) << 20)

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool digest_parse(const char *text, struct digest *d)
{
	const char *p = text + strlen(DIGEST_PREFIX);

	if (strncmp(text, DIGEST_PREFIX, strlen(DIGEST_PREFIX)) != 0 ||
	    strlen(p) != DIGEST_HEX)
		return false;
	for (size_t i = 0; i < sizeof(d->sum); i++, p += 2) {
		int high = digit(p[0]), low = digit(p[1]);

		if (high < 0 || low < 0)
			return false;
		d->sum[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

void digest_text(const struct digest *d, char text[DIGEST_TEXT])
{
	static const char digits[] = "0123456789abcdef";
	char *p = mempcpy(text, DIGEST_PREFIX, strlen(DIGEST_PREFIX));

	for (size_t i = 0; i < sizeof(d->sum); i++) {
		*p++ = digits[d->sum[i] >> 4];
		*p++ = digits[d->sum[i] & 15];
	}
	*p = '\0';
}

bool digest_same(const struct digest *a, const struct digest *b)
{
	return memcmp(a->sum, b->sum, sizeof(a->sum)) == 0;
}

void digest_begin(struct digest_sum *s)
{
	s->bytes = 0;
	sha256_init(&s->ctx);
}

void digest_add(struct digest_sum *s, const void *p, size_t n)
{
	s->bytes += n;
	sha256_update(&s->ctx, n, p);
}

void digest_end(struct digest_sum *s, struct digest *d)
{
	sha256_digest(&s->ctx, sizeof(d->sum), d->sum);
}

int digest_file(int fd, struct digest *d)
{
	cleanup_free uint8_t *chunk = malloc(DIGEST_CHUNK);
	struct digest_sum s;
	long n = 1;

	if (!chunk)
		return -ENOMEM;
	digest_begin(&s);
	while (n > 0) {
		n = pread_full(fd, chunk, DIGEST_CHUNK, s.bytes);
		if (n > 0)
			digest_add(&s, chunk, (size_t)n);
	}
	digest_end(&s, d);
	return n < 0 ? (int)n : 0;
}
