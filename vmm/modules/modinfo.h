/* SPDX-License-Identifier: Apache-2.0 */
/*
 * modinfo - what a module of Linux says of itself, in its section .modinfo (gabi, "Sections"; Linux'
 * include/linux/moduleparam.h): texts NAME=VALUE, each with its NUL.
 *
 * The file may hold anything: nothing outside of its bytes is read, and nothing that it says makes a loop
 * longer than it is.
 */
#ifndef MICROVM_MODULES_MODINFO_H
#define MICROVM_MODULES_MODINFO_H

#include <stddef.h>
#include <stdint.h>

struct modinfo {
	uint16_t machine; /* EM_*, of its header */
	const char *
		release; /* the first word of vermagic, "" if it has none; @release_len bytes */
	size_t release_len;
	const char *
		depends; /* names, with a comma between; NUL-terminated; "" if it has none */
};

/* modinfo_read() - of the @n bytes at @ko, in which what @m points to lies.
 * Return: 0; -ENOEXEC: it is no module of a 64-bit Linux, or is damaged
 */
int modinfo_read(const uint8_t *ko, size_t n, struct modinfo *m);

#endif
