/* SPDX-License-Identifier: Apache-2.0 */
/* unpack_xz - the unpacker for xz and for the .lzma files that were before it. */
#include "boot/unpack.h"

#include <errno.h>
#include <lzma.h>

#include "vmm/core/util.h"

/* The decoder's own memory holds the dictionary, which has 32 to 128 MiB in what Linux' own scripts
 * pack, and 64 in what `xz -9` does
 */
#define UNPACK_XZ_MEMORY (192 * MIB)

int64_t unpack_xz(const uint8_t *src, uint64_t len, uint8_t *dst, uint64_t room)
{
	lzma_stream z = LZMA_STREAM_INIT;
	uint64_t out;
	lzma_ret rc;

	if (lzma_auto_decoder(&z, UNPACK_XZ_MEMORY, 0) != LZMA_OK)
		return -ENOMEM;
	z.next_in = src;
	z.avail_in = len;
	z.next_out = dst;
	z.avail_out = room;
	do {
		rc = lzma_code(&z, LZMA_RUN);
	} while (rc == LZMA_OK);
	out = z.total_out;
	lzma_end(&z);
	if (rc == LZMA_STREAM_END)
		return (int64_t)out;
	if (rc == LZMA_MEM_ERROR || rc == LZMA_MEMLIMIT_ERROR)
		return -ENOMEM;
	/* LZMA_BUF_ERROR: no progress, for lack of room or of input */
	return rc == LZMA_BUF_ERROR && out == room ? -EFBIG : -EBADMSG;
}
