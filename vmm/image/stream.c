/* SPDX-License-Identifier: Apache-2.0 */
/* stream - gzip and zstd, or neither. */
#include "vmm/image/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/util.h"

#define STREAM_RAW ((size_t)128 << 10)
#define STREAM_OUT ((size_t)256 << 10)
#define GZIP_BITS  (15 + 16) /* gzip alone, any window */

static int out_of_memory(struct err *e)
{
	return err_set(e, ENOMEM, "no memory to unpack a layer");
}

static int broken(struct err *e, const char *how)
{
	return err_set(e, EBADMSG, "its compressed bytes are %s; fetch the image again",
		       how);
}

/* Read on, once all that was read is unpacked.  Return: bytes there are now, or -errno in @e */
static long fill(struct stream *s, struct err *e)
{
	size_t want = (size_t)MIN(s->blob.size - s->taken, (uint64_t)STREAM_RAW);
	long n;

	if (s->in.pos < s->in.size)
		return (long)(s->in.size - s->in.pos);
	n = pread_full(s->blob.fd, s->raw, want, s->blob.at + s->taken);
	if (n < 0)
		return err_set(e, (int)-n, "it cannot be read: %s", strerror((int)-n));
	if ((size_t)n < want)
		return broken(e, "cut off");
	digest_add(&s->packed, s->raw, (size_t)n);
	s->taken += (uint64_t)n;
	s->in = (ZSTD_inBuffer){.src = s->raw, .size = (size_t)n};
	return n;
}

static enum packing recognise(const uint8_t *p, size_t n)
{
	if (n >= 2 && p[0] == 0x1f && p[1] == 0x8b)
		return PACKING_GZIP;
	if (n >= 4 && memcmp(p, "\x28\xb5\x2f\xfd", 4) == 0)
		return PACKING_ZSTD;
	return PACKING_NONE;
}

int stream_open(struct stream *s, const struct blob *blob, enum packing packing,
		struct err *e)
{
	*s = (struct stream){.blob = *blob, .packing = packing};
	digest_begin(&s->packed);
	digest_begin(&s->plain);
	s->raw = calloc(1, STREAM_RAW);
	s->out = malloc(STREAM_OUT);
	if (!s->raw || !s->out)
		return out_of_memory(e);
	if (packing == PACKING_UNKNOWN) {
		long n = fill(s, e);

		if (n < 0)
			return (int)n;
		s->packing = recognise(s->raw, (size_t)n);
	}
	if (s->packing == PACKING_GZIP && inflateInit2(&s->zlib, GZIP_BITS) != Z_OK)
		return out_of_memory(e);
	if (s->packing == PACKING_ZSTD && !(s->zstd = ZSTD_createDStream()))
		return out_of_memory(e);
	return 0;
}

void stream_close(struct stream *s)
{
	if (s->packing == PACKING_GZIP)
		(void)inflateEnd(&s->zlib);
	(void)ZSTD_freeDStream(s->zstd);
	free(s->raw);
	free(s->out);
	s->zstd = NULL;
	s->raw = s->out = NULL;
}

/* Unpack some.  Return: bytes in @s->out, or -errno in @e */
static long next_gzip(struct stream *s, struct err *e)
{
	int rc;

	s->zlib.next_in = (uint8_t *)(uintptr_t)s->in.src + s->in.pos;
	s->zlib.avail_in = (uInt)(s->in.size - s->in.pos);
	s->zlib.next_out = s->out;
	s->zlib.avail_out = (uInt)STREAM_OUT;
	/* one member may follow another */
	if (!s->begun && inflateReset(&s->zlib) != Z_OK)
		return out_of_memory(e);
	s->begun = true;
	rc = inflate(&s->zlib, Z_NO_FLUSH);
	s->in.pos = s->in.size - s->zlib.avail_in;
	if (rc == Z_STREAM_END)
		s->begun = false;
	else if (rc != Z_OK && rc != Z_BUF_ERROR)
		return rc == Z_MEM_ERROR ? out_of_memory(e) : broken(e, "no gzip");
	return (long)(STREAM_OUT - s->zlib.avail_out);
}

static long next_zstd(struct stream *s, struct err *e)
{
	ZSTD_outBuffer out = {.dst = s->out, .size = STREAM_OUT};
	size_t rc = ZSTD_decompressStream(s->zstd, &out, &s->in);

	if (ZSTD_isError(rc))
		return broken(e, "no zstd");
	s->begun = rc != 0;
	return (long)out.pos;
}

static long next_plain(struct stream *s)
{
	long n = (long)(s->in.size - s->in.pos);

	memcpy(s->out, (const uint8_t *)s->in.src + s->in.pos, (size_t)n);
	s->in.pos = s->in.size;
	return n;
}

static long unpack(struct stream *s, struct err *e)
{
	switch (s->packing) {
	case PACKING_GZIP:
		return next_gzip(s, e);
	case PACKING_ZSTD:
		return next_zstd(s, e);
	case PACKING_NONE:
	case PACKING_UNKNOWN:
	default:
		return next_plain(s);
	}
}

long stream_next(struct stream *s, const void **p, struct err *e)
{
	for (;;) {
		bool end = s->taken == s->blob.size && s->in.pos == s->in.size;
		long n;

		/* at the end of what is read there may be more to come out of what is unpacked */
		if (end && !s->begun)
			return 0;
		if (!end) {
			n = fill(s, e);
			if (n < 0)
				return n;
		}
		n = unpack(s, e);
		if (n == 0 && end)
			return broken(e, "cut off");
		if (n < 0)
			return n;
		if (n > 0) {
			digest_add(&s->plain, s->out, (size_t)n);
			*p = s->out;
			return n;
		}
	}
}
