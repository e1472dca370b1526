/* SPDX-License-Identifier: Apache-2.0 */
/* unpack - decompress a part of a file, never into more than the room there is. */
#ifndef MICROVM_BOOT_UNPACK_H
#define MICROVM_BOOT_UNPACK_H

#include <stdint.h>

enum unpack_format { UNPACK_GZIP, UNPACK_ZSTD };

/* unpack() - decompress bytes [@off, @off + @len) of @fd, which the file has, to @dst.
 * What follows a gzip stream is ignored; zstd frames must fill their part of the file.
 * Return: bytes written, at most @room; -EFBIG if there is more; -EBADMSG if the data is
 * damaged or cut off; another -errno if the file or memory fails
 */
int64_t unpack(enum unpack_format format, int fd, uint64_t off, uint64_t len,
	       uint8_t *dst, uint64_t room);

#endif
