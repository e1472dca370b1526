/* SPDX-License-Identifier: Apache-2.0 */
/* digest - SHA-256 as images name what they are made of: "sha256:" and 64 digits. */
#ifndef MICROVM_IMAGE_DIGEST_H
#define MICROVM_IMAGE_DIGEST_H

#include <nettle/sha2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_HEX  64
#define DIGEST_TEXT (sizeof("sha256:") + DIGEST_HEX) /* with its NUL */

struct digest {
	uint8_t sum[SHA256_DIGEST_SIZE];
};

/* A sum that grows */
struct digest_sum {
	struct sha256_ctx ctx;
	uint64_t bytes;
};

/* digest_parse() - @text, all of it, as a digest.  Return: is it one? */
bool digest_parse(const char *text, struct digest *d);
void digest_text(const struct digest *d, char text[DIGEST_TEXT]);
bool digest_same(const struct digest *a, const struct digest *b);

void digest_begin(struct digest_sum *s);
void digest_add(struct digest_sum *s, const void *p, size_t n);
void digest_end(struct digest_sum *s, struct digest *d);

/* digest_file() - of all of @fd.  Return: 0 or -errno */
int digest_file(int fd, struct digest *d);

#endif
