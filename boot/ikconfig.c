/* SPDX-License-Identifier: Apache-2.0 */
/* ikconfig - the configuration that a kernel with CONFIG_IKCONFIG=y carries inside. */
#include "boot/ikconfig.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "boot/kernel_arch.h"
#include "vmm/core/util.h"

/* Linux' kernel/configs.c: a marker, then the text in gzip, whose header follows at once */
#define IKCONFIG_MARK     "IKCFG_ST"
#define IKCONFIG_MARK_LEN 8
static const char ikconfig_begin[] = IKCONFIG_MARK "\x1f\x8b\x08";

/* Return: length of the kernel in @f, as it is in memory, at @dst; -errno */
static int64_t ikconfig_kernel(const struct kernel_file *f, uint8_t *dst)
{
	struct kernel_payload p;

	if (kernel_arch_payload(f, &p))
		return unpack(p.how, f->file.fd, p.off, p.len, dst, IKCONFIG_KERNEL_MAX);
	return pread_full(f->file.fd, dst, MIN(f->file.size, IKCONFIG_KERNEL_MAX), 0);
}

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

char *ikconfig_read(const char *path, size_t max)
{
	struct kernel_file f;
	struct err ignored;
	char *text = NULL;
	uint8_t *room;
	int64_t n;

	if (kernel_open(&f, path, &ignored) < 0)
		return NULL;
	/* Untouched pages cost nothing */
	room = mmap(NULL, IKCONFIG_KERNEL_MAX, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room != MAP_FAILED) {
		n = ikconfig_kernel(&f, room);
		if (n > 0)
			text = ikconfig_find(room, (size_t)n, max);
		munmap(room, IKCONFIG_KERNEL_MAX);
	}
	kernel_close(&f);
	return text;
}
