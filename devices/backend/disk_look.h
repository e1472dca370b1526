/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk_look - what a file given as a disk looks like: every format that qemu-img can name, and
 * the archives and compressions that such files come in. It only reports; disk_image.h says what
 * decides.
 */
#ifndef MICROVM_BACKEND_DISK_LOOK_H
#define MICROVM_BACKEND_DISK_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/core/config.h"
#include "vmm/core/err.h"

/* Enough for each header and for the text within a VMDK that names its parent */
#define DISK_LOOK_HEAD   16384
#define DISK_LOOK_TAIL   512
#define DISK_LOOK_MEMBER 100

struct disk_look {
	_Alignas(4096) uint8_t
		head[DISK_LOOK_HEAD + 1]; /* NUL at the end; the file may be O_DIRECT */
	size_t len;
	uint8_t tail[DISK_LOOK_TAIL]; /* the file's last sector */
	bool has_tail;
	uint64_t size;                     /* of the file; 0: it has none */
	char member[DISK_LOOK_MEMBER + 1]; /* of an archive: a disk in it, or "" */
};

/* disk_look_read() - read @fd, which may be of any kind.  Return: 0 or -errno */
int disk_look_read(int fd, struct disk_look *l);
/* disk_look_has() - are the @len bytes at @off those of @what? */
bool disk_look_has(const struct disk_look *l, size_t off, const void *what, size_t len);
/* disk_look_be(), disk_look_le() - a number of @size bytes at @off, within the head */
uint64_t disk_look_be(const struct disk_look *l, size_t off, unsigned int size);
uint64_t disk_look_le(const struct disk_look *l, size_t off, unsigned int size);

/* disk_look_format() - DISK_FORMAT_RAW if it looks like no known format */
enum disk_format disk_look_format(const struct disk_look *l);
/* disk_look_cure() - in @to: what to do with @path, a file of format @f that we do not serve.
 * Return: false, we do serve it
 */
bool disk_look_cure(const struct disk_look *l, enum disk_format f, const char *path,
		    char *to, size_t size);
/* disk_look_check() - can @path, which looks as @f should, be served, as @readonly says?
 * Return: 0, or -errno with a sentence in @e
 */
int disk_look_check(const struct disk_look *l, enum disk_format f, const char *path,
		    bool readonly, struct err *e);

#endif
