/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symbols - the names of a kernel's functions, from its vmlinux or its System.map.
 *
 * The file is found and opened before the process is locked up, and read after a bad end alone, by two
 * descriptors that stand where its tables begin: then there is no call that seeks. The file may hold
 * anything: all that is kept of it is bounded.
 */
#ifndef MICROVM_TEST_SYMBOLS_H
#define MICROVM_TEST_SYMBOLS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbol {
	uint64_t at;
	uint32_t name; /* offset in the text */
};

struct symbols {
	char path[PATH_MAX]; /* ""; none was found */
	int table, text;     /* descriptors, or -1; of a System.map the latter alone */
	uint64_t table_len, text_len;
	uint8_t code[128]; /* a bit for each section of instructions */
	bool own;          /* it is the file that was booted: it lies where that says */
	/* what symbols_load() fills */
	struct symbol *one; /* of functions, ascending */
	size_t n, room;
	char *names;
	size_t names_len;
};

/* symbols_open() - find the file that belongs to @kernel: itself, or beside it, or in the tree where it was
 * built, or where a distribution's package for debugging puts it. symbols_close() in any case
 */
void symbols_open(struct symbols *s, const char *kernel);
void symbols_close(struct symbols *s);
/* symbols_load() - read it, once.  Return: is there a function? */
bool symbols_load(struct symbols *s);
/* symbols_value() - where the symbol @name was linked.  Return: is it there? */
bool symbols_value(const struct symbols *s, const char *name, uint64_t *at);
/* symbols_find() - the function that holds the linked address @at, @off bytes before it.  Return: its name,
 * which is as the file has it; NULL: none does
 */
const char *symbols_find(const struct symbols *s, uint64_t at, uint64_t *off);

#endif
