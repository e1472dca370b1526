/* SPDX-License-Identifier: Apache-2.0 */
/* unpack - decompress a part of a file, never beyond the given room. */
#ifndef MICROVM_BOOT_UNPACK_H
#define MICROVM_BOOT_UNPACK_H

#include <stddef.h>
#include <stdint.h>

#include "boot/file.h"

/* An unpacker decompresses @len bytes at @src to @dst.
 * Return: bytes written, at most @room; -EFBIG if there is more data; -EBADMSG if the data is
 * damaged or cut off; -ENOMEM
 */
typedef int64_t unpacker(const uint8_t *src, uint64_t len, uint8_t *dst, uint64_t room);

unpacker unpack_gzip; /* data after the stream is ignored */
unpacker unpack_zstd; /* frames must fill the part */
unpacker unpack_xz;   /* the older .lzma as well; data after the stream is ignored */

#define UNPACK_MAGIC_MAX 6

struct packing {
	uint8_t magic_len;
	char magic[UNPACK_MAGIC_MAX];
	const char *image; /* an arm64 Image so: "Image.gz" */
	unpacker *how;
};

/* packing_of() - in which of the ways above a file is packed that begins with the
 * UNPACK_MAGIC_MAX bytes @head.  Return: NULL: in none
 */
const struct packing *packing_of(const uint8_t *head);

/* unpack() - run @how over bytes [@off, @off + @len) of @f, which has them.
 * Return: as @how, or another -errno if the file fails
 */
int64_t unpack(unpacker *how, const struct boot_file *f, uint64_t off, uint64_t len,
	       uint8_t *dst, uint64_t room);

#endif
