/* SPDX-License-Identifier: Apache-2.0 */
/* unpack_zstd - the unpacker for zstd, which is larger than all other unpackers. */
#include "boot/unpack.h"

#include <errno.h>
#include <zstd.h>
#include <zstd_errors.h>

/* In one call, because then the data already written is the window: a stream would need
 * up to 128 MiB of memory of its own for what Linux's zboot makes (zstd -22).
 */
int64_t unpack_zstd(const uint8_t *src, uint64_t len, uint8_t *dst, uint64_t room)
{
	size_t n = ZSTD_decompress(dst, room, src, len);

	if (!ZSTD_isError(n))
		return (int64_t)n;
	if (ZSTD_getErrorCode(n) == ZSTD_error_dstSize_tooSmall)
		return -EFBIG;
	if (ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation)
		return -ENOMEM;
	return -EBADMSG;
}
