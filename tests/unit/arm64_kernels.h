/* SPDX-License-Identifier: Apache-2.0 */
/* arm64_kernels - Images made in memory, bare and in their wrappings. */
#ifndef MICROVM_TESTS_ARM64_KERNELS_H
#define MICROVM_TESTS_ARM64_KERNELS_H

#include "tests/unit/boot_files.h"
#include "tests/unit/wrapped.h"
#include "vmm/core/layout_arm64.h"

#define IMG_LEN  (96 * 1024) /* in the file */
#define IMG_SIZE 0x200000    /* in memory */

/* As in booting.rst; what follows tells its own offset */
struct img {
	uint32_t code[2];
	uint64_t text_offset, image_size, flags, reserved[3];
	uint8_t magic[4];
	uint32_t pe;
	uint32_t rest[(IMG_LEN - 64) / 4];
};
_Static_assert(sizeof(struct img) == IMG_LEN, "no holes");

static inline void img_init(struct img *i)
{
	*i = (struct img){.code = {0xfa405a4d}, /* "MZ": an instruction without effect */
			  .image_size = IMG_SIZE,
			  .flags = 1 << 1 | 1 << 3, /* 4 KiB pages, anywhere */
			  .magic = "ARM\x64"};
	for (uint32_t k = 0; k < ARRAY_SIZE(i->rest); k++)
		i->rest[k] = 64 + 4 * k;
}

/* What is wrapped already, in an EFI zboot wrapper of 4 KiB and a few bytes at its end */
#define ZBOOT_PAYLOAD 4096
#define ZBOOT_TAIL    4

static inline void wrap_zboot(struct wrapped *w, const char *compression)
{
	uint32_t at = ZBOOT_PAYLOAD, len = (uint32_t)w->len;

	ck_assert_uint_le(w->len + ZBOOT_PAYLOAD + ZBOOT_TAIL, sizeof(w->bytes));
	memmove(w->bytes + ZBOOT_PAYLOAD, w->bytes, w->len);
	memset(w->bytes, 0, ZBOOT_PAYLOAD);
	memcpy(w->bytes, "MZ\0\0zimg", 8);
	memcpy(w->bytes + 8, &at, 4);
	memcpy(w->bytes + 12, &len, 4);
	memcpy(w->bytes + 24, compression, strlen(compression));
	memcpy(w->bytes + 0x38, "\xcd\x23\x82\x81", 4);
	w->len += ZBOOT_PAYLOAD;
	memset(w->bytes + w->len, 0xee, ZBOOT_TAIL);
	w->len += ZBOOT_TAIL;
}

static inline void arm64_ram_init(struct gmem *m, uint64_t mib)
{
	struct err e;

	gmem_init(m, false);
	ck_assert_int_eq(gmem_add(m, LAYOUT_RAM, mib * MIB, &e), 0);
}

#endif
