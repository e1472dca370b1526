/* SPDX-License-Identifier: Apache-2.0 */
/* unpack - decompress a part of a file, never beyond the given room. */
#ifndef MICROVM_BOOT_UNPACK_H
#define MICROVM_BOOT_UNPACK_H

#include <stdint.h>

/* An unpacker decompresses @len bytes at @src to @dst.
 * Return: bytes written, at most @room; -EFBIG if there is more data; -EBADMSG if the data is
 * damaged or cut off; -ENOMEM
 */
typedef int64_t unpacker(const uint8_t *src, uint64_t len, uint8_t *dst, uint64_t room);

unpacker unpack_gzip; /* data after the stream is ignored */
unpacker unpack_zstd; /* frames must fill the part; built where kernels use it */

/* unpack() - run @how over bytes [@off, @off + @len) of @fd, which the file has.
 * Return: as @how, or another -errno if the file fails
 */
int64_t unpack(unpacker *how, int fd, uint64_t off, uint64_t len, uint8_t *dst,
	       uint64_t room);

#endif
