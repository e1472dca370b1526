/* SPDX-License-Identifier: Apache-2.0 */
/* wrapped - bytes in gzip or zstd, as kernels lie in their files. */
#ifndef MICROVM_TESTS_WRAPPED_H
#define MICROVM_TESTS_WRAPPED_H

#include <check.h>
#include <stdint.h>
#include <zlib.h>
#include <zstd.h>

/* Bytes with room for what they are wrapped in */
struct wrapped {
	size_t len;
	uint8_t bytes[512 * 1024];
};

static inline void wrap_gzip(struct wrapped *w, const void *data, size_t len)
{
	z_stream z = {0};

	ck_assert_int_eq(deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY),
			 Z_OK);
	z.next_in = (z_const Bytef *)(uintptr_t)data;
	z.avail_in = (uInt)len;
	z.next_out = w->bytes;
	z.avail_out = sizeof(w->bytes);
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	w->len = sizeof(w->bytes) - z.avail_out;
	deflateEnd(&z);
}

static inline void wrap_zstd(struct wrapped *w, const void *data, size_t len)
{
	w->len = ZSTD_compress(w->bytes, sizeof(w->bytes), data, len, 3);
	ck_assert(!ZSTD_isError(w->len));
}

#endif
