/* SPDX-License-Identifier: Apache-2.0 */
/*
 * squash_zstd - the compressor of squash: zstd, in one context for each thread.
 *
 * The library's own would bring all its other compressors along, and makes a context for each block.
 */
#include "vmm/image/squash_impl.h"

#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "vmm/core/util.h"

#define PACK_LEVEL \
	1 /* against 3: a twelfth less processor time to import, 3% more bytes */

struct packer {
	sqfs_compressor_t base;
	bool unpacks;
	ZSTD_CCtx *pack;
	ZSTD_DCtx *unpack;
};

static struct packer *packer_of(const void *p)
{
	return (struct packer *)(uintptr_t)p; /* @base comes first */
}

static void packer_destroy(sqfs_object_t *o)
{
	struct packer *p = packer_of(o);

	(void)ZSTD_freeCCtx(p->pack);
	(void)ZSTD_freeDCtx(p->unpack);
	free(p);
}

static sqfs_object_t *packer_copy(const sqfs_object_t *o)
{
	return (sqfs_object_t *)squash_packer(packer_of(o)->unpacks);
}

static void packer_says(const sqfs_compressor_t *c, sqfs_compressor_config_t *cfg)
{
	*cfg = (sqfs_compressor_config_t){
		.id = SQFS_COMP_ZSTD,
		.flags = packer_of(c)->unpacks ? SQFS_COMP_FLAG_UNCOMPRESS : 0,
		.block_size = SQFS_DEFAULT_BLOCK_SIZE,
		.level = PACK_LEVEL};
}

/* The kernel needs none: unpacking needs no level */
static int packer_options(sqfs_compressor_t *c, sqfs_file_t *f)
{
	(void)c, (void)f;
	return 0;
}

/* Return: bytes written; 0, it does not get smaller; or an error of the library's */
static sqfs_s32 packer_block(sqfs_compressor_t *c, const sqfs_u8 *in, sqfs_u32 size,
			     sqfs_u8 *out, sqfs_u32 outsize)
{
	struct packer *p = packer_of(c);
	size_t n;

	if (p->unpacks)
		n = ZSTD_decompressDCtx(p->unpack, out, outsize, in, size);
	else
		n = ZSTD_compressCCtx(p->pack, out, outsize, in, size, PACK_LEVEL);
	if (!ZSTD_isError(n))
		return p->unpacks || n < size ? (sqfs_s32)n : 0;
	if (!p->unpacks && ZSTD_getErrorCode(n) == ZSTD_error_dstSize_tooSmall)
		return 0;
	return SQFS_ERROR_COMPRESSOR;
}

sqfs_compressor_t *squash_packer(bool unpacks)
{
	struct packer *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->unpacks = unpacks;
	p->base = (sqfs_compressor_t){.base = {packer_destroy, packer_copy},
				      .get_configuration = packer_says,
				      .write_options = packer_options,
				      .read_options = packer_options,
				      .do_block = packer_block};
	if (unpacks)
		p->unpack = ZSTD_createDCtx();
	else
		p->pack = ZSTD_createCCtx();
	if (p->unpack || p->pack)
		return &p->base;
	free(p);
	return NULL;
}
