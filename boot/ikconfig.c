/* SPDX-License-Identifier: Apache-2.0 */
/* ikconfig - the configuration that a kernel with CONFIG_IKCONFIG=y carries inside. */
#include "boot/ikconfig.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "boot/kernel_arch.h"
#include "boot/uki.h"
#include "vmm/core/util.h"

/* Linux' kernel/configs.c: a marker, then the text in gzip, whose header follows at once */
#define IKCONFIG_MARK     "IKCFG_ST"
#define IKCONFIG_MARK_LEN 8
static const char ikconfig_begin[] = IKCONFIG_MARK "\x1f\x8b\x08";

/* Untouched pages cost nothing.  Return: NULL: there is no memory */
static uint8_t *ikconfig_room(void)
{
	void *p = mmap(NULL, IKCONFIG_KERNEL_MAX, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void ikconfig_room_free(uint8_t *room)
{
	if (room)
		munmap(room, IKCONFIG_KERNEL_MAX);
}

/* Read, not mapped: a jail has no call for that. Return: length of what @p is unpacked to; -errno */
static int64_t ikconfig_unpack(const struct kernel_file *f,
			       const struct kernel_payload *p, uint8_t *dst)
{
	uint8_t *src = p->len <= IKCONFIG_KERNEL_MAX ? ikconfig_room() : NULL;
	int64_t n = src ? boot_file_read(&f->file, src, p->len, p->off) : -ENOMEM;

	if (n >= 0)
		n = p->how(src, (uint64_t)n, dst, IKCONFIG_KERNEL_MAX);
	ikconfig_room_free(src);
	return n;
}

/* Return: length of the kernel in @f, as it is in memory, at @dst; -errno */
static int64_t ikconfig_kernel(const struct kernel_file *f, uint8_t *dst)
{
	struct kernel_payload p;

	if (kernel_arch_payload(f, &p))
		return ikconfig_unpack(f, &p, dst);
	return boot_file_read(&f->file, dst, IKCONFIG_KERNEL_MAX, 0);
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

char *ikconfig_read(const struct kernel_file *f, size_t max)
{
	struct kernel_file inner = *f;
	struct err ignored; /* a damaged image has no configuration */
	uint8_t *room = ikconfig_room();
	char *text;
	int64_t n;

	if (uki_is(f))
		(void)uki_enter(&inner, 0, &ignored);
	n = room ? ikconfig_kernel(&inner, room) : 0;
	text = n > 0 ? ikconfig_find(room, (size_t)n, max) : NULL;
	ikconfig_room_free(room);
	return text;
}
