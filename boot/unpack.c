/* SPDX-License-Identifier: Apache-2.0 */
/* unpack - decompress a part of a file, never beyond the given room. */
#include "boot/unpack.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <zlib.h>

#include "vmm/core/util.h"

#define UNPACK_STEP      GIB       /* zlib counts in 32 bits */
#define UNPACK_GZIP_BITS (15 + 16) /* the largest window; a gzip header, no other */

int64_t unpack_gzip(const uint8_t *src, uint64_t len, uint8_t *dst, uint64_t room)
{
	z_stream z = {0};
	uint64_t in = 0, out = 0;
	int rc;

	if (inflateInit2(&z, UNPACK_GZIP_BITS) != Z_OK)
		return -ENOMEM;
	do {
		uInt in_now = (uInt)MIN(len - in, UNPACK_STEP);
		uInt out_now = (uInt)MIN(room - out, UNPACK_STEP);

		z.next_in = (z_const Bytef *)(src + in);
		z.avail_in = in_now;
		z.next_out = dst + out;
		z.avail_out = out_now;
		rc = inflate(&z, Z_NO_FLUSH);
		in += in_now - z.avail_in;
		out += out_now - z.avail_out;
	} while (rc == Z_OK);
	inflateEnd(&z);
	if (rc == Z_STREAM_END)
		return (int64_t)out;
	if (rc == Z_MEM_ERROR)
		return -ENOMEM;
	/* Z_BUF_ERROR: no progress, for lack of room or of input */
	return rc == Z_BUF_ERROR && out == room ? -EFBIG : -EBADMSG;
}

const struct packing *packing_of(const uint8_t *head)
{
	static const struct packing ways[] = {
		{3, "\x1f\x8b\x08", "Image.gz", unpack_gzip},
		{4, "\x28\xb5\x2f\xfd", "Image.zst", unpack_zstd},
		{6,
		 "\xfd"
		 "7zXZ",
		 "Image.xz", unpack_xz},
		{3, "\x5d\0\0", "Image.lzma", unpack_xz},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(ways); i++)
		if (!memcmp(head, ways[i].magic, ways[i].magic_len))
			return &ways[i];
	return NULL;
}

int64_t unpack(unpacker *how, const struct boot_file *f, uint64_t off, uint64_t len,
	       uint8_t *dst, uint64_t room)
{
	/* From the file's start, whatever the size of the host's pages */
	uint64_t start = f->at + off;
	uint8_t *map = mmap(NULL, start + len, PROT_READ, MAP_PRIVATE, f->fd, 0);
	int64_t n;

	if (map == MAP_FAILED)
		return -errno;
	n = how(map + start, len, dst, room);
	munmap(map, start + len);
	return n;
}
