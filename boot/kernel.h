/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel - a kernel file, recognised by its content, and the facts found while loading it.
 *
 * The file is the operator's but may hold anything: every number in it is checked before use, and
 * no allocation or loop depends on a size that it states.
 */
#ifndef MICROVM_BOOT_KERNEL_H
#define MICROVM_BOOT_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/boot.h"
#include "boot/file.h"
#include "vmm/core/err.h"
#include "vmm/core/gmem.h"

#define KERNEL_HEAD_LEN 1024

struct kernel_file {
	struct boot_file file;
	uint8_t head
		[KERNEL_HEAD_LEN]; /* its first bytes; zero past the end of the file */
	size_t head_len;
	bool unpacked; /* @file is in memory, unpacked by us */
	/* Of a unified kernel image, once it is unwrapped; its descriptor is @file's */
	bool uki;
	struct boot_file initrd, cmdline; /* of size 0: it has none */
	char *words; /* @cmdline as one line of text; ours; or NULL */
};

/* What a loader found out; all addresses lie in the first region of RAM. */
struct kernel {
	const char *protocol; /* see struct boot_result */
	gpa_t entry;          /* inside [start, end) */
	gpa_t start, end;     /* its own until it reads the memory map */
	gpa_t initrd_end;     /* initrds must end here or below */
	uint32_t cmdline_max; /* characters it takes, NUL not counted */
	/* x86 */
	enum boot_mode mode;
	bool pvh;                     /* wants a start_info, not a zero page */
	uint8_t setup_len;            /* of setup[]; 0: not a bzImage */
	uint8_t setup[0x290 - 0x1f1]; /* setup header as in the file, from 0x1f1 */
	/* arm64 */
	uint32_t page_size; /* as in struct boot_result */
};

/* kernel_open() - open @path and read its head.  @path is kept, not copied.
 * Return: 0, or -errno with a sentence in @e
 */
int kernel_open(struct kernel_file *f, const char *path, struct err *e);
void kernel_close(struct kernel_file *f);

/* kernel_unwrap() - make @f the kernel inside what kernel_open() opened: in the profile number
 * @profile of a unified kernel image; on x86-64 also in a compressed file, which is unpacked into
 * memory. Another file stays as it is, at no cost.
 * Return: 0, or -errno with a sentence in @e
 */
int kernel_unwrap(struct kernel_file *f, unsigned int profile, struct err *e);

/* kernel_refuse() - we cannot boot @f: say what it seems to be.
 * Return: -ENOEXEC with a sentence in @e
 */
int kernel_refuse(const struct kernel_file *f, struct err *e);

/* kernel_load_part() - copy bytes [@off, @off + @len) of @f to @gpa; kernel_map_part() - map them
 * there, if possible.
 * Return: 0, or -errno with a sentence in @e
 */
int kernel_load_part(const struct kernel_file *f, struct gmem *m, gpa_t gpa, uint64_t off,
		     uint64_t len, struct err *e);
int kernel_map_part(const struct kernel_file *f, struct gmem *m, gpa_t gpa, uint64_t off,
		    uint64_t len, struct err *e);

/* The RAM where a kernel goes: the first region; 0 and 0 if there is none */
gpa_t kernel_ram_start(const struct gmem *m);
gpa_t kernel_ram_end(const struct gmem *m);

/* kernel_too_big() - the sentence for a kernel that needs RAM up to @end.
 * Return: -ENOMEM
 */
int kernel_too_big(const struct kernel_file *f, const struct gmem *m, uint64_t end,
		   struct err *e);

#endif
