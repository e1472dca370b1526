/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk_sector - a disk whose guest sees another block size than the host's.
 *
 * Larger ones only need to be told to the guest. For smaller ones this is an engine on top of
 * another: whole blocks go there as they are; a part of one is read, changed and written back,
 * while no other request may change that block.
 */
#ifndef MICROVM_BACKEND_DISK_SECTOR_H
#define MICROVM_BACKEND_DISK_SECTOR_H

#include "devices/backend/disk_engine.h"

/* disk_sector_fit() - give @d, which is open and not started, blocks of @want bytes (512 or 4096;
 * 0: the size that its partition table or file system was made for, else the host's).
 * Return: @d or one that owns it; NULL with a sentence in @e, and @d is closed
 */
struct disk *disk_sector_fit(struct disk *d, uint32_t want, struct err *e);

/* disk_sector_create() - a disk with blocks of @block bytes on @under, which has larger ones.
 * Return: it owns @under; NULL with a sentence in @e, and @under is closed
 */
struct disk *disk_sector_create(struct disk *under, uint32_t block, struct err *e);

/* disk_table_sector() - what block size a disk of @size bytes, which begins with the @len bytes
 * of @p, was made for. Return: 512, 4096, or 0: unknown
 */
uint32_t disk_table_sector(const uint8_t *p, size_t len, uint64_t size);
#define DISK_TABLE_LEN 40960 /* the bytes that it uses */

#endif
