/* SPDX-License-Identifier: Apache-2.0 */
/* release - what `uname -r` will say in a guest, found in the kernel's file. */
#include "boot/release.h"

#include <string.h>

#include "boot/kernel_arch.h"
#include "boot/kernel_bytes.h"
#include "boot/uki.h"

/* boot.rst, "kernel_version": a text at 0x200 and what this says, which begins with the release */
#define RELEASE_HEADER_AT 0x20e
#define RELEASE_HEADER    0x200
/* Linux' init/version.c begins its banner so */
static const char release_banner[] = "Linux version ";

/* A word of @text, which has @n bytes.  Return: is it one, and does it begin as releases do? */
static bool release_take(const char *text, size_t n, char release[RELEASE_MAX])
{
	size_t len = 0;

	while (len < n && len < RELEASE_MAX && text[len] > ' ' && text[len] < 0x7f)
		len++;
	if (len == 0 || len == n || len == RELEASE_MAX || text[0] < '0' || text[0] > '9')
		return false;
	memcpy(release, text, len);
	release[len] = '\0';
	return true;
}

static bool release_of_header(const struct kernel_file *f, char release[RELEASE_MAX])
{
	char text[RELEASE_MAX];
	uint16_t at;
	long n;

	if (memcmp(f->head + 0x202, "HdrS", 4) != 0)
		return false;
	memcpy(&at, f->head + RELEASE_HEADER_AT, sizeof(at));
	if (!at)
		return false;
	n = boot_file_read(&f->file, text, sizeof(text), (uint64_t)at + RELEASE_HEADER);
	return n > 0 && release_take(text, (size_t)n, release);
}

/* The same words are in formats and messages, with something else behind them */
static bool release_find(const uint8_t *kernel, size_t n, char release[RELEASE_MAX])
{
	const size_t len = sizeof(release_banner) - 1;
	const uint8_t *at = kernel, *end = kernel + n;

	while ((at = memmem(at, (size_t)(end - at), release_banner, len))) {
		at += len;
		if (release_take((const char *)at, (size_t)(end - at), release))
			return true;
	}
	return false;
}

static bool release_search(const struct kernel_file *f, char release[RELEASE_MAX])
{
	size_t n;
	uint8_t *kernel = kernel_bytes(f, &n);
	bool found = kernel && release_find(kernel, n, release);

	kernel_bytes_free(kernel);
	return found;
}

bool kernel_release(const struct kernel_file *f, char release[RELEASE_MAX])
{
	struct kernel_file inner = *f;
	struct err ignored; /* a damaged image is refused by its loader */

	if (uki_is(f) && uki_enter(&inner, 0, &ignored) < 0)
		return false;
	return release_of_header(&inner, release) || release_search(&inner, release);
}
