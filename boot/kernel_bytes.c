/* SPDX-License-Identifier: Apache-2.0 */
/* kernel_bytes - a kernel as it is in memory, to be searched. */
#include "boot/kernel_bytes.h"

#include <errno.h>
#include <sys/mman.h>

#include "boot/kernel_arch.h"

/* Untouched pages cost nothing.  Return: NULL: there is no memory */
static uint8_t *room_make(void)
{
	void *p = mmap(NULL, KERNEL_BYTES_MAX, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void kernel_bytes_free(uint8_t *bytes)
{
	if (bytes)
		munmap(bytes, KERNEL_BYTES_MAX);
}

/* Read, not mapped: a jail has no call for that. Return: length of what @p is unpacked to; -errno */
static int64_t bytes_unpack(const struct kernel_file *f, const struct kernel_payload *p,
			    uint8_t *dst)
{
	uint8_t *src = p->len <= KERNEL_BYTES_MAX ? room_make() : NULL;
	int64_t n = src ? boot_file_read(&f->file, src, p->len, p->off) : -ENOMEM;

	if (n >= 0)
		n = p->how(src, (uint64_t)n, dst, KERNEL_BYTES_MAX);
	kernel_bytes_free(src);
	return n;
}

uint8_t *kernel_bytes(const struct kernel_file *f, size_t *n)
{
	uint8_t *room = room_make();
	struct kernel_payload p;
	int64_t got = 0;

	if (room && kernel_arch_payload(f, &p))
		got = bytes_unpack(f, &p, room);
	else if (room)
		got = boot_file_read(&f->file, room, KERNEL_BYTES_MAX, 0);
	*n = got > 0 ? (size_t)got : 0;
	if (*n)
		return room;
	kernel_bytes_free(room);
	return NULL;
}
