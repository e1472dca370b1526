/* SPDX-License-Identifier: Apache-2.0 */
/* wrapped - bytes in gzip, zstd, xz or lzma, as kernels lie in their files. */
#ifndef MICROVM_TESTS_WRAPPED_H
#define MICROVM_TESTS_WRAPPED_H

#include <check.h>
#include <lzma.h>
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

static inline void wrap_xz(struct wrapped *w, const void *data, size_t len)
{
	w->len = 0;
	ck_assert_int_eq(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, NULL, data, len,
						 w->bytes, &w->len, sizeof(w->bytes)),
			 LZMA_OK);
}

static inline void wrap_lzma(struct wrapped *w, const void *data, size_t len)
{
	lzma_stream z = LZMA_STREAM_INIT;
	lzma_options_lzma options;

	ck_assert(!lzma_lzma_preset(&options, 1));
	ck_assert_int_eq(lzma_alone_encoder(&z, &options), LZMA_OK);
	z.next_in = data;
	z.avail_in = len;
	z.next_out = w->bytes;
	z.avail_out = sizeof(w->bytes);
	ck_assert_int_eq(lzma_code(&z, LZMA_FINISH), LZMA_STREAM_END);
	w->len = z.total_out;
	lzma_end(&z);
}

/* The four, and how a file of each is called */
#define WRAPS 4
static inline void wrap(struct wrapped *w, int how, const void *data, size_t len)
{
	void (*const wraps[WRAPS])(struct wrapped *, const void *,
				   size_t) = {wrap_gzip, wrap_zstd, wrap_xz, wrap_lzma};

	wraps[how](w, data, len);
}
static const char *const wrap_suffix[WRAPS]
	__attribute__((unused)) = {"gz", "zst", "xz", "lzma"};

#endif
