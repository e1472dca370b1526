/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz - what fuzz targets share: the entry point's prototype and a reader of their input. */
#ifndef MICROVM_TESTS_FUZZ_H
#define MICROVM_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A target's one function; libFuzzer or replay.c calls it.  It returns 0, leaves nothing
 * behind that a later run could see, and finds a bug by dying: of a sanitizer, a BUG_ON() of
 * ours or a fuzz_check().
 */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Input, eaten from the front; zeroes when it has ended */
struct fuzz_in {
	const uint8_t *p;
	size_t n;
};

static inline void fuzz_bytes(struct fuzz_in *in, void *dst, size_t len)
{
	size_t n = len < in->n ? len : in->n;

	memset(dst, 0, len);
	if (n)
		memcpy(dst, in->p, n);
	in->p += n;
	in->n -= n;
}

static inline uint8_t fuzz_u8(struct fuzz_in *in)
{
	uint8_t v;

	fuzz_bytes(in, &v, sizeof(v));
	return v;
}

static inline uint16_t fuzz_u16(struct fuzz_in *in)
{
	uint16_t v;

	fuzz_bytes(in, &v, sizeof(v));
	return v;
}

static inline uint32_t fuzz_u32(struct fuzz_in *in)
{
	uint32_t v;

	fuzz_bytes(in, &v, sizeof(v));
	return v;
}

static inline uint64_t fuzz_u64(struct fuzz_in *in)
{
	uint64_t v;

	fuzz_bytes(in, &v, sizeof(v));
	return v;
}

/* fuzz_check() - what must hold whatever the input is */
#define fuzz_check(x)                                                                 \
	do {                                                                          \
		if (!(x)) {                                                           \
			(void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
			abort();                                                      \
		}                                                                     \
	} while (0)

#endif
