/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk_table - the block size that the content of a disk was made for. A table counts in blocks,
 * and some file systems cannot be mounted if blocks are larger than theirs. Nothing else depends
 * on what a guest wrote there.
 */
#include "devices/backend/disk_sector.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/backend/overlay.h"
#include "vmm/core/shell.h"
#include "vmm/core/util.h"

#define TABLE_SMALL UINT32_C(512)
#define TABLE_LARGE UINT32_C(4096)

static uint64_t table_le(const uint8_t *p, unsigned int n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | p[n];
	return v;
}

/* A header in block 1 (UEFI 2.10, 5.3.2) with its own place in it, and a second header */
static bool table_gpt(const uint8_t *p, uint64_t size, uint32_t block)
{
	p += block;
	return memcmp(p, "EFI PART", 8) == 0 && table_le(p + 24, 8) == 1 &&
	       table_le(p + 32, 8) < size / block;
}

/* Four partitions, or fewer. If one of them ends past the last large block, it was counted in
 * small ones; else the size is unknown.
 */
static uint32_t table_mbr(const uint8_t *p, uint64_t size)
{
	uint64_t last = 0;

	for (const uint8_t *e = p + 446; e < p + 510; e += 16) {
		if (e[0] & 0x7f)
			return 0; /* neither active nor inactive: no table */
		if (e[4] && e[4] != 0xee)
			last = MAX(last, table_le(e + 8, 4) + table_le(e + 12, 4));
	}
	return last > size / TABLE_LARGE && last <= size / TABLE_SMALL ? TABLE_SMALL : 0;
}

static bool table_is_fat(const uint8_t *p)
{
	uint64_t sector = table_le(p + 11, 2);

	return (p[0] == 0xeb || p[0] == 0xe9) && p[16] && p[16] <= 2 &&
	       (sector == TABLE_SMALL || sector == TABLE_LARGE);
}

/* File systems that use the whole disk, with blocks or sectors smaller than 4096 */
static uint32_t table_file_system(const uint8_t *p)
{
	bool xfs = memcmp(p, "XFSB", 4) == 0 && p[102] == 2 && p[103] == 0;
	bool ext = p[1080] == 0x53 && p[1081] == 0xef && table_le(p + 1048, 4) < 2;
	bool iso = memcmp(p + 32769, "CD001", 5) == 0;

	return xfs || ext || iso ? TABLE_SMALL : 0;
}

uint32_t disk_table_sector(const uint8_t *p, size_t len, uint64_t size)
{
	bool small, large;

	if (len < DISK_TABLE_LEN)
		return 0;
	small = table_gpt(p, size, TABLE_SMALL);
	large = table_gpt(p, size, TABLE_LARGE);
	if (small || large)
		return small && large ? 0 : small ? TABLE_SMALL : TABLE_LARGE;
	if (p[510] == 0x55 && p[511] == 0xaa) {
		if (table_is_fat(p))
			return (uint32_t)table_le(p + 11, 2);
		if (table_mbr(p, size))
			return TABLE_SMALL;
	}
	return table_file_system(p);
}

/* ---- the disk's blocks ---- */

static uint32_t table_of_disk(const struct disk *d)
{
	/* on the stack: one on the heap for each disk leaves holes in it, 40 KiB each */
	_Alignas(PAGE_SIZE) uint8_t p[DISK_TABLE_LEN];
	uint64_t off = 0;
	int fd = d->fd >= 0 ? d->fd : overlay_first(d, &off);
	long n = pread_full(fd, p, DISK_TABLE_LEN, off);

	return n > 0 ? disk_table_sector(p, (size_t)n, d->size) : 0;
}

struct disk *disk_sector_fit(struct disk *d, uint32_t want, struct err *e)
{
	uint32_t block = want ? want : table_of_disk(d);

	if (!block || block == d->block)
		return d;
	if (block < d->block)
		return disk_sector_create(d, block, e);
	if (d->size % block == 0) {
		d->block = block;
		d->physical = MAX(d->physical, block);
		d->io_min = MAX(d->io_min, block);
		return d;
	}
	if (!want)
		return d; /* the table alone asked for it */
	err_set(e, EINVAL,
		"disk %s has %llu bytes, not a multiple of block-size=%u; pad it: truncate -s "
		"%%%u %s",
		d->path, (unsigned long long)d->size, block, block, SHELL_WORD(d->path));
	disk_close(d);
	return NULL;
}
