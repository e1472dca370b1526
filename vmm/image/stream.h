/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream - a layer as bytes of tar: read, summed, unpacked, summed again.
 *
 * The compressors' input is a stranger's, so this runs in the process that is locked up (importer.h).
 */
#ifndef MICROVM_IMAGE_STREAM_H
#define MICROVM_IMAGE_STREAM_H

#include <stdint.h>
#include <zlib.h>
#include <zstd.h>

#include "vmm/core/err.h"
#include "vmm/image/digest.h"

enum packing {
	PACKING_NONE,
	PACKING_GZIP,
	PACKING_ZSTD,
	PACKING_UNKNOWN, /* told by its first bytes */
};

/* Bytes of a file */
struct blob {
	int fd;
	uint64_t at, size;
};

struct stream {
	struct blob blob;
	enum packing packing;
	uint64_t taken; /* of @blob */
	struct digest_sum packed, plain;
	z_stream zlib;
	ZSTD_DStream *zstd;
	ZSTD_inBuffer in; /* what was read and not unpacked */
	bool begun;       /* a frame or member has begun and has not ended */
	uint8_t *raw, *out;
};

/* stream_open() - @blob, whose descriptor stays the caller's.  Return: 0, or -errno in @e;
 * stream_close() in either case
 */
int stream_open(struct stream *s, const struct blob *blob, enum packing packing,
		struct err *e);
void stream_close(struct stream *s);
/* stream_next() - some bytes, at *@p until the next call.  Return: how many; 0: that was all, and both
 * sums are complete; -errno in @e
 */
long stream_next(struct stream *s, const void **p, struct err *e);

#endif
