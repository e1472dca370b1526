/* SPDX-License-Identifier: Apache-2.0 */
/* ikconfig - a configuration as a kernel carries it (Linux' kernel/configs.c). */
#ifndef MICROVM_TESTS_IKCONFIG_H
#define MICROVM_TESTS_IKCONFIG_H

#include <check.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

#define IKC_TEXT                                                    \
	"#\n# Automatically generated file; DO NOT EDIT.\n"         \
	"# Linux/x86 6.1.0 Kernel Configuration\n#\nCONFIG_SMP=y\n" \
	"# CONFIG_FUSE_FS is not set\n"

#define IKC_MAX     (32 * 1024)
#define IKC_END_LEN 8

struct ikc {
	size_t len;
	uint8_t bytes[IKC_MAX];
};

static inline struct ikc ikc_of(const char *text, size_t len)
{
	static struct ikc i;
	z_stream z = {0};

	memcpy(i.bytes, "IKCFG_ST", 8);
	ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY),
			 Z_OK);
	z.next_in = (z_const Bytef *)(uintptr_t)text;
	z.avail_in = (uInt)len;
	z.next_out = i.bytes + 8;
	z.avail_out = IKC_MAX - 8 - IKC_END_LEN;
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	i.len = (size_t)(z.next_out - i.bytes);
	deflateEnd(&z);
	memcpy(i.bytes + i.len, "IKCFG_ED", IKC_END_LEN);
	i.len += IKC_END_LEN;
	return i;
}

#endif
