/* SPDX-License-Identifier: Apache-2.0 */
/* ikconfig - a configuration as a kernel carries it (Linux' kernel/configs.c). */
#ifndef MICROVM_TESTS_IKCONFIG_H
#define MICROVM_TESTS_IKCONFIG_H

#include <check.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

#include "boot/ikconfig.h"

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

/* What is found in the kernel @path, of @max bytes; NULL: nothing, or it is no kernel */
static inline char *ikc_read(const char *path, size_t max)
{
	struct kernel_file f;
	struct err e;
	char *text;

	if (kernel_open(&f, path, &e) < 0)
		return NULL;
	text = ikconfig_read(&f, max);
	kernel_close(&f);
	return text;
}

#endif
