/* SPDX-License-Identifier: Apache-2.0 */
/* ikconfig - the configuration that a kernel with CONFIG_IKCONFIG=y carries inside. */
#include "boot/ikconfig.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "boot/kernel_bytes.h"
#include "boot/unpack.h"
#include "boot/uki.h"
#include "vmm/core/util.h"

/* Linux' kernel/configs.c: a marker, then the text in gzip, whose header follows at once */
#define IKCONFIG_MARK     "IKCFG_ST"
#define IKCONFIG_MARK_LEN 8
static const char ikconfig_begin[] = IKCONFIG_MARK "\x1f\x8b\x08";

static char *ikconfig_find(const uint8_t *kernel, size_t len, size_t max)
{
	const uint8_t *at =
		memmem(kernel, len, ikconfig_begin, sizeof(ikconfig_begin) - 1);
	char *text = at ? malloc(max + 1) : NULL;
	int64_t n;

	if (!text)
		return NULL;
	at += IKCONFIG_MARK_LEN;
	n = unpack_gzip(at, (uint64_t)(kernel + len - at), (uint8_t *)text, max);
	if (n < 0) {
		free(text);
		return NULL;
	}
	text[n] = '\0';
	return text;
}

char *ikconfig_read(const struct kernel_file *f, size_t max)
{
	struct kernel_file inner = *f;
	struct err ignored; /* a damaged image has no configuration */
	uint8_t *kernel;
	char *text;
	size_t n;

	if (uki_is(f))
		(void)uki_enter(&inner, 0, &ignored);
	kernel = kernel_bytes(&inner, &n);
	text = kernel ? ikconfig_find(kernel, n, max) : NULL;
	kernel_bytes_free(kernel);
	return text;
}
